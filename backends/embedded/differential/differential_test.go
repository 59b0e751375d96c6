package differential

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"
)

// caseLength is how many statements a case has, full reads in between not counted.
const caseLength = 120

// comparison runs cases against both sides.
type comparison struct {
	engine, real *side
	tables       atomic.Int64
	stats        stats
	// noWaits leaves out cases that wait for cells to expire.
	noWaits bool
	mu      sync.Mutex
	// textDiffs counts refusals with the same code and another text.
	textDiffs map[string]int
}

func newComparison(engine, cassandra *side) *comparison {
	return &comparison{engine: engine, real: cassandra, textDiffs: map[string]int{}}
}

// script is a case: a table and statements that do not depend on answers.
type script struct {
	s     *schema
	stmts []stmt
}

// difference is a statement that the two sides answer differently.
type difference struct {
	at        int
	st        stmt
	got, want outcome
}

func (d *difference) String() string {
	return fmt.Sprintf("statement %d: %s\n  engine:    %s\n  cassandra: %s", d.at, d.st, d.got, d.want)
}

// setUp makes the table on both sides.
func (c *comparison) setUp(s *schema) (table string, err error) {
	table = fmt.Sprintf("t%d", c.tables.Add(1))
	for _, text := range s.ddl() {
		for _, side := range []*side{c.engine, c.real} {
			o, err := side.run(table, stmt{text: text})
			if side == c.real && busy(o) {
				return table, fmt.Errorf("%s: %w", text, errBusy)
			}
			if err != nil || o.code != 0 {
				return table, fmt.Errorf("%s: %s: %v %w", side.name, text, o, err)
			}
		}
	}
	return table, nil
}

func (c *comparison) tearDown(s *schema, table string) {
	for _, side := range []*side{c.engine, c.real} {
		_, _ = side.run(table, stmt{text: "DROP TABLE IF EXISTS %T"})
		if s.hasType {
			_, _ = side.run(table, stmt{text: "DROP TYPE IF EXISTS %U"})
		}
	}
}

// step sends one statement to both sides.
func (c *comparison) step(table string, st stmt) (got, want outcome, err error) {
	if st.wait {
		time.Sleep(expiryWait) // real clocks: both servers' cells have to expire
	}
	if want, err = c.real.run(table, st); err != nil {
		return got, want, fmt.Errorf("cassandra: %s: %w", st, err)
	}
	if busy(want) {
		return got, want, fmt.Errorf("cassandra: %s: %s: %w", st, want, errBusy)
	}
	if got, err = c.engine.run(table, st); err != nil {
		return got, want, fmt.Errorf("engine: %s: %w", st, err)
	}
	return got, want, nil
}

// errBusy ends a case in which Cassandra could not do what it was asked in its own
// time, as on a machine that is slow: whether it did, nobody knows.
var errBusy = errors.New("the server was too busy")

// busyTime is how long a case is begun anew.
const busyTime = 5 * time.Minute

// busy tells whether an answer is of the load, not of the statement.
func busy(o outcome) bool {
	switch o.code {
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping,
		gocql.ErrCodeWriteTimeout, gocql.ErrCodeReadTimeout, gocql.ErrCodeCASWriteUnknown:
		return true
	}
	return false
}

// same compares two answers. Times to live may be some minutes apart:
// those that are given are long and differ by more.
func (c *comparison) same(a, b outcome) bool {
	if a.code != b.code {
		return false
	}
	if a.code != 0 {
		if a.message != b.message {
			c.mu.Lock()
			c.textDiffs[fmt.Sprintf("engine:    %s\n           cassandra: %s", a.message, b.message)]++
			c.mu.Unlock()
		}
		return true
	}
	if !slices.Equal(a.columns, b.columns) || len(a.rows) != len(b.rows) {
		return false
	}
	ttl := slices.IndexFunc(a.columns, func(s string) bool { return strings.HasPrefix(s, "ttl(") })
	for i := range a.rows {
		if a.rows[i] != b.rows[i] && (ttl < 0 || !sameButTTL(a.rows[i], b.rows[i])) {
			return false
		}
	}
	return true
}

// ttlSlack is how many seconds two times to live may be apart; see [writer.using].
const ttlSlack = 300

// sameButTTL compares rows whose last cell is a time to live.
func sameButTTL(a, b string) bool {
	i, j := strings.LastIndexByte(a, ' '), strings.LastIndexByte(b, ' ')
	if i < 0 || j < 0 || a[:i] != b[:j] {
		return false
	}
	x, errX := hex.DecodeString(a[i+1:])
	y, errY := hex.DecodeString(b[j+1:])
	if errX != nil || errY != nil || len(x) != 4 || len(y) != 4 {
		return false
	}
	d := int64(int32(binary.BigEndian.Uint32(x))) - int64(int32(binary.BigEndian.Uint32(y)))
	return d >= -ttlSlack && d <= ttlSlack
}

// generate runs a new case and returns it with its first difference.
func (c *comparison) generate(ctx context.Context, seed uint64) (script, *difference, error) {
	for begin := time.Now(); ; {
		sc, d, err := c.try(ctx, seed)
		if !errors.Is(err, errBusy) || time.Since(begin) > busyTime {
			return sc, d, err
		}
	}
}

// try is generate, which ends where Cassandra is busy.
func (c *comparison) try(ctx context.Context, seed uint64) (script, *difference, error) {
	r := rand.New(rand.NewPCG(seed, 17))
	sc := script{s: newSchema(r)}
	table, err := c.setUp(sc.s)
	if err != nil {
		return sc, nil, err
	}
	defer c.tearDown(sc.s, table)
	short, waitAt := r.IntN(8) == 0 && !c.noWaits, caseLength*3/4
	g := &generator{r: r, s: sc.s, whole: short}
	for i := range caseLength {
		if ctx.Err() != nil {
			return sc, nil, nil
		}
		// Cells that live for a second are only written, until both sides have waited
		// them out: in between the answers would depend on the moment.
		fleeting := short && i >= waitAt-5 && i < waitAt
		g.shortTTL = fleeting
		var st stmt
		if fleeting {
			st = g.insert(g.key(true), false)
		} else {
			st = g.next()
		}
		st.wait = short && i == waitAt
		sc.stmts = append(sc.stmts, st)
		got, want, err := c.step(table, st)
		if err != nil {
			return sc, nil, err
		}
		c.stats.count(st, want)
		if cond, applied := want.applied(); cond && applied {
			g.hits++
		} else if cond {
			g.misses++
		}
		if !c.same(got, want) {
			return sc, &difference{i, st, got, want}, nil
		}
		if !st.read && !fleeting && i%5 == 4 || i == caseLength-1 {
			// What the writes left, all of it.
			all := stmt{text: "SELECT * FROM %T", page: 1 + r.IntN(2), read: true}
			sc.stmts = append(sc.stmts, all)
			got, want, err := c.step(table, all)
			if err != nil {
				return sc, nil, err
			}
			c.stats.count(all, want)
			if !c.same(got, want) {
				return sc, &difference{i, all, got, want}, nil
			}
		}
	}
	return sc, nil, nil
}

// replay runs a script in a new table and returns its first difference.
func (c *comparison) replay(sc script) (*difference, error) {
	table, err := c.setUp(sc.s)
	if err != nil {
		return nil, err
	}
	defer c.tearDown(sc.s, table)
	for i, st := range sc.stmts {
		got, want, err := c.step(table, st)
		if err != nil {
			return nil, err
		}
		if !c.same(got, want) {
			return &difference{i, st, got, want}, nil
		}
	}
	return nil, nil
}

// shrink drops statements as long as something differs.
func (c *comparison) shrink(sc script, d *difference) (script, *difference) {
	end := time.Now().Add(20 * time.Second)
	for size := max(len(sc.stmts)/2, 1); size > 0 && time.Now().Before(end); size /= 2 {
		for at := 0; at < len(sc.stmts) && time.Now().Before(end); {
			less := script{s: sc.s, stmts: slices.Concat(sc.stmts[:at], sc.stmts[min(at+size, len(sc.stmts)):])}
			if nd, err := c.replay(less); err == nil && nd != nil {
				less.stmts = less.stmts[:nd.at+1]
				sc, d = less, nd
				continue
			}
			at += size
		}
	}
	return sc, d
}

// report shrinks a failing case and prints it.
func (c *comparison) report(t *testing.T, seed uint64, sc script, d *difference) {
	small, sd := c.shrink(sc, d)
	var b strings.Builder
	for _, text := range sc.s.ddl() {
		fmt.Fprintf(&b, "  %s\n", text)
	}
	for _, st := range small.stmts {
		fmt.Fprintf(&b, "  %s\n", st)
	}
	if sd == nil {
		sd = d
	}
	t.Errorf("seed %d (repeat with -seed %d -statements 1), shrunk from %d statements to:\n%s%s", seed, seed, len(sc.stmts), b.String(), sd)
}
