package plans

import (
	"fmt"
	"math/rand/v2"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// required are the columns that every writer of a row sets: rows are told by
// them from those of other tables, and from none.
var required = map[*plan.Table][]*plan.Column{
	plan.Shards:            {plan.ShardRangeID},
	plan.CurrentExecutions: {plan.CurrentRunID},
	plan.Executions:        {plan.ExecutionInfo, plan.NextEventID},
	plan.HistoryTasks:      {plan.HistoryTask},
	plan.ReplicationDLQ:    {plan.DLQTask},
	plan.HistoryTree:       {plan.BranchInfo},
	plan.HistoryNodes:      {plan.NodeEvents},
	plan.TaskQueues:        {plan.QueueRangeID},
	plan.FairTaskQueues:    {plan.QueueRangeID},
	plan.Tasks:             {plan.TaskData},
	plan.FairTasks:         {plan.TaskData},
	plan.UserData:          {plan.UserDataVersion},
	plan.Namespaces:        {plan.NamespaceID},
	plan.NamespaceIDs:      {plan.NamespaceIDName},
	plan.NamespaceVersion:  {plan.GlobalNotificationVersion},
	plan.ClusterMetadata:   {plan.ClusterMetadataVersion},
	plan.ClusterMembers:    {plan.MemberSessionStart},
	plan.QueueMetadata:     {plan.QueueMetadataVersion},
	plan.QueueMessages:     {plan.MessagePayload},
	plan.QueuesV2:          {plan.QueueV2Version},
	plan.QueueV2Messages:   {plan.MessagePayload},
	plan.NexusEndpoints:    {plan.NexusEndpointVersion},
}

// uuids are of version 4: servers order other versions in ways of their own.
func uuidOf(n int) [16]byte {
	return [16]byte{0: byte(n), 1: 0xab, 6: 0x40, 8: 0x80, 15: byte(n)}
}

const archetypeWorkflow int64 = 2918170192

// keyValue picks a value of a key column from a pool so small that plans meet.
func keyValue(r *rand.Rand, t *plan.Table, c *plan.Column) any {
	switch c {
	case plan.ShardID:
		return int64(1 + r.IntN(2))
	case plan.CurrentArchetypeID:
		return []int64{archetypeWorkflow, 7, 305419896, 4294967295}[r.IntN(4)]
	case plan.TaskCategoryID:
		return []int64{1, 2, 3, 4, 5, 6, 7, 19}[r.IntN(8)]
	case plan.TaskFireTime:
		return fireTime(r, 0)
	case plan.NexusRowType:
		return int64(r.IntN(2))
	case plan.TaskPass:
		return int64(1 + r.IntN(3))
	case plan.MessageQueueType:
		return int64(r.IntN(3) - 1)
	case plan.QueueV2Partition:
		return int64(0)
	case plan.Subqueue:
		return int64(r.IntN(3))
	case plan.MemberRole:
		return int64(r.IntN(5))
	case plan.BuildID:
		return fmt.Sprintf("build-%d", r.IntN(3))
	}
	switch c.Kind {
	case plan.UUID:
		return uuidOf(r.IntN(3))
	case plan.Text:
		return []string{"a", "b's \"name\"", "ä€", t.Name}[r.IntN(4)]
	default:
		return int64(r.IntN(6))
	}
}

// fireTime is a time for tasks of scheduled categories, else Immediate.
func fireTime(r *rand.Rand, category int64) int64 {
	if category == 2 || category == 5 {
		return 1700000000000 + int64(r.IntN(4))
	}
	return plan.Immediate
}

// key makes the key of a row, and repairs what columns say of each other.
func key(r *rand.Rand, t *plan.Table) []any {
	k := make([]any, len(t.Key))
	for i, c := range t.Key {
		k[i] = keyValue(r, t, c)
	}
	if t == plan.HistoryTasks {
		k[2] = fireTime(r, k[1].(int64))
	}
	return k
}

func encoding(r *rand.Rand) string { return []string{"Proto3", "Json"}[r.IntN(2)] }

func bytes(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(5))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// value makes a value of a column that is not null.
func value(r *rand.Rand, c *plan.Column) any {
	if c == plan.MemberPort {
		return int64(r.IntN(65536))
	}
	switch c.Kind {
	case plan.Int:
		return int64(r.IntN(4)) // small, so that conditions meet
	case plan.Text:
		return fmt.Sprintf("text %d", r.IntN(4))
	case plan.UUID:
		return uuidOf(r.IntN(3))
	case plan.Time:
		return 1600000000000 + int64(r.IntN(1000))
	case plan.Bool:
		return r.IntN(2) == 0
	case plan.Inet:
		return []string{"127.0.0.1", "10.1.2.3", "2001:db8::1"}[r.IntN(3)]
	case plan.Data:
		return plan.Blob{Data: append(bytes(r), 1), Encoding: encoding(r)}
	default:
		return elements(r, c.Kind, r.IntN(4))
	}
}

// elements makes n elements of a collection at most. All of one map have one
// encoding: some layouts keep one for all.
func elements(r *rand.Rand, k plan.Kind, n int) any {
	blob := func() plan.Blob { return plan.Blob{Data: append(bytes(r), 2), Encoding: "Proto3"} }
	picked := r.Perm(6)[:n]
	switch k {
	case plan.IntData:
		all := make([]plan.IntEntry, n)
		for i, p := range picked {
			all[i] = plan.IntEntry{Key: int64(p - 2), Value: blob()}
		}
		return all
	case plan.TextData:
		all := make([]plan.TextEntry, n)
		for i, p := range picked {
			all[i] = plan.TextEntry{Key: textKey(p), Value: blob()}
		}
		return all
	case plan.Nodes:
		all := make([]plan.NodeEntry, n)
		for i, p := range picked {
			all[i] = plan.NodeEntry{Key: textKey(p), Value: plan.Node{Whole: blob()}}
		}
		return all
	case plan.TextSet:
		all := make([]string, n)
		for i, p := range picked {
			all[i] = setKey(p)
		}
		return all
	case plan.TextInt:
		all := make([]plan.TextIntEntry, n)
		for i, p := range picked {
			all[i] = plan.TextIntEntry{Key: textKey(p), Value: int64(r.IntN(100))}
		}
		return all
	case plan.DataList:
		all := make([]plan.Blob, n)
		for i := range all {
			all[i] = plan.Blob{Data: append(bytes(r), 3), Encoding: encoding(r)}
		}
		return all
	default:
		panic(fmt.Sprintf("kind %d has no elements", k))
	}
}

func textKey(n int) string { return []string{"", "a", "a/b", "ä", "z z", "0"}[n] }

func setKey(n int) string { return plan.FormatValue(uuidOf(n)) }

// others are keys that v has no element of.
func others(r *rand.Rand, k plan.Kind, v any) any {
	var ints []int64
	var texts []string
	for p := range 6 {
		if r.IntN(2) == 0 {
			continue
		}
		switch k {
		case plan.IntData:
			if !hasInt(v, int64(p-2)) {
				ints = append(ints, int64(p-2))
			}
		case plan.TextSet:
			if !hasText(v, setKey(p)) {
				texts = append(texts, setKey(p))
			}
		default:
			if !hasText(v, textKey(p)) {
				texts = append(texts, textKey(p))
			}
		}
	}
	if k == plan.IntData {
		return ints
	}
	return texts
}

func hasInt(v any, key int64) bool {
	entries, _ := v.([]plan.IntEntry)
	for _, e := range entries {
		if e.Key == key {
			return true
		}
	}
	return false
}

func hasText(v any, key string) bool {
	switch v := v.(type) {
	case []plan.TextEntry:
		for _, e := range v {
			if e.Key == key {
				return true
			}
		}
	case []plan.NodeEntry:
		for _, e := range v {
			if e.Key == key {
				return true
			}
		}
	case []plan.TextIntEntry:
		for _, e := range v {
			if e.Key == key {
				return true
			}
		}
	case []string:
		for _, e := range v {
			if e == key {
				return true
			}
		}
	}
	return false
}
