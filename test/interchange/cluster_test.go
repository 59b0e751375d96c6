package interchange

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
)

type blobOf = commonpb.DataBlob

func replicationTask(s *script) *persistencespb.ReplicationTaskInfo {
	return &persistencespb.ReplicationTaskInfo{NamespaceId: s.uuidOf(2), WorkflowId: "w", RunId: s.uuidOf(3), TaskId: s.rand.Int64N(100)}
}

func (s *script) history() call {
	b := s.branch()
	s.branches = append(s.branches, b)
	first := s.events(nil)[0]
	first.BranchInfo = b
	var more []*p.InternalAppendHistoryNodesRequest
	for range s.rand.IntN(4) {
		more = append(more, s.events(b)...)
	}
	fork, tree := s.uuid(), s.blob()
	deletes := s.one(3)
	return call{"History", func(ctx context.Context, a *arm) (any, error) {
		if err := a.runs.AppendHistoryNodes(ctx, first); err != nil {
			return nil, err
		}
		for _, m := range more {
			if err := a.runs.AppendHistoryNodes(ctx, m); err != nil {
				return nil, err
			}
		}
		if err := a.runs.ForkHistoryBranch(ctx, &p.InternalForkHistoryBranchRequest{
			ForkBranchInfo: b, NewBranchID: fork, TreeInfo: tree, ForkNodeID: 10, ShardID: s.shard,
		}); err != nil {
			return nil, err
		}
		var answers []any
		for _, reverse := range []bool{false, true} {
			for _, metadata := range []bool{false, true} {
				got, err := a.runs.ReadHistoryBranch(ctx, &p.InternalReadHistoryBranchRequest{
					BranchToken: token(b), BranchID: b.BranchId, MinNodeID: 1, MaxNodeID: 40, PageSize: 100, ShardID: s.shard,
					ReverseOrder: reverse, MetadataOnly: metadata && !reverse,
				})
				if err != nil {
					return nil, err
				}
				answers = append(answers, append([]p.InternalHistoryNode{}, got.Nodes...))
			}
		}
		if deletes {
			if err := a.runs.DeleteHistoryNodes(ctx, &p.InternalDeleteHistoryNodesRequest{
				BranchInfo: b, NodeID: first.Node.NodeID, TransactionID: first.Node.TransactionID, ShardID: s.shard,
			}); err != nil {
				return nil, err
			}
			return answers, a.runs.DeleteHistoryBranch(ctx, &p.InternalDeleteHistoryBranchRequest{
				BranchInfo: b, ShardID: s.shard, BranchRanges: []p.InternalDeleteHistoryBranchRange{{BranchId: b.BranchId, BeginNodeId: 20}},
			})
		}
		return answers, nil
	}}
}

// token is a branch token as the server's own branch util makes it.
func token(b *persistencespb.HistoryBranch) []byte {
	raw, err := b.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}

func (s *script) namespace() call {
	name := fmt.Sprintf("ns-%d", s.rand.IntN(4))
	id, detail, global := s.uuid(), s.blob(), s.one(2)
	renamed := fmt.Sprintf("renamed-%d", len(s.namespaces))
	known := keys(s.namespaces)
	var kind int
	if s.one(2) || len(known) == 0 {
		if s.namespaces[name] == "" {
			s.namespaces[name] = id
		}
	} else {
		// Of a namespace that does not exist stock's changes make half a row;
		// ours say that it is not found.
		kind = 1 + s.rand.IntN(4)
		name = known[s.rand.IntN(len(known))]
		id = s.namespaces[name]
		if kind == 3 && s.namespaces[renamed] != "" {
			kind = 1
		}
		switch kind {
		case 3:
			s.namespaces[renamed] = id
			delete(s.namespaces, name)
		case 4:
			delete(s.namespaces, name)
		}
	}
	return call{"Namespace", func(ctx context.Context, a *arm) (any, error) {
		meta, err := a.spaces.GetMetadata(ctx)
		if err != nil {
			return nil, err
		}
		update := &p.InternalUpdateNamespaceRequest{Id: id, Name: name, Namespace: detail, NotificationVersion: meta.NotificationVersion, IsGlobal: global}
		switch kind {
		case 0:
			return a.spaces.CreateNamespace(ctx, &p.InternalCreateNamespaceRequest{ID: id, Name: name, Namespace: detail, IsGlobal: global})
		case 1:
			return done(a.spaces.UpdateNamespace(ctx, update))
		case 2:
			update.NotificationVersion += 4 // refused
			return done(a.spaces.UpdateNamespace(ctx, update))
		case 3:
			update.Name = renamed
			return done(a.spaces.RenameNamespace(ctx, &p.InternalRenameNamespaceRequest{InternalUpdateNamespaceRequest: update, PreviousName: name}))
		}
		if err := a.spaces.DeleteNamespaceByName(ctx, &p.DeleteNamespaceByNameRequest{Name: name}); err != nil {
			return nil, err
		}
		got, err := a.spaces.ListNamespaces(ctx, &p.InternalListNamespacesRequest{PageSize: 100})
		if err != nil {
			return nil, err
		}
		return got.Namespaces, nil
	}}
}

func (s *script) cluster() call {
	name := fmt.Sprintf("c-%d", s.rand.IntN(2))
	version, data := s.clusterData[name], s.blob()
	if s.one(5) {
		version += 3 // refused
	} else {
		s.clusterData[name]++
	}
	var host uuid.UUID
	host[0] = byte(s.rand.IntN(3))
	return call{"ClusterMetadata", func(ctx context.Context, a *arm) (any, error) {
		if err := a.clusters.UpsertClusterMembership(ctx, &p.UpsertClusterMembershipRequest{
			Role: p.Frontend, HostID: host[:], RPCAddress: net.ParseIP("10.0.0.7"), RPCPort: 7233,
			SessionStart: time.UnixMilli(1_700_000_000_123).UTC(), RecordExpiry: 48 * time.Hour,
		}); err != nil {
			return nil, err
		}
		ok, err := a.clusters.SaveClusterMetadata(ctx, &p.InternalSaveClusterMetadataRequest{ClusterName: name, ClusterMetadata: data, Version: version})
		if err != nil {
			return nil, err
		}
		got, err := a.clusters.ListClusterMetadata(ctx, &p.InternalListClusterMetadataRequest{PageSize: 10})
		if err != nil {
			return nil, err
		}
		return []any{ok, got.ClusterMetadata}, nil
	}}
}

func (s *script) initQueue() call {
	// As the server calls it: without levels. (Those that Init is given, stock
	// loses: it reads back its other column, which is empty then.)
	meta, err := s.codec.QueueMetadataToBlob(&persistencespb.QueueMetadata{})
	if err != nil {
		panic(err)
	}
	return call{"Queue.Init", func(ctx context.Context, a *arm) (any, error) { return done(a.queue.Init(ctx, meta)) }}
}

func (s *script) messages() call {
	first, second := s.blob(), s.blob()
	meta, err := s.codec.QueueMetadataToBlob(&persistencespb.QueueMetadata{ClusterAckLevels: map[string]int64{"a": s.rand.Int64N(9), "b": 4}})
	if err != nil {
		panic(err)
	}
	version := s.queueVersion
	if !s.one(4) {
		s.queueVersion++
	} else {
		version += 2
	}
	return call{"Queue", func(ctx context.Context, a *arm) (any, error) {
		if err := a.queue.EnqueueMessage(ctx, first); err != nil {
			return nil, err
		}
		id, err := a.queue.EnqueueMessageToDLQ(ctx, second)
		if err != nil {
			return nil, err
		}
		got, err := a.queue.ReadMessages(ctx, -1, 100)
		if err != nil {
			return nil, err
		}
		dlq, _, err := a.queue.ReadMessagesFromDLQ(ctx, -1, 100, 100, nil)
		if err != nil {
			return nil, err
		}
		if id%3 == 2 {
			if err := errors.Join(
				a.queue.DeleteMessagesBefore(ctx, id-1), a.queue.DeleteMessageFromDLQ(ctx, id-1), a.queue.RangeDeleteMessagesFromDLQ(ctx, -1, id-2),
			); err != nil {
				return nil, err
			}
		}
		for _, m := range append(got, dlq...) {
			m.QueueType = 0 // stock leaves it out
		}
		levels, err := a.queue.GetAckLevels(ctx)
		if err != nil {
			return nil, err
		}
		return []any{id, got, dlq, levels}, a.queue.UpdateAckLevel(ctx, &p.InternalQueueMetadata{Blob: meta, Version: version})
	}}
}

func (s *script) messagesV2() call {
	name := fmt.Sprintf("v2-%d", s.rand.IntN(2))
	n := s.queuesV2[name]
	s.queuesV2[name]++
	blob := s.blob()
	return call{"QueueV2", func(ctx context.Context, a *arm) (any, error) {
		if n == 0 {
			_, err := a.queueV2.CreateQueue(ctx, &p.InternalCreateQueueRequest{QueueType: p.QueueTypeHistoryNormal, QueueName: name})
			return nil, err
		}
		sent, err := a.queueV2.EnqueueMessage(ctx, &p.InternalEnqueueMessageRequest{QueueType: p.QueueTypeHistoryNormal, QueueName: name, Blob: blob})
		if err != nil {
			return nil, err
		}
		got, err := a.queueV2.ReadMessages(ctx, &p.InternalReadMessagesRequest{QueueType: p.QueueTypeHistoryNormal, QueueName: name, PageSize: 100})
		if err != nil {
			return nil, err
		}
		answers := []any{sent, got.Messages}
		if n%3 == 2 {
			deleted, err := a.queueV2.RangeDeleteMessages(ctx, &p.InternalRangeDeleteMessagesRequest{
				QueueType: p.QueueTypeHistoryNormal, QueueName: name, InclusiveMaxMessageMetadata: p.MessageMetadata{ID: int64(n)},
			})
			if err != nil {
				return nil, err
			}
			answers = append(answers, deleted)
		}
		return answers, nil
	}}
}

func (s *script) nexus() call {
	id := s.uuidOf(byte(s.rand.IntN(3)))
	req := &p.InternalCreateOrUpdateNexusEndpointRequest{
		LastKnownTableVersion: s.endpointTable,
		Endpoint:              p.InternalNexusEndpoint{ID: id, Version: s.endpoints[id], Data: s.blob()},
	}
	remove := s.endpoints[id] > 0 && s.one(4)
	switch {
	case remove:
		delete(s.endpoints, id)
		s.endpointTable++
	case s.one(5):
		req.LastKnownTableVersion += 2 // refused
	case s.one(6):
		req.Endpoint.Version += 2 // refused
	default:
		s.endpoints[id]++
		s.endpointTable++
	}
	return call{"NexusEndpoint", func(ctx context.Context, a *arm) (any, error) {
		if remove {
			return done(a.endpoints.DeleteNexusEndpoint(ctx, &p.DeleteNexusEndpointRequest{ID: id, LastKnownTableVersion: req.LastKnownTableVersion}))
		}
		if err := a.endpoints.CreateOrUpdateNexusEndpoint(ctx, req); err != nil {
			return nil, err
		}
		return a.endpoints.ListNexusEndpoints(ctx, &p.ListNexusEndpointsRequest{PageSize: 100})
	}}
}
