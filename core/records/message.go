package records

import (
	"fmt"

	historypb "go.temporal.io/api/history/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	replicationspb "go.temporal.io/server/api/replication/v1"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// messages makes an empty message of what the server stores in a column
// (server v1.32.2, common/persistence/serialization). Of history tasks it
// depends on the category.
var messages = map[*plan.Column]func() proto.Message{
	plan.ShardInfo:           func() proto.Message { return &persistencespb.ShardInfo{} },
	plan.CurrentState:        func() proto.Message { return &persistencespb.WorkflowExecutionState{} },
	plan.ExecutionInfo:       func() proto.Message { return &persistencespb.WorkflowExecutionInfo{} },
	plan.ExecutionState:      func() proto.Message { return &persistencespb.WorkflowExecutionState{} },
	plan.Checksum:            func() proto.Message { return &persistencespb.Checksum{} },
	plan.Activities:          func() proto.Message { return &persistencespb.ActivityInfo{} },
	plan.Timers:              func() proto.Message { return &persistencespb.TimerInfo{} },
	plan.ChildExecutions:     func() proto.Message { return &persistencespb.ChildExecutionInfo{} },
	plan.RequestCancels:      func() proto.Message { return &persistencespb.RequestCancelInfo{} },
	plan.Signals:             func() proto.Message { return &persistencespb.SignalInfo{} },
	plan.BufferedEvents:      func() proto.Message { return &historypb.History{} },
	plan.DLQTask:             func() proto.Message { return &persistencespb.ReplicationTaskInfo{} },
	plan.BranchInfo:          func() proto.Message { return &persistencespb.HistoryTreeInfo{} },
	plan.NodeEvents:          func() proto.Message { return &historypb.History{} },
	plan.QueueInfo:           func() proto.Message { return &persistencespb.TaskQueueInfo{} },
	plan.TaskData:            func() proto.Message { return &persistencespb.AllocatedTaskInfo{} },
	plan.UserDataBlob:        func() proto.Message { return &persistencespb.TaskQueueUserData{} },
	plan.NamespaceDetail:     func() proto.Message { return &persistencespb.NamespaceDetail{} },
	plan.ClusterMetadataBlob: func() proto.Message { return &persistencespb.ClusterMetadata{} },
	plan.QueueMetadataBlob:   func() proto.Message { return &persistencespb.QueueMetadata{} },
	plan.QueueV2Metadata:     func() proto.Message { return &persistencespb.Queue{} },
	plan.NexusEndpointData:   func() proto.Message { return &persistencespb.NexusEndpoint{} },
}

// taskMessages are those of history tasks by category. The ids are those of
// service/history/tasks; tasks of other categories are not looked into.
var taskMessages = map[int64]func() proto.Message{
	1: func() proto.Message { return &persistencespb.TransferTaskInfo{} },
	2: func() proto.Message { return &persistencespb.TimerTaskInfo{} },
	3: func() proto.Message { return &persistencespb.ReplicationTaskInfo{} },
	4: func() proto.Message { return &persistencespb.VisibilityTaskInfo{} },
	5: func() proto.Message { return &persistencespb.ArchivalTaskInfo{} },
	7: func() proto.Message { return &persistencespb.OutboundTaskInfo{} },
}

// message returns an empty message for the blobs of a column of a record; nil if
// it is not known what they hold.
func (r *Record) message(c *plan.Column) proto.Message {
	create := messages[c]
	switch {
	case c == plan.HistoryTask:
		create = taskMessages[r.Family().Category]
	case c == plan.MessagePayload && r.Kind == QueueMessage:
		create = func() proto.Message { return &replicationspb.ReplicationTask{} }
	case c == plan.MessagePayload:
		create = func() proto.Message { return &persistencespb.HistoryTask{} }
	}
	if create == nil {
		return nil
	}
	return create()
}

// part is one blob of a record with its place.
type part struct {
	path    string
	blob    plan.Blob
	message proto.Message // empty; nil if not known
}

// parts lists the blobs of a field. CHASM nodes are those of the canonical form.
func (r *Record) parts(c *plan.Column) []part {
	var all []part
	add := func(path string, b plan.Blob, m proto.Message) { all = append(all, part{path, b, m}) }
	switch v := normal(r.Value(c)).(type) {
	case plan.Blob:
		add(c.Name, v, r.message(c))
	case []plan.Blob:
		for i, b := range v {
			add(fmt.Sprintf("%s[%d]", c.Name, i), b, r.message(c))
		}
	case []plan.IntEntry:
		for _, e := range v {
			add(fmt.Sprintf("%s[%d]", c.Name, e.Key), e.Value, r.message(c))
		}
	case []plan.TextEntry:
		for _, e := range v {
			add(fmt.Sprintf("%s[%q]", c.Name, e.Key), e.Value, r.message(c))
		}
	case []plan.NodeEntry:
		for _, e := range v {
			path := fmt.Sprintf("%s[%q]", c.Name, e.Key)
			if !absent(e.Value.Whole) {
				add(path, e.Value.Whole, &persistencespb.ChasmNode{})
				continue
			}
			add(path+".metadata", e.Value.Metadata, &persistencespb.ChasmNodeMetadata{})
			add(path+".data", e.Value.Body, nil)
		}
	}
	return all
}
