package yugabyte_test

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"reflect"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// client runs programs on an engine as a session would.
type client struct {
	t *testing.T
	e *engine.Engine
	d *ycql.Dialect
}

// bind serializes arguments by the types that the server says its markers have.
func (c *client) bind(binds []wire.Column, args []any) []wire.Value {
	c.t.Helper()
	if len(binds) != len(args) {
		c.t.Fatalf("%d arguments for %d markers", len(args), len(binds))
	}
	out := make([]wire.Value, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case nil:
		case int64:
			if binds[i].Type.Kind == cqltype.Int {
				out[i].Data = binary.BigEndian.AppendUint32(nil, uint32(a))
			} else {
				out[i].Data = binary.BigEndian.AppendUint64(nil, uint64(a))
			}
		case string:
			out[i].Data = []byte(a)
			if binds[i].Type.Kind == cqltype.Inet {
				out[i].Data = net.ParseIP(a).To4()
			}
		case [16]byte:
			out[i].Data = a[:]
		case []byte:
			out[i].Data = a
		case cql.Raw:
			out[i].Data = a
		case bool:
			out[i].Data = []byte{0}
			if a {
				out[i].Data[0] = 1
			}
		default:
			c.t.Fatalf("argument of type %T", a)
		}
	}
	return out
}

func (c *client) prepare(text string) *server.Prepared {
	c.t.Helper()
	p, err := c.e.Prepare(c.t.Context(), "ks", text)
	if err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
	return p
}

// exec runs a step and tells whether it was applied.
func (c *client) exec(s *cql.Step) (bool, server.Cost) {
	c.t.Helper()
	var res *server.Result
	var err error
	if s.Mode == cql.Single {
		p := c.prepare(s.Calls[0].Text)
		res, err = c.e.Execute(c.t.Context(), p, &server.Params{Values: c.bind(p.Binds, s.Calls[0].Args)})
	} else {
		b := &server.Batch{Keyspace: "ks"}
		for _, call := range s.Calls {
			p := c.prepare(call.Text)
			b.Members = append(b.Members, server.BatchMember{Prepared: p, Values: c.bind(p.Binds, call.Args)})
		}
		res, err = c.e.Batch(c.t.Context(), b)
	}
	var refused *wire.Error
	if errors.As(err, &refused) && ycql.Refused(&cql.Error{Reach: cql.Replied, Code: int(refused.Code), Message: refused.Message}) {
		return false, server.Cost{}
	}
	if err != nil {
		c.t.Fatalf("%s: %v", s.Calls[0].Text, err)
	}
	if res.Kind != server.Rows {
		return true, res.Cost
	}
	last := res.Row(res.RowCount() - 1)
	return last[0][0] == 1, res.Cost
}

// write runs a write as package exec does, and counts what it cost.
func (c *client) write(w *plan.Write) (applied bool, cost server.Cost) {
	c.t.Helper()
	p, err := c.d.CompileWrite(w)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range p.Steps {
		ok, one := c.exec(&p.Steps[i])
		cost.Rounds += one.Rounds
		cost.Commits += one.Commits
		if !ok {
			if p.Undo != nil {
				c.exec(p.Undo)
			}
			return false, cost
		}
	}
	return true, cost
}

// read returns the rows of a read.
func (c *client) read(r *plan.Read, args ...any) [][]any {
	c.t.Helper()
	program, err := c.d.CompileRead(r)
	if err != nil {
		c.t.Fatal(err)
	}
	var rows [][]any
	for part := range program.Parts(args) {
		call, decoder, err := program.Bind(part, args)
		if err != nil {
			c.t.Fatal(err)
		}
		p := c.prepare(call.Text)
		res, err := c.e.Execute(c.t.Context(), p, &server.Params{Values: c.bind(p.Binds, call.Args)})
		if err != nil {
			c.t.Fatalf("%s: %v", call.Text, err)
		}
		for i := range res.RowCount() {
			dest := decoder.Dest()
			for j, cell := range res.Row(i) {
				scan(c.t, dest[j], cell)
			}
			out := make([]any, len(r.Columns))
			if ok, err := decoder.Decode(out); err != nil {
				c.t.Fatal(err)
			} else if ok {
				rows = append(rows, out)
			}
		}
	}
	return rows
}

func scan(t *testing.T, dest any, cell []byte) {
	t.Helper()
	if cell == nil {
		return
	}
	switch d := dest.(type) {
	case **int64:
		n := int64(0)
		if len(cell) == 4 {
			n = int64(int32(binary.BigEndian.Uint32(cell)))
		} else {
			n = int64(binary.BigEndian.Uint64(cell))
		}
		*d = &n
	case **string:
		s := string(cell)
		*d = &s
	case **[16]byte:
		u := [16]byte(cell)
		*d = &u
	case *[]byte:
		*d = cell
	case *cql.Raw:
		*d = cell
	default:
		t.Fatalf("destination %T", dest)
	}
}

func blob(s string) plan.Blob { return plan.Blob{Data: []byte(s), Encoding: "Proto3"} }

func lease(rangeID int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.NumberedShards, Op: plan.Assert, Key: []any{int64(7)},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: rangeID}},
	}
}

var runKey = []any{int64(7), [16]byte{1}, "w", [16]byte{2}}

func atomic(m ...plan.Mutation) *plan.Write {
	return &plan.Write{Name: "Test", Scope: plan.Atomic, Mutations: m, Owner: &plan.Owner{Shard: 7, RangeID: 3}}
}

func version(v int64, more ...plan.Effect) []plan.Effect {
	return append([]plan.Effect{{Op: plan.Set, Column: plan.RecordVersion, Value: v}, {Op: plan.Set, Column: plan.NextEventID, Value: v + 10}}, more...)
}

// Mutable state comes back as it was written: elements of all collections that
// share a map, nodes in both forms, removed elements, batches in their order.
func TestMutableStateComesBack(t *testing.T) {
	for name, a := range map[string]ycql.Abilities{"all abilities": ycql.All, "none": {}} {
		t.Run(name, func(t *testing.T) {
			c := &client{t, keyspace(t), ycql.New(a)}
			merge := func(of *plan.Column, v any) plan.Effect { return plan.Effect{Op: plan.Merge, Column: of, Value: v} }
			drop := func(of *plan.Column, v any) plan.Effect { return plan.Effect{Op: plan.Drop, Column: of, Value: v} }
			absent := []plan.Cond{{Test: plan.RowAbsent}}
			at := func(v int64) []plan.Cond {
				return []plan.Cond{{Test: plan.Equal, Column: plan.RecordVersion, Value: v}}
			}
			must := func(want bool, rounds int, m ...plan.Mutation) {
				t.Helper()
				if ok, cost := c.write(atomic(m...)); ok != want || want && cost.Rounds != rounds {
					t.Fatalf("applied %v in %d rounds, want %v in %d", ok, cost.Rounds, want, rounds)
				}
			}
			must(true, 1, plan.Mutation{
				Table: plan.NumberedShards, Op: plan.Insert, Key: []any{int64(7)}, Conds: absent,
				Effects: []plan.Effect{{Op: plan.Set, Column: plan.ShardRangeID, Value: int64(3)}},
			})
			fresh := plan.Mutation{
				Table: plan.Executions, Op: plan.Insert, Key: runKey, Conds: absent,
				Effects: version(1, merge(plan.Activities, []plan.IntEntry{{Key: 5, Value: blob("five")}, {Key: 6, Value: blob("six")}})),
			}
			must(false, 0, lease(2), fresh)
			must(true, 2, lease(3), fresh)
			must(false, 0, lease(3), fresh)

			node := plan.Node{Metadata: blob("meta"), Body: plan.Blob{Data: []byte{}, Encoding: "Json"}}
			change := plan.Mutation{Table: plan.Executions, Op: plan.Update, Key: runKey, Conds: at(1), Effects: version(2,
				merge(plan.Activities, []plan.IntEntry{{Key: -9, Value: plan.Blob{Data: []byte("nine"), Encoding: "Json"}}}),
				drop(plan.Activities, []int64{5, 77}),
				merge(plan.Timers, []plan.TextEntry{{Key: "5", Value: blob("timer")}}),
				merge(plan.ChasmNodes, []plan.NodeEntry{{Key: "", Value: plan.Node{Whole: blob("root")}}, {Key: "a/b", Value: node}}),
				merge(plan.SignalRequested, []string{"anything"}),
				plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: blob("first")},
			)}
			rounds := 2
			if !a.NullElements {
				rounds = 3
			}
			must(true, rounds, lease(3), change)
			must(false, 0, lease(3), change)
			must(true, 2, lease(3), plan.Mutation{Table: plan.Executions, Op: plan.Update, Key: runKey, Conds: at(2), Effects: version(3,
				plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: blob("second")})})

			get := &plan.Read{Name: "Get", Table: plan.Executions, Eq: 4, Columns: plan.Executions.Columns[2:]}
			want := [][]any{{
				int64(13), int64(3), nil,
				[]plan.IntEntry{{Key: -9, Value: plan.Blob{Data: []byte("nine"), Encoding: "Json"}}, {Key: 6, Value: blob("six")}},
				[]plan.TextEntry{{Key: "5", Value: blob("timer")}},
				nil, nil, nil,
				[]plan.NodeEntry{{Key: "", Value: plan.Node{Whole: blob("root")}}, {Key: "a/b", Value: node}},
				[]string{"anything"},
				[]plan.Blob{blob("first"), blob("second")},
			}}
			if got := c.read(get, runKey...); !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}

			reset := plan.Mutation{Table: plan.Executions, Op: plan.Update, Key: runKey, Conds: at(3), Effects: version(4,
				plan.Effect{Op: plan.Clear, Column: plan.BufferedEvents})}
			for _, of := range plan.Executions.Columns[5:12] {
				reset.Effects = append(reset.Effects, plan.Effect{Op: plan.Clear, Column: of})
			}
			must(true, 2, lease(3), reset)
			want = [][]any{{int64(14), int64(4), nil, nil, nil, nil, nil, nil, nil, nil, nil}}
			if got := c.read(get, runKey...); !reflect.DeepEqual(got, want) {
				t.Fatalf("after the reset\ngot  %v\nwant %v", got, want)
			}
		})
	}
}

// Whoever lost the lease of a queue leaves no task behind, and tells so in one
// round where the server can; pairs keep their order, the lowest numbers too.
func TestTasksAreGuarded(t *testing.T) {
	for name, a := range map[string]ycql.Abilities{"all abilities": ycql.All, "none": {}} {
		t.Run(name, func(t *testing.T) {
			c := &client{t, keyspace(t), ycql.New(a)}
			queue := []any{[16]byte{1}, "q", int64(1)}
			holds := func(v int64) []plan.Cond { return []plan.Cond{{Test: plan.Equal, Column: plan.QueueRangeID, Value: v}} }
			info := []plan.Effect{{Op: plan.Set, Column: plan.QueueRangeID, Value: int64(4)}, {Op: plan.Set, Column: plan.QueueInfo, Value: blob("info")}}
			if ok, _ := c.write(atomic(plan.Mutation{Table: plan.FairTaskQueues, Op: plan.Insert, Key: queue, Conds: []plan.Cond{{Test: plan.RowAbsent}}, Effects: info})); !ok {
				t.Fatal("the queue is there already")
			}
			task := func(pass, id int64) plan.Mutation {
				return plan.Mutation{
					Table: plan.FairTasks, Op: plan.Insert, Ahead: true, Key: append(queue[:3:3], int64(0), pass, id),
					Effects: []plan.Effect{{Op: plan.Set, Column: plan.TaskData, Value: blob("task")}},
				}
			}
			update := plan.Mutation{Table: plan.FairTaskQueues, Op: plan.Update, Key: queue, Conds: holds(4), Effects: info}
			ok, cost := c.write(atomic(update, task(2, math.MinInt64), task(1, 9), task(1, -3), task(2, math.MaxInt64)))
			if want := 1; !ok || a.GuardLast && cost.Rounds != want {
				t.Fatalf("applied %v in %d rounds", ok, cost.Rounds)
			}
			update.Conds = holds(3)
			if ok, _ := c.write(atomic(update, task(1, 10))); ok {
				t.Fatal("a lost lease is accepted")
			}
			get := &plan.Read{
				Name: "Get", Table: plan.FairTasks, Eq: 4, From: plan.RangeEnd{Compare: plan.Greater, Width: 2},
				Columns: []*plan.Column{plan.TaskPass, plan.TaskID},
			}
			want := [][]any{{int64(1), int64(9)}, {int64(2), int64(math.MinInt64)}, {int64(2), int64(math.MaxInt64)}}
			if got := c.read(get, append(queue[:3:3], int64(0), int64(1), int64(-3))...); !reflect.DeepEqual(got, want) {
				t.Fatalf("tasks are %v, want %v", got, want)
			}
			list := &plan.Read{Name: "List", Table: plan.FairTaskQueues, Columns: []*plan.Column{plan.QueueName, plan.QueueRangeID}}
			if got := c.read(list); !reflect.DeepEqual(got, [][]any{{"q", int64(4)}}) {
				t.Fatalf("queues are %v", got)
			}
		})
	}
}

// Every sample runs: no statement that is prepared is refused with its values.
func TestEverySampleRuns(t *testing.T) {
	for name, a := range map[string]ycql.Abilities{"all abilities": ycql.All, "none": {}} {
		t.Run(name, func(t *testing.T) {
			c := &client{t, keyspace(t), ycql.New(a)}
			applied := 0
			for _, s := range samples.Of(c.d) {
				if s.Write == nil {
					program, err := c.d.CompileRead(s.Read)
					if err != nil {
						t.Fatal(err)
					}
					for part := range program.Parts(s.Args) {
						call, _, err := program.Bind(part, s.Args)
						if err != nil {
							t.Fatal(err)
						}
						p := c.prepare(call.Text)
						if _, err := c.e.Execute(t.Context(), p, &server.Params{Values: c.bind(p.Binds, call.Args)}); err != nil {
							t.Errorf("%s: %v", s.Name, err)
						}
					}
					continue
				}
				if ok, _ := c.write(s.Write); ok {
					applied++
				}
			}
			if applied < 30 {
				t.Errorf("only %d writes were applied", applied)
			}
		})
	}
}
