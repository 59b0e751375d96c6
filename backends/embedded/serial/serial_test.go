package serial

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

const (
	rowCount = 3
	clients  = 8
	perCrew  = 60 // operations of one client
	start    = 5  // value of every row at the start
)

// values is the state of all rows.
type values [rowCount]int

// op is one operation of a client: it expects some values and stores others, all
// or nothing. Without either it reads all rows.
type op struct {
	expect map[int]int
	store  map[int]int
}

// answer is what the client was told.
type answer struct {
	applied bool
	seen    values // of a read
}

var model = porcupine.Model{
	Init: func() any { return values{start, start, start} },
	Step: func(state, input, output any) (bool, any) {
		v, in, out := state.(values), input.(op), output.(answer)
		if len(in.store) == 0 {
			return out.seen == v, v
		}
		holds := true
		for row, want := range in.expect {
			holds = holds && v[row] == want
		}
		if out.applied != holds {
			return false, v
		}
		if holds {
			for row, n := range in.store {
				v[row] = n
			}
		}
		return true, v
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// client runs operations in one dialect's words.
type client struct {
	e       *engine.Engine
	dialect parse.Dialect
}

func (c *client) query(text string) (*server.Result, error) {
	return c.e.Query(context.Background(), "ks", text, &server.Params{Consistency: wire.Quorum})
}

func (c *client) run(o op) (answer, error) {
	if len(o.store) == 0 {
		return c.read()
	}
	if c.dialect == parse.YCQL {
		return c.block(o)
	}
	return c.batch(o)
}

// read reads all rows in one statement.
func (c *client) read() (answer, error) {
	text := "SELECT k, v FROM t WHERE p = 1"
	if c.dialect == parse.YCQL {
		text = "SELECT k, v FROM t"
	}
	res, err := c.query(text)
	if err != nil {
		return answer{}, err
	}
	var a answer
	for i := range res.RowCount() {
		row := res.Row(i)
		a.seen[toInt(row[0])] = toInt(row[1])
	}
	return a, nil
}

func toInt(b []byte) int { return int(int32(binary.BigEndian.Uint32(b))) }

// block is a transaction over several partitions.
func (c *client) block(o op) (answer, error) {
	var b strings.Builder
	b.WriteString("BEGIN TRANSACTION ")
	for row, n := range o.store {
		fmt.Fprintf(&b, "UPDATE t SET v = %d WHERE k = %d", n, row)
		if want, ok := o.expect[row]; ok {
			fmt.Fprintf(&b, " IF v = %d ELSE ERROR", want)
		}
		b.WriteString("; ")
	}
	b.WriteString("END TRANSACTION;")
	_, err := c.query(b.String())
	var we *wire.Error
	if errors.As(err, &we) && strings.Contains(we.Message, "was not satisfied") {
		return answer{}, nil
	}
	return answer{applied: err == nil}, err
}

// batch is a conditional batch in one partition, or a single statement. Its
// conditions may be on rows that it does not store anything in.
func (c *client) batch(o op) (answer, error) {
	var parts []string
	for row, n := range o.store {
		s := fmt.Sprintf("UPDATE t SET v = %d WHERE p = 1 AND k = %d", n, row)
		if want, ok := o.expect[row]; ok {
			s += fmt.Sprintf(" IF v = %d", want)
		}
		parts = append(parts, s)
	}
	for row, want := range o.expect {
		if _, ok := o.store[row]; !ok {
			parts = append(parts, fmt.Sprintf("UPDATE t SET touched = 1 WHERE p = 1 AND k = %d IF v = %d", row, want))
		}
	}
	text := parts[0]
	if len(parts) > 1 {
		text = "BEGIN BATCH " + strings.Join(parts, "; ") + "; APPLY BATCH"
	}
	res, err := c.query(text)
	if err != nil {
		return answer{}, err
	}
	return answer{applied: len(o.expect) == 0 || res.Cells[0][0] == 1}, nil
}

// next makes an operation from what the client saw last. The kinds: a read, a
// counter, a transfer, an attempt at write skew (it may lower one row only while
// the others are high), a blind write.
func next(r *rand.Rand, last values, skew bool) op {
	a, b := r.IntN(rowCount), r.IntN(rowCount)
	for a == b {
		b = r.IntN(rowCount)
	}
	switch n := r.IntN(10); {
	case n < 3:
		return op{}
	case n < 5:
		return op{map[int]int{a: last[a]}, map[int]int{a: last[a] + 1}}
	case n < 8:
		return op{map[int]int{a: last[a], b: last[b]}, map[int]int{a: last[a] - 1, b: last[b] + 1}}
	case n < 9 && skew:
		return op{map[int]int{a: last[a], b: last[b]}, map[int]int{a: last[a] - 1}}
	default:
		return op{nil, map[int]int{a: r.IntN(3)}}
	}
}

func open(t *testing.T, dialect parse.Dialect) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Options{
		Dialect: dialect, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		Node: systables.Node{Address: net.IPv4(127, 0, 0, 1), Port: 9042},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	schema := []string{
		"CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
		"CREATE TABLE t (p int, k int, v int, touched int, PRIMARY KEY (p, k))",
	}
	if dialect == parse.YCQL {
		schema[1] = "CREATE TABLE t (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}"
	}
	for i := range rowCount {
		if dialect == parse.YCQL {
			schema = append(schema, fmt.Sprintf("INSERT INTO t (k, v) VALUES (%d, %d)", i, start))
			continue
		}
		schema = append(schema, fmt.Sprintf("INSERT INTO t (p, k, v) VALUES (1, %d, %d)", i, start))
	}
	for _, text := range schema {
		keyspace := "ks"
		if strings.HasPrefix(text, "CREATE KEYSPACE") {
			keyspace = ""
		}
		if _, err := e.Query(context.Background(), keyspace, text, &server.Params{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return e
}

// history races clients and returns what each was told, with real times.
func history(t *testing.T, dialect parse.Dialect, seed uint64) []porcupine.Operation {
	c := &client{e: open(t, dialect), dialect: dialect}
	began := time.Now()
	var mu sync.Mutex
	var ops []porcupine.Operation
	var wg sync.WaitGroup
	for id := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(id)))
			last := values{start, start, start}
			for range perCrew {
				o := next(r, last, dialect == parse.Cassandra)
				call := time.Since(began).Nanoseconds()
				a, err := c.run(o)
				ret := time.Since(began).Nanoseconds()
				if err != nil {
					t.Errorf("%+v: %v", o, err)
					return
				}
				if len(o.store) == 0 {
					last = a.seen
				} else if a.applied {
					for row, n := range o.store {
						last[row] = n
					}
				}
				mu.Lock()
				ops = append(ops, porcupine.Operation{ClientId: id, Input: o, Call: call, Output: a, Return: ret})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return ops
}

func TestConcurrentStatementsAreSerializable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, tt := range []struct {
		name    string
		dialect parse.Dialect
	}{{"cassandra", parse.Cassandra}, {"ycql", parse.YCQL}} {
		t.Run(tt.name, func(t *testing.T) {
			rounds := 6
			if testing.Short() {
				rounds = 1
			}
			applied, refused := 0, 0
			for i := range rounds {
				ops := history(t, tt.dialect, seed+uint64(i))
				for _, o := range ops {
					switch in := o.Input.(op); {
					case len(in.expect) == 0:
					case o.Output.(answer).applied:
						applied++
					default:
						refused++
					}
				}
				if res := porcupine.CheckOperationsTimeout(model, ops, 5*time.Minute); res != porcupine.Ok {
					t.Fatalf("round %d: the history is not serializable (%v)", i, res)
				}
			}
			if applied == 0 || refused == 0 {
				t.Fatalf("%d operations applied, %d refused: the clients did not race", applied, refused)
			}
			t.Logf("%d conditional operations applied, %d refused", applied, refused)
		})
	}
}

// The checker must notice a history that is wrong: a refusal told as applied.
func TestTheCheckerNoticesALie(t *testing.T) {
	ops := history(t, parse.Cassandra, 1)
	for i, o := range ops {
		a := o.Output.(answer)
		if in := o.Input.(op); len(in.expect) == 0 || a.applied {
			continue
		}
		lie := append([]porcupine.Operation{}, ops...)
		a.applied = true
		lie[i].Output = a
		if porcupine.CheckOperationsTimeout(model, lie, time.Minute) == porcupine.Ok {
			continue // it would have been true at another moment
		}
		return
	}
	t.Fatal("no lie was noticed")
}
