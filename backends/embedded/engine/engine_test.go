package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func TestReopenKeepsSchemaRowsAndIndexes(t *testing.T) {
	o := Options{Dialect: parse.Cassandra, Dir: t.TempDir()}
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t, e}
	s.must("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	s.must("CREATE TYPE pair (a int, b text)")
	s.must("CREATE TABLE t (k int, c int, v int, m map<int, frozen<pair>>, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)")
	s.must("CREATE INDEX vi ON t (v)")
	s.must("INSERT INTO t (k, c, v, m) VALUES (1, 1, 5, {1: {a: 1, b: 'x'}})")
	s.must("INSERT INTO t (k, c, v) VALUES (1, 2, 6)")
	version, host := e.Schema().Version, e.System().Rows(e.System().Table("system", "local"), e.Schema())
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dialect: parse.YCQL, Dir: o.Dir}); err == nil {
		t.Fatal("a directory of the cassandra dialect opened as ycql")
	}
	s = openTest(t, o)
	if s.e.Schema().Version != version {
		t.Error("the schema version changed")
	}
	local := s.e.System().Table("system", "local")
	id := local.Column("host_id").Index
	if got := s.e.System().Rows(local, s.e.Schema()); string(got[0][id]) != string(host[0][id]) {
		t.Error("the host id changed")
	}
	if res := s.must("SELECT c FROM t WHERE k = 1"); res.RowCount() != 2 || string(res.Cells[0]) != string(int4(2)) {
		t.Errorf("rows %x, want 2 then 1", res.Cells)
	}
	if res := s.must("SELECT k FROM t WHERE v = 5"); res.RowCount() != 1 {
		t.Errorf("%d rows by index, want 1", res.RowCount())
	}
	if res := s.must("SELECT m FROM t WHERE k = 1 AND c = 1"); res.Columns[0].Type.String() != "map<int, frozen<pair>>" || len(res.Cells[0]) == 0 {
		t.Errorf("column %s: %x", res.Columns[0].Type, res.Cells[0])
	}
}

// A partition lies between its hash and itself, whatever the hash.
func TestBoundsOfPartitionHash(t *testing.T) {
	s := openSchema(t, parse.YCQL, "CREATE TABLE t (k int PRIMARY KEY, v int)")
	for k := range int32(64) {
		s.must("INSERT INTO t (k, v) VALUES (?, 0)", k)
		hash := int32(binary.BigEndian.Uint32(s.must("SELECT partition_hash(k) FROM t WHERE k = ?", k).Cells[0]))
		for _, q := range []struct {
			where string
			args  []any
		}{
			{"partition_hash(k) >= ? AND partition_hash(k) <= ?", []any{hash, hash}},
			{"partition_hash(k) > ? AND partition_hash(k) < ?", []any{hash - 1, hash + 1}},
			{"partition_hash(k) = ?", []any{hash}},
		} {
			if res := s.must("SELECT k FROM t WHERE "+q.where, q.args...); res.RowCount() != 1 || string(res.Cells[0]) != string(int4(k)) {
				t.Errorf("hash %d of %d: %s finds %x", hash, k, q.where, res.Cells)
			}
		}
		for _, q := range []struct {
			where string
			hash  int32
		}{{"partition_hash(k) < ?", hash}, {"partition_hash(k) > ?", hash}, {"partition_hash(k) <= ?", hash - 1}, {"partition_hash(k) >= ?", hash + 1}} {
			res := s.must("SELECT k FROM t WHERE "+q.where, q.hash)
			for _, cell := range res.Cells {
				if string(cell) == string(int4(k)) {
					t.Errorf("hash %d of %d: %s %d finds it", hash, k, q.where, q.hash)
				}
			}
		}
	}
}

func TestAlteredTableIsUnprepared(t *testing.T) {
	s := openSchema(t, parse.Cassandra, "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TABLE u (k int PRIMARY KEY, v int)")
	p, other := s.prepare("SELECT * FROM t WHERE k = ?"), s.prepare("SELECT * FROM u WHERE k = ?")
	s.must("ALTER TABLE t ADD w int")
	_, err := s.e.Execute(t.Context(), p, &server.Params{Values: bindAll(int32(1))})
	var w *wire.Error
	if !errors.As(err, &w) || w.Code != wire.CodeUnprepared {
		t.Fatalf("error %v, want UNPREPARED", err)
	}
	if _, err := s.e.Execute(t.Context(), other, &server.Params{Values: bindAll(int32(1))}); err != nil {
		t.Fatalf("a statement on a table that was not altered: %v", err)
	}
}

// clock is a wall clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestExpiry(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	s := openTest(t, Options{Dialect: parse.Cassandra, Ephemeral: true, Storage: storage.Options{Now: c.Now, Sweep: -1}})
	s.must("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	s.must("CREATE TABLE t (k int PRIMARY KEY, v int, m map<int, int>)")
	s.must("INSERT INTO t (k, v) VALUES (1, 1) USING TTL 10")
	s.must("INSERT INTO t (k, v) VALUES (2, 1)")
	s.must("UPDATE t USING TTL 10 SET v = 2, m[1] = 1 WHERE k = 2")
	s.must("UPDATE t USING TTL 10 SET v = 2 WHERE k = 3")
	c.add(4 * time.Second)
	if res := s.must("SELECT ttl(v) FROM t WHERE k = 1"); string(res.Cells[0]) != string(int4(6)) {
		t.Errorf("TTL %x, want 6", res.Cells[0])
	}
	c.add(6 * time.Second)
	for k, want := range map[int32]int{1: 0, 2: 1, 3: 0} {
		if res := s.must("SELECT v, m FROM t WHERE k = ?", k); res.RowCount() != want {
			t.Errorf("%d rows for key %d, want %d", res.RowCount(), k, want)
		} else if want == 1 && (res.Cells[0] != nil || res.Cells[1] != nil) {
			t.Errorf("key %d: %x, want nulls", k, res.Cells)
		}
	}
	// Trap 36: the row that was inserted without a TTL stays, empty, and refuses.
	for k, want := range map[int32]bool{1: true, 2: false, 3: true} {
		if got := applied(s.must("INSERT INTO t (k) VALUES (?) IF NOT EXISTS", k)); got != want {
			t.Errorf("IF NOT EXISTS on key %d: %v, want %v", k, got, want)
		}
	}
}

// YCQL's ttl() is a bigint where Cassandra's is an int.
func TestRemainingLifeOfYCQL(t *testing.T) {
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	s := openTest(t, Options{Dialect: parse.YCQL, Ephemeral: true, Storage: storage.Options{Now: c.Now, Sweep: -1}})
	s.must("CREATE KEYSPACE ks")
	s.must("CREATE TABLE t (k int PRIMARY KEY, v int)")
	s.must("INSERT INTO t (k, v) VALUES (1, 1) USING TTL 10")
	c.add(4 * time.Second)
	if res := s.must("SELECT ttl(v) FROM t WHERE k = 1"); string(res.Cells[0]) != string(bigint(6)) {
		t.Errorf("ttl() %x, want 6 in 8 bytes", res.Cells[0])
	}
}

// Concurrent compare-and-set: every increment that was applied counts, none twice.
func TestCountersByConditions(t *testing.T) {
	const workers, each = 8, 40
	for _, d := range []parse.Dialect{parse.Cassandra, parse.YCQL} {
		t.Run(d.String(), func(t *testing.T) {
			s := openSchema(t, d, "CREATE TABLE t (k int PRIMARY KEY, v int)"+map[parse.Dialect]string{parse.YCQL: " WITH transactions = {'enabled': true}"}[d])
			s.must("INSERT INTO t (k, v) VALUES (1, 0)")
			get := s.prepare("SELECT v FROM t WHERE k = 1")
			set := s.prepare("UPDATE t SET v = ? WHERE k = 1 IF v = ?")
			var wg sync.WaitGroup
			for range workers {
				wg.Go(func() {
					for done := 0; done < each; {
						v := int32(wholeNumber(s.execute(get).Cells[0]))
						if applied(s.execute(set, v+1, v)) {
							done++
						}
					}
				})
			}
			wg.Wait()
			if got := wholeNumber(s.must("SELECT v FROM t WHERE k = 1").Cells[0]); got != workers*each {
				t.Errorf("counted %d, want %d", got, workers*each)
			}
		})
	}
}

// Transfers between partitions in blocks keep the sum, also as seen by readers of
// one partition at a time between them.
func TestTransfersInBlocks(t *testing.T) {
	const accounts, workers, each = 6, 6, 60
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := openSchema(t, parse.YCQL, "CREATE TABLE t (k int PRIMARY KEY, v int) WITH transactions = {'enabled': true}")
	for k := range int32(accounts) {
		s.must("INSERT INTO t (k, v) VALUES (?, 100)", k)
	}
	move := s.prepare("BEGIN TRANSACTION UPDATE t SET v = ? WHERE k = ? IF v = ? ELSE ERROR; UPDATE t SET v = ? WHERE k = ? IF v = ? ELSE ERROR; END TRANSACTION;")
	get := s.prepare("SELECT v FROM t WHERE k = ?")
	var wg sync.WaitGroup
	for w := range workers {
		rng := rand.New(rand.NewPCG(seed, uint64(w)))
		wg.Go(func() {
			for done := 0; done < each; {
				from := rng.Int32N(accounts)
				to := (from + 1 + rng.Int32N(accounts-1)) % accounts
				a, b := int32(wholeNumber(s.execute(get, from).Cells[0])), int32(wholeNumber(s.execute(get, to).Cells[0]))
				_, err := s.e.Execute(t.Context(), move, &server.Params{Values: bindAll(a-1, from, a, b+1, to, b)})
				var we *wire.Error
				switch {
				case err == nil:
					done++
				case !errors.As(err, &we) || we.Code != wire.CodeInvalid:
					t.Errorf("block: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := wholeNumber(s.must("SELECT sum(v) FROM t").Cells[0]); got != accounts*100 {
		t.Errorf("the sum is %d, want %d", got, accounts*100)
	}
}

// Schema changes run beside statements without either being lost or half seen.
func TestSchemaChangesBesideWrites(t *testing.T) {
	s := openSchema(t, parse.Cassandra, "CREATE TABLE t (k int PRIMARY KEY, v int)")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := int32(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.query("INSERT INTO t (k, v) VALUES (?, ?)", int32(w), i); err != nil {
					t.Errorf("insert: %v", err)
					return
				}
				if _, err := s.query("SELECT * FROM t"); err != nil {
					t.Errorf("select: %v", err)
					return
				}
			}
		})
	}
	for i := range 10 {
		s.must(fmt.Sprintf("ALTER TABLE t ADD c%d int", i))
		s.must(fmt.Sprintf("CREATE TABLE x%d (k int PRIMARY KEY)", i))
		if i%3 == 0 {
			s.must("CREATE INDEX IF NOT EXISTS vi ON t (v)")
		} else {
			s.must("DROP INDEX IF EXISTS vi")
		}
	}
	close(stop)
	wg.Wait()
}

func TestPinnedReadsSeeTheirState(t *testing.T) {
	s := openSchema(t, parse.YCQL, "CREATE TABLE t (k int PRIMARY KEY, v int)")
	s.must("INSERT INTO t (k, v) VALUES (1, 1)")
	state, release := s.e.Pin()
	s.must("INSERT INTO t (k, v) VALUES (1, 2)")
	s.must("INSERT INTO t (k, v) VALUES (2, 2)")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, text := range []string{"SELECT v FROM t WHERE k = 1", "SELECT v FROM t"} {
				res, err := s.e.Query(t.Context(), "ks", text, &server.Params{Pinned: state})
				if err != nil || res.RowCount() != 1 || string(res.Cells[0]) != string(int4(1)) {
					t.Errorf("%s: %v, %v, want the row as it was", text, res, err)
				}
			}
		})
	}
	wg.Wait()
	release()
	if res := s.must("SELECT v FROM t"); res.RowCount() != 2 {
		t.Errorf("%d rows, want 2", res.RowCount())
	}
}

// A paging state may be anything: it is refused, or it chooses a place in the
// statement's own table.
func FuzzPagingState(f *testing.F) {
	s := openSchema(f, parse.Cassandra, "CREATE TABLE t (k int, c text, v int, PRIMARY KEY (k, c))")
	for i := range int32(5) {
		s.must("INSERT INTO t (k, c, v) VALUES (1, ?, ?)", fmt.Sprint(i), i)
	}
	one, all := s.prepare("SELECT c FROM t WHERE k = 1 LIMIT 4"), s.prepare("SELECT c FROM t")
	for _, p := range []*server.Prepared{one, all} {
		res, err := s.e.Execute(f.Context(), p, &server.Params{PageSize: 2})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(res.PagingState)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		for _, p := range []*server.Prepared{one, all} {
			res, err := s.e.Execute(t.Context(), p, &server.Params{PageSize: 2, PagingState: state})
			if err == nil && res.RowCount() > 2 {
				t.Fatalf("%d rows on a page of 2", res.RowCount())
			}
		}
	})
}

// Whatever a text is, preparing it ends in a plan or an error.
func FuzzPrepare(f *testing.F) {
	cassandra := openSchema(f, parse.Cassandra, "CREATE TABLE t (k int, c int, s int STATIC, v int, w text, m map<int, text>, l list<int>, PRIMARY KEY (k, c))")
	ycql := openSchema(f, parse.YCQL, "CREATE TABLE t (k int, c int, s int STATIC, v int, w text, m map<int, text>, l list<int>, PRIMARY KEY ((k), c)) WITH transactions = {'enabled': true}")
	for _, text := range []string{
		"SELECT k, c, count(*), token(k), m[1], writetime(v), cast(v AS text) FROM t WHERE k IN (1, ?) AND (c) > (1) AND v = 2 ORDER BY c DESC LIMIT 3 ALLOW FILTERING",
		"UPDATE t USING TTL ? SET m[?] = ?, l = [1] + l, v = v + 1, s = ? WHERE k = 1 AND c = ? IF m[1] = 'a' AND v IN ? AND s > 1",
		"DELETE m[1], v FROM t USING TIMESTAMP 5 WHERE k = 1 AND (c) >= (?) IF EXISTS",
		"BEGIN TRANSACTION INSERT INTO t (k, c) VALUES (1, 1) IF NOT EXISTS OR NOT (v = 1) ELSE ERROR; END TRANSACTION;",
		"BEGIN BATCH INSERT INTO t (k, s) VALUES (1, {1: 2}) APPLY BATCH",
		"CREATE TABLE x (k frozen<map<int, tuple<int, text>>> PRIMARY KEY) WITH compaction = {'class': 'x'}",
		"SELECT partition_hash(k), intAsBlob(c), now() FROM t WHERE partition_hash(k) > 1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []*session{cassandra, ycql} {
			p, err := s.e.Prepare(t.Context(), "ks", text)
			if err != nil {
				continue
			}
			for i, b := range p.Binds {
				if b.Type == nil {
					t.Fatalf("marker %d of %q has no type", i, text)
				}
			}
		}
	})
}
