package corpus_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// oddities are what every corpus has, whatever its seed.
var oddities = []struct {
	name string
	is   func(r *records.Record, all *set) bool
}{
	{"archival, in the type of the DLQ", task(5)},
	{"the DLQ itself", kind(records.ReplicationDLQ)},
	{"another category in the type of visibility", task(6)},
	{"visibility", task(4)},
	{"a category of a plugin", task(19)},
	{"a subqueue", func(r *records.Record, _ *set) bool { return r.Kind == records.Task && r.Key[3].(int64) > 0 }},
	{"a fair subqueue and a later pass", func(r *records.Record, _ *set) bool {
		return r.Kind == records.FairTask && r.Key[3].(int64) > 0 && r.Key[4].(int64) > 1
	}},
	{"a sticky queue, which expires", func(r *records.Record, _ *set) bool { return r.Kind == records.TaskQueue && r.Expires != 0 }},
	{"a task that expires", func(r *records.Record, _ *set) bool { return r.Kind == records.Task && r.Expires != 0 }},
	{"a task without its queue's row", func(r *records.Record, all *set) bool {
		return r.Kind == records.Task && !all.has(records.TaskQueue, r.Key[:3])
	}},
	{"a fair queue alone", func(r *records.Record, all *set) bool {
		return r.Kind == records.FairTaskQueue && !all.has(records.TaskQueue, r.Key)
	}},
	{"an emptied queue with its last message", func(r *records.Record, _ *set) bool {
		return r.Kind == records.QueueV2Message && r.Key[1] == "2_emptied"
	}},
	{"a queue without messages", func(r *records.Record, _ *set) bool {
		return r.Kind == records.QueueV2 && r.Key[1] == "never used"
	}},
	{"the DLQ of a queue", func(r *records.Record, _ *set) bool {
		return r.Kind == records.QueueMessage && r.Key[0].(int64) < 0
	}},
	{"legacy ack levels", func(r *records.Record, _ *set) bool {
		return r.Kind == records.Queue && slices.ContainsFunc(r.Values, func(v any) bool { _, ok := v.([]plan.TextIntEntry); return ok })
	}},
	{"a Nexus endpoint", kind(records.NexusEndpoint)},
	{"the version of Nexus endpoints", kind(records.NexusTable)},
	{"user data with a build id", func(r *records.Record, all *set) bool {
		return r.Kind == records.BuildID && all.has(records.UserData, []any{r.Key[0], r.Key[2]})
	}},
	{"an id of a namespace without a name", func(r *records.Record, _ *set) bool {
		return r.Kind == records.NamespaceID && r.Values[0] == "orphan"
	}},
	{"CHASM nodes, one of them a pointer", func(r *records.Record, _ *set) bool {
		nodes, _ := r.Value(plan.ChasmNodes).([]plan.NodeEntry)
		return slices.ContainsFunc(nodes, func(n plan.NodeEntry) bool { return len(n.Value.Body.Data) == 0 && len(n.Value.Metadata.Data) > 0 }) &&
			slices.ContainsFunc(nodes, func(n plan.NodeEntry) bool { return len(n.Value.Body.Data) > 0 })
	}},
	{"the current run of another archetype", func(r *records.Record, _ *set) bool {
		return r.Kind == records.Current && r.Key[3] != int64(2918170192)
	}},
	{"a row from before record versions", func(r *records.Record, _ *set) bool {
		return r.Kind == records.Execution && r.Int(plan.RecordVersion) == 0
	}},
	{"a checksum", has(plan.Checksum)},
	{"activities", has(plan.Activities)},
	{"timers", has(plan.Timers)},
	{"children", has(plan.ChildExecutions)},
	{"requests to cancel", has(plan.RequestCancels)},
	{"signals", has(plan.Signals)},
	{"signals that were requested", has(plan.SignalRequested)},
	{"buffered events, in an order", func(r *records.Record, _ *set) bool {
		events, _ := r.Value(plan.BufferedEvents).([]plan.Blob)
		return len(events) > 1
	}},
	{"a reset whose base is gone", func(r *records.Record, all *set) bool {
		return r.Kind == records.Node && r.Unit != records.Treeless && !all.has(records.Branch, r.Key[:2])
	}},
	{"a branch without nodes", func(r *records.Record, all *set) bool {
		return r.Kind == records.Branch && !all.nodesOf[r.Key[0]]
	}},
	{"nodes of a tree without a row", func(r *records.Record, _ *set) bool { return r.Kind == records.Node && r.Unit == records.Treeless }},
	{"a branch that cannot be decoded", func(r *records.Record, _ *set) bool { return r.Kind == records.Branch && r.Unit == records.Unowned }},
	{"a batch that was written twice", func(r *records.Record, all *set) bool {
		return r.Kind == records.Node && all.batches[[3]any{r.Key[0], r.Key[1], r.Key[2]}] > 1
	}},
	{"a name with odd letters", func(r *records.Record, _ *set) bool {
		return r.Kind == records.Execution && strings.ContainsAny(r.Key[2].(string), "ä€'\"")
	}},
}

func kind(k records.Kind) func(*records.Record, *set) bool {
	return func(r *records.Record, _ *set) bool { return r.Kind == k }
}

func task(category int64) func(*records.Record, *set) bool {
	return func(r *records.Record, _ *set) bool { return r.Kind == records.HistoryTask && r.Key[1] == category }
}

func has(c *plan.Column) func(*records.Record, *set) bool {
	return func(r *records.Record, _ *set) bool {
		return r.Kind == records.Execution && r.Value(c) != nil && len(r.Corruptions()) > 0
	}
}

// set is all records of a corpus.
type set struct {
	names   map[string]bool
	nodesOf map[any]bool
	batches map[[3]any]int
}

func (s *set) has(k records.Kind, key []any) bool {
	r := records.Record{Kind: k, Key: key}
	return s.names[r.KeyString()]
}

func TestEveryOddityIsThere(t *testing.T) {
	for seed := range uint64(20) {
		all := corpus.Make(corpus.Small(seed))
		s := &set{names: make(map[string]bool), nodesOf: make(map[any]bool), batches: make(map[[3]any]int)}
		for i := range all {
			r := &all[i]
			if s.names[r.KeyString()] {
				t.Errorf("seed %d: %s is there twice", seed, r.KeyString())
			}
			s.names[r.KeyString()] = true
			if r.Kind == records.Node {
				s.nodesOf[r.Key[0]] = true
				s.batches[[3]any{r.Key[0], r.Key[1], r.Key[2]}]++
			}
		}
		for _, o := range oddities {
			if !slices.ContainsFunc(all, func(r records.Record) bool { return o.is(&r, s) }) {
				t.Errorf("seed %d has no %s", seed, o.name)
			}
		}
	}
}
