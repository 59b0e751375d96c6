package records_test

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

var readQueueLease = map[records.Kind]*plan.Read{
	records.TaskQueue:     {Name: "lease", Table: plan.TaskQueues, Eq: 3, Columns: []*plan.Column{plan.QueueRangeID, plan.QueueInfo}},
	records.FairTaskQueue: {Name: "lease", Table: plan.FairTaskQueues, Eq: 3, Columns: []*plan.Column{plan.QueueRangeID, plan.QueueInfo}},
}

// A queue that is held can neither be written by its owner nor be read by who
// would be the next; the stream shows it as it was, and so is it after all.
func testHoldQueues(t *testing.T, s *store) {
	seed := seed(t)
	o := corpus.Small(seed)
	o.Whole, o.Workflows, o.Garbage = s.whole, 0, false
	made := corpus.Make(o)
	s.put(t, o.Shards, made)
	ro := records.Options{Shards: o.Shards}
	before, want := s.read(t, ro)
	unchanged := func(when string) {
		t.Helper()
		after, got := s.read(t, ro)
		if same(t, before, after, want, got); t.Failed() {
			t.Fatal(when)
		}
	}
	src := s.source(t, ro)
	var queues []records.Ref
	for _, p := range src.Parts(2) {
		if p.Stage == records.QueueStage || p.Stage == records.FairQueueStage {
			if err := src.Queues(t.Context(), p, func(q records.Ref) error { queues = append(queues, q); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	names := make(map[string]bool)
	for _, q := range queues {
		names[q.String()] = true
	}
	rows := 0
	for i := range made {
		if r := &made[i]; r.Kind == records.TaskQueue || r.Kind == records.FairTaskQueue {
			if rows++; !names[r.Ref().String()] {
				t.Errorf("%s is not listed", r.Ref())
			}
		}
	}
	lease := func(q records.Ref) (row *exec.Rows, found bool) {
		t.Helper()
		row, found, err := exec.One(t.Context(), s.raw, readQueueLease[q.Kind], q.Key...)
		if err != nil {
			t.Fatal(err)
		}
		return row, found
	}
	own := func(q records.Ref, rangeID int64) error { // as a server does
		return s.raw.Write(t.Context(), &plan.Write{Name: "own", Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: q.Kind.Table(), Op: plan.Update, Key: q.Key,
			Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: rangeID}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.QueueRangeID, Value: rangeID + 1}},
		}}})
	}
	all := func(do func(q records.Ref) error) {
		t.Helper()
		for range 2 { // the second time changes nothing
			for _, q := range queues {
				if err := do(q); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	held := 0
	all(func(q records.Ref) error { return s.writer.HoldQueue(t.Context(), q) })
	for _, q := range queues {
		row, found := lease(q)
		if !found {
			continue
		}
		held++
		if _, err := enumspb.EncodingTypeFromString(row.Blob(1).Encoding); err == nil || row.Int(0) >= 0 {
			t.Errorf("%s is held with range %d and encoding %q", q, row.Int(0), row.Blob(1).Encoding)
		}
		if own(q, 3) == nil || own(q, 4) == nil || own(q, 1) == nil {
			t.Errorf("%s is written by its owner", q)
		}
	}
	if held != rows {
		t.Errorf("%d queues are held, %d have rows", held, rows)
	}
	unchanged("held")
	all(func(q records.Ref) error { return s.writer.ReleaseQueue(t.Context(), q) })
	unchanged("released")
	for _, q := range queues {
		if row, found := lease(q); found && own(q, row.Int(0)) != nil {
			t.Errorf("%s cannot be owned after its release", q)
		}
	}
	if err := s.writer.HoldQueue(t.Context(), records.Ref{Kind: records.Task, Key: queues[0].Key}); err == nil {
		t.Error("a task was held")
	}
}

// On Apache Cassandra it runs in the keyspace of TestCopy.
func TestHoldQueues(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testHoldQueues(t, inMemory(t)) })
	t.Run("embedded cassandra", func(t *testing.T) { testHoldQueues(t, engine(t, "cassandra")) })
	t.Run("embedded ycql", func(t *testing.T) { testHoldQueues(t, engine(t, "ycql")) })
}
