package differential

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var (
	statements = flag.Int("statements", 3000, "statements of the differential test")
	seedFlag   = flag.Uint64("seed", 0, "seed of the differential test; 0 takes one from the clock")
	workers    = flag.Int("workers", 4, "cases of the differential test that run side by side")
	failures   = flag.Int("failures", 1, "failing cases after which the differential test ends")
	texts      = flag.Bool("texts", false, "list the error texts that differ")
)

// caseLength is how many statements a case has.
const caseLength = 120

type pipeHosts struct{ l *pipe.Listener }

func (d pipeHosts) DialHost(ctx context.Context, _ *gocql.HostInfo) (*gocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: c, DisableCoalesce: true}, nil
}

// engineSession starts an engine in memory and connects to it as to a server.
func engineSession(t testing.TB, keyspace string) *gocql.Session {
	t.Helper()
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9042}
	e, err := engine.Open(engine.Options{
		Dialect: parse.Cassandra, Ephemeral: true, Log: slog.New(slog.DiscardHandler),
		Node: systables.Node{Address: addr.IP, Port: addr.Port},
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(e, server.Options{Personality: server.Cassandra})
	if err != nil {
		t.Fatal(err)
	}
	l := pipe.Listen(addr)
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l, nil) })
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("closing the server: %v", err)
		}
		serving.Wait()
		if err := e.Close(); err != nil {
			t.Errorf("closing the engine: %v", err)
		}
	})
	cluster := gocql.NewCluster("127.0.0.1")
	cluster.HostDialer = pipeHosts{l}
	cluster.ProtoVersion, cluster.Timeout, cluster.ConnectTimeout = 4, 30*time.Second, 10*time.Second
	cluster.WriteCoalesceWaitTime = 0
	cluster.ReconnectInterval = 0
	session, err := cluster.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Query(`CREATE KEYSPACE ` + keyspace + ` WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`).Exec(); err != nil {
		t.Fatal(err)
	}
	session.Close()
	cluster.Keyspace = keyspace
	if session, err = cluster.CreateSession(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

// comparison runs cases against both sides.
type comparison struct {
	engine, real *side
	tables       atomic.Int64
	stats        stats
	mu           sync.Mutex
	textDiffs    map[string]int
}

// stats count what was compared.
type stats struct {
	all, applied, refused, collection, ttl, multiPage, errors atomic.Int64
}

func (s *stats) String() string {
	n := max(s.all.Load(), 1)
	share := func(v *atomic.Int64) string { return fmt.Sprintf("%d (%d %%)", v.Load(), 100*v.Load()/n) }
	return fmt.Sprintf("%d statements: conditional and applied %s, refused %s, on collections %s, with TTL %s, multi-page reads %s, errors %s",
		n, share(&s.applied), share(&s.refused), share(&s.collection), share(&s.ttl), share(&s.multiPage), share(&s.errors))
}

// count takes in one answer.
func (s *stats) count(st stmt, o outcome) {
	s.all.Add(1)
	cond, applied := o.applied()
	for _, x := range []struct {
		is bool
		n  *atomic.Int64
	}{
		{cond && applied, &s.applied}, {cond && !applied, &s.refused}, {st.collection, &s.collection},
		{st.ttl, &s.ttl}, {o.pages > 1, &s.multiPage}, {o.code != 0, &s.errors},
	} {
		if x.is {
			x.n.Add(1)
		}
	}
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
			if o, err := side.run(table, stmt{text: text}); err != nil || o.code != 0 {
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
	if got, err = c.engine.run(table, st); err != nil {
		return got, want, fmt.Errorf("engine: %s: %w", st, err)
	}
	return got, want, nil
}

// same compares two answers. Times to live may be some seconds apart.
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
	return d >= -4 && d <= 4
}

// generate runs a new case and returns it with its first difference.
func (c *comparison) generate(ctx context.Context, seed uint64) (script, *difference, error) {
	r := rand.New(rand.NewPCG(seed, 17))
	sc := script{s: newSchema(r)}
	table, err := c.setUp(sc.s)
	if err != nil {
		return sc, nil, err
	}
	defer c.tearDown(sc.s, table)
	g := &generator{r: r, s: sc.s}
	short, waitAt := r.IntN(8) == 0, caseLength*3/4
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
		if !st.read && !fleeting && i%6 == 5 || i == caseLength-1 {
			// What the writes left, all of it.
			all := stmt{text: "SELECT * FROM %T", page: 3, read: true}
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

func TestEngineAgreesWithCassandra(t *testing.T) {
	node := cassandratest.Start(t)
	// One name for both: user-defined types carry it.
	keyspace := node.Keyspace(t)
	c := &comparison{
		engine:    &side{"engine", engineSession(t, keyspace)},
		real:      &side{"cassandra", node.Session(t, keyspace)},
		textDiffs: map[string]int{},
	}
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	want := int64(*statements)
	if testing.Short() {
		want = min(want, 600)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var next atomic.Uint64
	next.Store(seed)
	var wg sync.WaitGroup
	var failing sync.Mutex
	var failed atomic.Int64
	for range *workers {
		wg.Go(func() {
			for c.stats.all.Load() < want && ctx.Err() == nil {
				seed := next.Add(1) - 1
				sc, d, err := c.generate(ctx, seed)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
					cancel()
					return
				}
				if d == nil {
					continue
				}
				if failed.Add(1) >= int64(*failures) {
					cancel()
				}
				failing.Lock()
				c.report(t, seed, sc, d)
				failing.Unlock()
			}
		})
	}
	wg.Wait()
	t.Log(c.stats.String())
	if *texts {
		for pair, n := range c.textDiffs {
			t.Logf("error text differs, %d times:\n           %s", n, pair)
		}
	}
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
	t.Errorf("seed %d, shrunk from %d statements to:\n%s%s", seed, len(sc.stmts), b.String(), sd)
}
