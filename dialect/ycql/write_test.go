package ycql_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

func sample(t *testing.T, name string) samples.Sample {
	t.Helper()
	for _, s := range samples.Of(ycql.New(ycql.All)) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no sample %s", name)
	return samples.Sample{}
}

// run is an update of a run with n merged and m dropped activities.
func run(n, m int) *plan.Write {
	u := plan.Mutation{
		Table: plan.Executions, Op: plan.Update, Key: []any{int64(1), [16]byte{1}, "w", [16]byte{2}},
		Conds:   []plan.Cond{{Test: plan.Equal, Column: plan.RecordVersion, Value: int64(1)}},
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.RecordVersion, Value: int64(2)}},
	}
	var merged []plan.IntEntry
	var dropped []int64
	for i := range n {
		merged = append(merged, plan.IntEntry{Key: int64(i), Value: plan.Blob{Data: []byte{1}, Encoding: "Proto3"}})
	}
	for i := range m {
		dropped = append(dropped, int64(1000+i))
	}
	u.Effects = append(u.Effects, plan.Effect{Op: plan.Merge, Column: plan.Activities, Value: merged},
		plan.Effect{Op: plan.Drop, Column: plan.Activities, Value: dropped})
	lease := plan.Mutation{
		Table: plan.NumberedShards, Op: plan.Assert, Key: []any{int64(1)},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: int64(3)}},
	}
	return &plan.Write{Name: "Test", Scope: plan.Atomic, Owner: &plan.Owner{Shard: 1, RangeID: 3}, Mutations: []plan.Mutation{lease, u}}
}

func compile(t *testing.T, d *ycql.Dialect, w *plan.Write) *cql.Program {
	t.Helper()
	p, err := d.CompileWrite(w)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Steps {
		for _, c := range p.Steps[i].Calls {
			if got := strings.Count(c.Text, "?"); got != len(c.Args) {
				t.Errorf("%d arguments for %d markers of %s", len(c.Args), got, c.Text)
			}
		}
	}
	return p
}

// Each text is one PREPARE on every server; with every number of elements of
// every kind of update there must not be many.
func TestFewTexts(t *testing.T) {
	for name, a := range map[string]ycql.Abilities{"all abilities": ycql.All, "none": {}} {
		t.Run(name, func(t *testing.T) {
			d := ycql.New(a)
			for _, s := range samples.Of(d) {
				if _, err := samples.CQL(d, s); err != nil {
					t.Fatal(err)
				}
				if s.Write == nil {
					continue
				}
				for i := range s.Write.Mutations {
					m := &s.Write.Mutations[i]
					if m.Table != plan.Executions || m.Op != plan.Update || s.Name == "execution-set" || s.Name == "execution-resolve-three-runs" {
						continue
					}
					before := m.Effects
					for n := range 80 {
						m.Effects = append(before[:5:5], run(n, 0).Mutations[1].Effects[1], run(0, 80-n).Mutations[1].Effects[2])
						compile(t, d, s.Write)
						m.Effects = append(before[:5:5], run(n, 0).Mutations[1].Effects[1])
						compile(t, d, s.Write)
					}
				}
			}
			if n := len(d.Texts()); n > 256 {
				t.Errorf("%d texts, want at most 256:\n%s", n, strings.Join(d.Texts(), "\n"))
			} else {
				t.Logf("%d texts", n)
			}
		})
	}
}

func TestElementsTakeOneStatement(t *testing.T) {
	tests := []struct {
		merged, dropped int
		abilities       ycql.Abilities
		elements        int // assigned one by one
		updates         int // of the run
		plus, minus     bool
	}{
		{0, 0, ycql.All, 0, 1, false, false},
		{1, 0, ycql.All, 1, 1, false, false},
		{1, 1, ycql.All, 2, 1, false, false},
		{2, 1, ycql.All, 4, 1, false, false},
		{50, 0, ycql.All, 64, 1, false, false},
		{32, 32, ycql.All, 64, 1, false, false},
		{65, 0, ycql.All, 0, 1, true, false},
		{65, 3, ycql.All, 0, 2, true, true},
		{1, 80, ycql.All, 1, 2, false, true},
		{3, 2, ycql.Abilities{}, 4, 2, false, true},
		{0, 2, ycql.Abilities{}, 0, 2, false, true},
	}
	for _, tt := range tests {
		t.Run(strconv.Itoa(tt.merged)+" merged, "+strconv.Itoa(tt.dropped)+" dropped", func(t *testing.T) {
			p := compile(t, ycql.New(tt.abilities), run(tt.merged, tt.dropped))
			if len(p.Steps) != 1 || len(p.Steps[0].Calls) != 1 {
				t.Fatalf("%d steps", len(p.Steps))
			}
			text := p.Steps[0].Calls[0].Text
			if got := strings.Count(text, "state_entries[?] = ?"); got != tt.elements {
				t.Errorf("%d elements, want %d", got, tt.elements)
			}
			if got := strings.Count(text, "UPDATE executions"); got != tt.updates {
				t.Errorf("%d statements, want %d", got, tt.updates)
			}
			if strings.Contains(text, "state_entries + ?") != tt.plus || strings.Contains(text, "state_entries - ?") != tt.minus {
				t.Errorf("text is\n%s", text)
			}
			if !strings.HasPrefix(text, "BEGIN TRANSACTION\n  UPDATE shards SET range_id = ? WHERE shard_id = ? IF range_id = ? ELSE ERROR;\n") {
				t.Errorf("the lease does not come first:\n%s", text)
			}
		})
	}
}

// A tree row is stored before the first node of its branch: no scavenger may
// meet a node without it. Nothing else waits.
// A row that an update makes, because it must not be there, has what is added
// and nothing of what is taken away.
func TestAnUpdateThatMakesItsRowStoresNoRemovedElements(t *testing.T) {
	text := func(removed int) []any {
		w := run(1, removed)
		u := w.Mutations[1]
		u.Live, u.Conds = true, []plan.Cond{{Test: plan.RowAbsent}}
		u.Effects = append([]plan.Effect{{Op: plan.Set, Column: plan.NextEventID, Value: int64(1)}}, u.Effects...)
		w.Mutations = []plan.Mutation{u}
		p := compile(t, ycql.New(ycql.All), w)
		if call := p.Steps[0].Calls[0]; strings.HasPrefix(call.Text, "INSERT ") {
			return call.Args
		}
		t.Fatalf("no insert: %s", p.Steps[0].Calls[0].Text)
		return nil
	}
	if with, without := text(2), text(0); !reflect.DeepEqual(with, without) {
		t.Errorf("arguments with removals\n%v\nwithout\n%v", with, without)
	}
}

func TestWaves(t *testing.T) {
	p := compile(t, ycql.New(ycql.All), sample(t, "execution-create-brand-new").Write)
	waves := map[string]int{}
	for _, s := range p.Steps {
		if s.Ahead {
			waves[strings.Fields(s.Calls[0].Text)[2]] = s.Wave
		}
	}
	if len(waves) != 3 || waves["history_tree"] != 0 || waves["history_tasks"] != 0 || waves["history_node"] != 1 {
		t.Errorf("waves are %v", waves)
	}
}

func TestGuardComesLastAndARefusalIsTakenBack(t *testing.T) {
	for _, name := range []string{"queue-create-tasks", "fair-queue-create-tasks", "queue-create-tasks-only"} {
		w := sample(t, name).Write
		p := compile(t, ycql.New(ycql.All), w)
		calls := p.Steps[0].Calls
		if len(p.Steps) != 1 || p.Steps[0].Mode != cql.Unlogged || p.Undo == nil || len(p.Undo.Calls) != len(calls)-1 {
			t.Fatalf("%s: program is %+v", name, p)
		}
		for i, c := range calls {
			if !strings.HasSuffix(c.Text, " RETURNS STATUS AS ROW") || c.Conditional != (i == len(calls)-1) {
				t.Errorf("%s: member %d is %s", name, i, c.Text)
			}
		}
		for _, c := range p.Undo.Calls {
			if !strings.HasPrefix(c.Text, "DELETE FROM tasks") || c.Conditional {
				t.Errorf("%s: %s", name, c.Text)
			}
		}
		two := compile(t, ycql.New(ycql.Abilities{NullElements: true}), w)
		if len(two.Steps) != 2 || !two.Steps[0].Ahead || two.Steps[1].Mode != cql.Single || two.Undo == nil {
			t.Errorf("%s: without the ability the program is %+v", name, two)
		}
	}
}

func TestRowsOfBuildIDsArePadded(t *testing.T) {
	d := ycql.New(ycql.All)
	texts := map[string]bool{}
	for n := 1; n <= 9; n++ {
		w := &plan.Write{Name: "Test", Scope: plan.Atomic, Mutations: sample(t, "user-data-update").Write.Mutations[:2:2]}
		for i := range n {
			w.Mutations = append(w.Mutations, plan.Mutation{Table: plan.BuildIDs, Op: plan.Insert, Key: []any{[16]byte{1}, strconv.Itoa(i), "q"}})
		}
		texts[compile(t, d, w).Steps[0].Calls[0].Text] = true
	}
	if len(texts) != 5 { // 1, 2, 4, 8, 16
		t.Errorf("%d texts, want 5", len(texts))
	}
}

func TestEqualShapesShareStatements(t *testing.T) {
	d := ycql.New(ycql.All)
	w := sample(t, "execution-update-current").Write
	a, b := compile(t, d, w), compile(t, d, w)
	for i := range a.Steps {
		for j := range a.Steps[i].Calls {
			if a.Steps[i].Calls[j].Statement != b.Steps[i].Calls[j].Statement {
				t.Errorf("two statements with text %s", a.Steps[i].Calls[j].Text)
			}
		}
	}
}

func TestWritesThatCannotBeStored(t *testing.T) {
	shard, key := []any{int64(1)}, []any{int64(1), [16]byte{1}, "w", [16]byte{2}}
	lease := run(0, 0).Mutations[0]
	effects := func(e ...plan.Effect) plan.Mutation {
		return plan.Mutation{Table: plan.Executions, Op: plan.Update, Key: key, Effects: e}
	}
	task := plan.Mutation{Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{int64(1), int64(1), plan.Immediate, int64(5)}}
	dlq := plan.Mutation{Table: plan.ReplicationDLQ, Op: plan.Delete, Key: []any{int64(1), "c", int64(5)}}
	tests := []struct {
		name  string
		give  []plan.Mutation
		scope bool
		want  string
	}{
		{"a table without transactions in a block", []plan.Mutation{lease, dlq}, true, "replication_dlq(shard_id=1 source_cluster=\"c\" task_id=5) cannot be written together"},
		{"tasks without a number", []plan.Mutation{task}, false, "layout knows no table history_tasks"},
		{"a lease without a number", []plan.Mutation{{Table: plan.Shards, Op: plan.Assert, Key: shard, Conds: lease.Conds}}, false, "layout knows no table shards"},
		{"a life where it is not kept", []plan.Mutation{{Table: plan.NumberedShards, Op: plan.Insert, Key: shard, TTL: 5}}, false, "cannot be given a life"},
		{"one element twice", []plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.SignalRequested, Value: []string{"a", "a"}})}, false, `element "requested/a" is given twice`},
		{"some collections replaced", []plan.Mutation{effects(plan.Effect{Op: plan.Set, Column: plan.Timers, Value: []plan.TextEntry{}})}, false, "some of the collections that share a map are replaced and some are not"},
		{"a batch of events without a version", []plan.Mutation{effects(plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: plan.Blob{}})}, false, "buffered_events is appended to without a new db_record_version"},
		{"a batch of events with version 0", []plan.Mutation{effects(
			plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: plan.Blob{}},
			plan.Effect{Op: plan.Set, Column: plan.RecordVersion, Value: int64(0)})}, false, "want a number above 0"},
		{"an assertion that nothing holds", []plan.Mutation{{Table: plan.NumberedShards, Op: plan.Assert, Key: shard, Conds: []plan.Cond{{Test: plan.RowPresent}}}}, false, "nothing would hold the assertion"},
		{"a subqueue that is the queue's own row", []plan.Mutation{{Table: plan.Tasks, Op: plan.Delete, Key: []any{[16]byte{}, "q", int64(1), int64(-1), int64(0)}}}, false, "subqueue: -1 is reserved"},
		{"elements of the wrong type", []plan.Mutation{effects(plan.Effect{Op: plan.Merge, Column: plan.Timers, Value: []plan.IntEntry{{}}})}, false, "timers: cannot hold a []plan.IntEntry"},
		{"nothing to do", []plan.Mutation{effects()}, false, "update has no effects"},
		{"no mutations", nil, false, "write has no mutations"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ycql.New(ycql.All).CompileWrite(&plan.Write{Name: "Test", Scope: plan.Atomic, Mutations: tt.give})
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, dialect.ErrScope) != tt.scope {
				t.Errorf("CompileWrite() = %v, want it to say %q", err, tt.want)
			}
		})
	}
}

// Serial rounds of a write: waves ahead, then one for each statement of the
// block. The commit is not counted.
func TestRounds(t *testing.T) {
	budget := map[string]int{
		"execution-create-brand-new":       5, // a new branch: its tree row is a wave more
		"execution-create-archetype":       3,
		"execution-create-update-current":  5,
		"execution-create-bypass-current":  2,
		"execution-update-current":         4,
		"execution-update-continue-as-new": 6,
		"execution-update-append":          2,
		"execution-update-legacy":          2,
		"execution-update-bypass-other":    3,
		"execution-update-bypass-none":     3,
		"execution-resolve-three-runs":     7,
		"execution-set":                    2,
		"tasks-add":                        2,
		"queue-create-tasks":               1,
		"queue-create-tasks-only":          1,
		"fair-queue-create-tasks":          1,
		"user-data-update":                 4,
		"history-append-new-branch":        2,
		"queue-update-sticky":              1,
		"namespace-rename":                 3,
	}
	for name, want := range budget {
		rounds := 0
		p := compile(t, ycql.New(ycql.All), sample(t, name).Write)
		ahead := 0
		for i := range p.Steps {
			switch s := &p.Steps[i]; {
			case s.Ahead:
				ahead = max(ahead, s.Wave+1)
			case s.Mode == cql.Single:
				rounds += max(1, strings.Count(s.Calls[0].Text, ";\n"))
			default:
				rounds++
			}
		}
		if rounds += ahead; rounds != want {
			t.Errorf("%s takes %d rounds, want %d", name, rounds, want)
		}
	}
}
