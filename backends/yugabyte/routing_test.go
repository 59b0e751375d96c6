package yugabyte_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

const (
	n1, n2, n3 = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	kvTable    = `CREATE TABLE ks.kv (p bigint, c bigint, t text, PRIMARY KEY ((p), c)) WITH transactions = {'enabled': true} AND tablets = 8`
	otherTable = `CREATE TABLE ks.other (p bigint PRIMARY KEY, t text) WITH transactions = {'enabled': true} AND tablets = 1`
)

// served runs f until it has gone the way that want says, and fails if it does
// not within a minute: what the session knows of the cluster it learns beside
// its work.
func (c *cluster) served(t *testing.T, f func(), want ...string) {
	t.Helper()
	eventually(t, "requests reach "+fmt.Sprint(want), func() error {
		before := c.requests()
		for range 3 {
			f()
		}
		got := map[string]int64{}
		for a, n := range c.requests() {
			if n > before[a] {
				got[a] = n - before[a]
			}
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
			return fmt.Errorf("they reached %v", got)
		}
		return nil
	})
}

func TestStatementsGoToTheLeaderOfTheirTablet(t *testing.T) {
	c := startCluster(t, n1, n2, n3)
	c.create(`CREATE KEYSPACE ks`, kvTable, otherTable)
	leaders := []string{n1, n2, n3}
	c.set(func() {
		c.leader = func(table string, start uint16) string {
			if table == "other" {
				return n3
			}
			return leaders[int(start/0x2000)%3]
		}
	})
	s := open(t, c.opener(t, nil))
	var (
		insert = statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
		cas    = statement(`UPDATE kv SET t = ? WHERE c = ? AND p = ? IF t = ?`)
		read   = statement(`SELECT t FROM kv WHERE p = ?`)
		block  = statement("BEGIN TRANSACTION\n  UPDATE other SET t = ? WHERE p = ? IF t = ? ELSE ERROR;\n  INSERT INTO kv (p, c, t) VALUES (?, ?, ?);\nEND TRANSACTION;")
		keyed  = statement(`SELECT t FROM kv WHERE p = ? AND c = 1`)
	)
	keyed.KeyArgs = []int{0}
	exec(t, s, single(`INSERT INTO other (p, t) VALUES (?, ?)`, int64(1), "x"))
	one := func(st *cql.Statement, args ...any) func() {
		return func() {
			exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: st, Args: args}}})
		}
	}
	for p := range int64(6) {
		// The server itself says what the hash is.
		exec(t, s, single(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`, p, int64(0), "x"))
		leader := leaders[hashOf(t, s, `SELECT partition_hash(p) FROM kv WHERE p = ?`, p)/0x2000%3]
		c.served(t, one(insert, p, int64(1), "a"), leader)
		c.served(t, one(cas, "a", int64(1), p, "a"), leader)
		c.served(t, one(keyed, p), leader)
		c.served(t, func() {
			rows, err := s.Query(t.Context(), cql.Call{Statement: read, Args: []any{p}}, cql.Page{})
			if err != nil || rows.Close() != nil {
				t.Fatal(err)
			}
		}, leader)
		c.served(t, func() {
			exec(t, s, cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
				{Statement: insert, Args: []any{p, int64(2), "b"}}, {Statement: insert, Args: []any{p, int64(3), "b"}},
			}})
		}, leader)
		c.served(t, one(block, "x", int64(1), "x", p, int64(4), "c"), n3)
	}
	// Who leads changes: the session follows.
	c.set(func() { c.leader = func(string, uint16) string { return n2 } })
	s2 := open(t, c.opener(t, map[string]any{"partitionRefresh": "50ms"}))
	c.set(func() { c.leader = func(string, uint16) string { return n1 } })
	c.served(t, func() {
		exec(t, s2, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), int64(1), "a"}}}})
	}, n1)
}

// hashOf is the first column of the first row of a query.
func hashOf(t *testing.T, s cql.Session, text string, args ...any) int64 {
	t.Helper()
	rows, err := s.Query(t.Context(), call(text, args...), cql.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var hash int64
	if !rows.Scan(&hash) {
		t.Fatalf("no row: %v", rows.Close())
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return hash
}

// Two clusters of one process whose tables have the same names and other leaders.
func TestTwoClustersOfOneProcessDoNotMix(t *testing.T) {
	insert := statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
	write := func(s cql.Session) func() {
		return func() {
			exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), int64(1), "a"}}}})
		}
	}
	a, b := startCluster(t, n1, n2, n3), startCluster(t, n1, n2, n3)
	a.create(`CREATE KEYSPACE ks`, kvTable)
	b.create(`CREATE KEYSPACE ks`, kvTable)
	a.set(func() { a.leader = func(string, uint16) string { return n2 } })
	b.set(func() { b.leader = func(string, uint16) string { return n3 } })
	sa, sb := open(t, a.opener(t, nil)), open(t, b.opener(t, nil))
	for range 3 {
		a.served(t, write(sa), n2)
		b.served(t, write(sb), n3)
	}
	// A third session, opened and closed, overwrites the driver's own map.
	sa2 := open(t, a.opener(t, nil))
	a.served(t, write(sa2), n2)
	if err := sa2.Close(); err != nil {
		t.Fatal(err)
	}
	b.served(t, write(sb), n3)
	a.served(t, write(sa), n2)
}

func TestHostSelection(t *testing.T) {
	insert := statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
	tests := []struct {
		name string
		more map[string]any
		want []string
	}{
		{"partition-aware", nil, []string{n3}},
		{"round-robin", map[string]any{"hostSelection": "round-robin"}, []string{n1, n2, n3}},
		{"dc-aware goes to the leader wherever it is", map[string]any{"hostSelection": "dc-aware", "datacenter": "dc2"}, []string{n3}},
		{"datacenter is the only one that is asked", map[string]any{"datacenter": "dc2"}, []string{n2}},
		{"only the hosts that are named", map[string]any{"disableInitialHostLookup": true, "hosts": n1, "hostSelection": "round-robin"}, []string{n1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := startCluster(t, n1, n2, n3)
			c.create(`CREATE KEYSPACE ks`, kvTable)
			c.set(func() { c.leader = func(string, uint16) string { return n3 } })
			s := open(t, c.opener(t, tt.more))
			c.served(t, func() {
				exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), int64(1), "a"}}}})
			}, tt.want...)
		})
	}
	t.Run("dc-aware sends what has no partition to the datacenter", func(t *testing.T) {
		c := startCluster(t, n1, n2, n3)
		c.create(`CREATE KEYSPACE ks`, kvTable)
		s := open(t, c.opener(t, map[string]any{"hostSelection": "dc-aware", "datacenter": "dc2"}))
		c.served(t, func() { texts(t, s, `SELECT t FROM kv`) }, n2)
	})
}

// Tables that are made after the map was read are found; they cost no query for
// each statement.
func TestNewTablesAreFound(t *testing.T) {
	c := startCluster(t, n1, n2)
	c.create(`CREATE KEYSPACE ks`)
	c.set(func() { c.leader = func(string, uint16) string { return n2 } })
	reads := 0
	c.set(func() {
		c.answer = func(_, text string) (*server.Result, error) {
			if strings.Contains(text, "system.partitions WHERE") { // the driver asks for all keyspaces
				c.set(func() { reads++ })
			}
			return nil, nil
		}
	})
	s := open(t, c.opener(t, nil))
	before := 0
	c.set(func() { before = reads })
	c.create(kvTable)
	insert := statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
	for i := range int64(100) {
		exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), i, "a"}}}})
	}
	c.served(t, func() {
		exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), int64(1), "a"}}}})
	}, n2)
	c.set(func() {
		if reads == before || reads-before > 5 {
			t.Errorf("the map was read %d times for a new table", reads-before)
		}
	})
}

// The hash is the server's for every type of key column that plans have.
func TestPartitionHash(t *testing.T) {
	c := startCluster(t, n1)
	types := map[string][]any{
		"bigint": {int64(0), int64(-1), int64(1) << 40}, "int": {int64(7), int64(-7)}, "smallint": {int64(-300)}, "tinyint": {int64(5)},
		"text": {"", "a", "a text that is longer than twenty-four bytes"}, "blob": {[]byte{1, 2, 3}}, "boolean": {true, false},
		"uuid": {[16]byte{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89}}, "timestamp": {int64(1700000000123), int64(0)}, "inet": {"10.1.2.3", "::1"},
	}
	c.create(`CREATE KEYSPACE ks`)
	for name := range types {
		c.create(fmt.Sprintf(`CREATE TABLE ks.t_%s (k %s, l bigint, c bigint, PRIMARY KEY ((k, l), c)) WITH tablets = 64`, name, name))
	}
	s := open(t, c.opener(t, nil))
	for name, keys := range types {
		for _, key := range keys {
			t.Run(name+" "+fmt.Sprint(key), func(t *testing.T) {
				text := `SELECT partition_hash(k, l) FROM t_` + name + ` WHERE k = ? AND l = ?`
				exec(t, s, single(`INSERT INTO t_`+name+` (k, l, c) VALUES (?, ?, ?)`, key, int64(9), int64(1)))
				want := hashOf(t, s, text, key, int64(9))
				st := statement(text)
				args := []any{key, int64(9)}
				if rows, err := s.Query(t.Context(), cql.Call{Statement: st, Args: args}, cql.Page{}); err != nil || rows.Close() != nil {
					t.Fatal(err)
				}
				if got, ok := yugabyte.HashOf(s, cql.Call{Statement: st, Args: args}); !ok || int64(got) != want {
					t.Fatalf("hash = %d, %v, the server's is %d", got, ok, want)
				}
			})
		}
	}
}

// A text is prepared where it is sent, and nowhere else to find out where that is.
func TestRoutingPreparesNothing(t *testing.T) {
	c := startCluster(t, n1, n2, n3)
	c.create(`CREATE KEYSPACE ks`, kvTable)
	s := open(t, c.opener(t, nil))
	insert := statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
	for i := range int64(20) {
		exec(t, s, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{int64(1), i, "a"}}}})
	}
	// Once in turn, when the key is not known yet, then on the leader.
	c.set(func() {
		if n := c.texts[insert.Text]; n < 1 || n > 2 {
			t.Errorf("one text was prepared %d times", n)
		}
	})
}
