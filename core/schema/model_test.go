package schema

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"

	"go.temporal.io/server/common/persistence"
	stockschema "go.temporal.io/server/schema"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// The versions of stock's schema, one after the other, make what stock's own
// file of the whole says.
func TestVersionsMakeStocksWholeSchema(t *testing.T) {
	whole := newModel()
	f, err := stockschema.Assets().Open("cassandra/temporal/schema.cql")
	if err != nil {
		t.Fatal(err)
	}
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{f})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range append(statements, versionTables...) {
		if err := whole.apply(statement); err != nil {
			t.Fatal(err)
		}
	}
	implied, err := Cassandra().Implied()
	if err != nil {
		t.Fatal(err)
	}
	// Upstream's file of the whole forgets a table that its versions make and
	// never drop; keyspaces have it.
	if d := Diff(implied, whole); fmt.Sprint(d) != "[+ table cluster_metadata is not part of the schema (table)]" {
		t.Fatalf("they differ: %v", d)
	}
	executions := implied.Tables["executions"]
	if c := executions.Columns["chasm_node_map"]; c.Type != "map<text, blob>" || c.Kind != "regular" {
		t.Errorf("executions.chasm_node_map = %+v", c)
	}
	if c := implied.Tables["history_node"].Columns["txn_id"]; c.Kind != "clustering" || c.Position != 2 || c.Order != "desc" {
		t.Errorf("history_node.txn_id = %+v", c)
	}
	if len(implied.Tables) < 15 || implied.Types["serialized_event_batch"] == "" || implied.Indexes["cm_lastheartbeat_idx"] != "cluster_membership" {
		t.Errorf("tables %v, types %v, indexes %v", sorted(implied.Tables), implied.Types, implied.Indexes)
	}
}

func TestApply(t *testing.T) {
	tests := []struct {
		name string
		give []string
		want string // of what the model lacks or has more than nothing
	}{
		{
			"keys of every form",
			[]string{`CREATE TABLE a (x int PRIMARY KEY, "Y" varchar) -- ; '`, `create table if not exists b (p int, q text, c uuid, d frozen<map<text, list<blob>>>, PRIMARY KEY ((p, q), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it (is); ''one'''`},
			"+a +b a.x=int, part 1 of the partition key a.Y=text, regular b.c=uuid, clustering column 1 desc b.d=frozen<map<text, list<blob>>>, clustering column 2 asc b.p=int, part 1 of the partition key b.q=text, part 2 of the partition key",
		},
		{
			"columns come and go",
			[]string{`CREATE TABLE a (x int PRIMARY KEY, y int)`, `ALTER TABLE a ADD z set<text>`, `ALTER TABLE a DROP y`, `ALTER TABLE a ADD (v int, w int)`, `ALTER TABLE a DROP (v)`, `ALTER TABLE a WITH comment = 'x'`},
			"+a a.w=int, regular a.x=int, part 1 of the partition key a.z=set<text>, regular",
		},
		{"what is dropped is gone", []string{`CREATE TABLE a (x int PRIMARY KEY)`, `CREATE TYPE t (f int)`, `CREATE INDEX i ON a (x)`, `DROP INDEX i`, `DROP TYPE IF EXISTS t`, `DROP TABLE a`, `INSERT INTO z (a) VALUES (1)`}, ""},
		{"static columns", []string{`CREATE TABLE a (x int, y int, s int static, PRIMARY KEY (x, y))`}, "+a a.s=int, static a.x=int, part 1 of the partition key a.y=int, clustering column 1 asc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel()
			for _, statement := range tt.give {
				if err := m.apply(statement); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, name := range sorted(m.Tables) {
				got = append(got, "+"+name)
			}
			for _, name := range sorted(m.Tables) {
				columns := m.Tables[name].describe()
				for _, c := range sorted(columns) {
					got = append(got, name+"."+c+"="+columns[c])
				}
			}
			want := tt.want
			if strings.Join(sortedFields(got), " ") != strings.Join(sortedFields(strings.Split(want, " ")), " ") {
				t.Fatalf("model is\n%s\nwant\n%s", strings.Join(got, " "), want)
			}
			if len(m.Types)+len(m.Indexes) != 0 {
				t.Fatalf("types %v, indexes %v", m.Types, m.Indexes)
			}
		})
	}
}

// sortedFields splits into words and sorts them, for order says nothing.
func sortedFields(list []string) []string {
	words := map[string]int{}
	for _, w := range strings.Fields(strings.Join(list, " ")) {
		words[w]++
	}
	var out []string
	for _, w := range sorted(words) {
		out = append(out, fmt.Sprint(w, words[w]))
	}
	return out
}

func TestTablesOfYCQLSayWhetherTheyHaveTransactions(t *testing.T) {
	implied, err := YCQL().Implied()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, text := range describeTables(implied) {
		got[text]++
	}
	if got["table with transactions"] < 5 || got["table without transactions"] < 5 || len(got) != 2 {
		t.Fatalf("tables: %v", got)
	}
	for name, want := range map[string]string{"shards": "true", "history_tasks": "false", "schema_version": "false"} {
		if got := implied.Tables[name].Transactions; got != want {
			t.Errorf("transactions of %s: %q, want %q", name, got, want)
		}
	}
	if c := implied.Tables["history_node"].Columns["txn_id"]; c.Kind != "clustering" || c.Order != "desc" {
		t.Errorf("history_node.txn_id = %+v", c)
	}
}

// A keyspace that an update of a set left anywhere on its way is of that set.
func TestKeyspacesOfOtherSetsAreRecognised(t *testing.T) {
	for _, set := range sets() {
		names, err := set.versions()
		if err != nil {
			t.Fatal(err)
		}
		is := newModel()
		for _, name := range names {
			statements, err := set.statements(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, statement := range statements {
				if err := is.apply(statement); err != nil {
					t.Fatal(err)
				}
				if other, ok := set.foreign(is); ok {
					t.Fatalf("a keyspace of %s after %q is taken for one of %s", set, firstWords(statement), other)
				}
			}
		}
		for _, other := range sets() {
			found, ok := other.foreign(is)
			if want := other.Dialect != set.Dialect; ok != want || ok && found.Dialect != set.Dialect {
				t.Errorf("for %s a keyspace of %s is %s, %v", other, set, found, ok)
			}
		}
	}
	if other, ok := YCQL().foreign(newModel()); ok {
		t.Errorf("an empty keyspace is taken for one of %s", other)
	}
}

func TestErrorsOfWhatIsThereAlready(t *testing.T) {
	const exists, missing = "already exists: ", "not found: "
	tests := []struct {
		name string
		set  Set
		give cql.Error
		want string // before the error's own text
	}{
		{"a table of Cassandra", Cassandra(), cql.Error{Code: cql.CodeAlreadyExists, Message: "Cannot add already existing table"}, exists},
		{"a column of Cassandra", Cassandra(), cql.Error{Code: cql.CodeInvalid, Message: "Invalid column name x because it conflicts with an existing column"}, exists},
		{"no table of Cassandra", Cassandra(), cql.Error{Code: cql.CodeInvalid, Message: "unconfigured table x"}, missing},
		{"another fault of Cassandra", Cassandra(), cql.Error{Code: cql.CodeInvalid, Message: "Duplicate Object. x"}, ""},
		{"a table of YCQL", YCQL(), cql.Error{Code: cql.CodeInvalid, Message: "Duplicate Object. Object 'ks.x' already exists\nCREATE TABLE x\n ^^^^\n (ql error -202)"}, exists},
		{"a column of YCQL", YCQL(), cql.Error{Code: cql.CodeInvalid, Message: "Duplicate Column. Invalid column name because it conflicts with the existing column: x\nALTER TABLE\n (ql error -204)"}, exists},
		{"a keyspace of YCQL", YCQL(), cql.Error{Code: cql.CodeInvalid, Message: "Keyspace Already Exists. x\n (ql error -307)"}, exists},
		{"no table of YCQL", YCQL(), cql.Error{Code: cql.CodeInvalid, Message: "Object Not Found\nDROP TABLE x\n (ql error -301)"}, missing},
		{"another fault of YCQL", YCQL(), cql.Error{Code: cql.CodeInvalid, Message: "Invalid Table Property. x\n-- duplicate object\n (ql error -210)"}, ""},
		{"a fault of the server", YCQL(), cql.Error{Code: cql.CodeServer, Message: "Duplicate Object"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.give.Reach = cql.Replied
			if got, want := tt.set.server.tolerable(&tt.give).Error(), tt.want+tt.give.Error(); got != want {
				t.Fatalf("tolerable() = %s\nwant          %s", got, want)
			}
		})
	}
}

// stubborn fails some times before it does what it should.
type stubborn struct {
	cql.Admin
	message string
	times   int
	sent    []string
}

func (s *stubborn) Exec(_ context.Context, text string, _ ...any) error {
	s.sent = append(s.sent, text)
	if len(s.sent) <= s.times {
		return &cql.Error{Reach: cql.Replied, Code: cql.CodeInvalid, Message: s.message}
	}
	return nil
}

func TestStatementsAreSentAgainUntilServersKnowTheSchema(t *testing.T) {
	const stale = "Execution Error. Query failed to execute due to stale metadata cache\nINSERT"
	tests := []struct {
		name    string
		set     Set
		message string
		times   int
		sent    int
		fails   bool
	}{
		{"it passes", YCQL(), stale, 5, 6, false},
		{"it does not pass", YCQL(), stale, 1000, 62, true},
		{"another error", YCQL(), "Invalid Arguments\nstale metadata cache", 1, 1, true},
		{"another server", Cassandra(), stale, 1, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &stubborn{message: tt.message, times: tt.times}
				d := &database{ctx: t.Context(), admin: a, keyspace: "k", set: tt.set, report: func(string) {}}
				if err := d.run("INSERT"); (err != nil) != tt.fails {
					t.Fatalf("run() = %v", err)
				}
				if len(a.sent) != tt.sent {
					t.Fatalf("sent %d times, want %d", len(a.sent), tt.sent)
				}
			})
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"what it does not know", `GRANT ALL ON x TO y`, `schema statement "GRANT ALL ON x TO": of a kind that is not known`},
		{"an alteration of nothing", `ALTER TABLE x ADD y int`, `schema statement "ALTER TABLE x ADD y": no such table`},
		{"a table without columns", `CREATE TABLE x`, `schema statement "CREATE TABLE x": a table needs columns`},
		{"columns without comma", `CREATE TABLE x (a int b int)`, `schema statement "CREATE TABLE x (a int": a comma or the end of the columns is missing`},
		{"a text without end", `CREATE TABLE x (a int) WITH comment = 'x`, `text without end: CREATE TABLE x (a int)`},
		{"a comment without end", `CREATE /* TABLE`, `comment without end: CREATE /* TABLE`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := newModel().apply(tt.give); err == nil || err.Error() != tt.want {
				t.Fatalf("apply() = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

func FuzzApply(f *testing.F) {
	for _, set := range sets() {
		names, err := set.versions()
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			statements, err := set.statements(name)
			if err != nil {
				f.Fatal(err)
			}
			for _, s := range statements {
				f.Add(s)
			}
		}
	}
	f.Add("CREATE TABLE a (a map<")
	f.Add("CREATE TABLE a (PRIMARY KEY ((")
	f.Fuzz(func(_ *testing.T, statement string) { _ = newModel().apply(statement) }) // must return
}

func TestQualify(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"a table", "CREATE TABLE executions (\n a int)", "CREATE TABLE \"k\".executions (\n a int)"},
		{"a table if it is not there", "create table if not exists a(b int)", `create table if not exists "k".a(b int)`},
		{"a table named if", "CREATE TABLE iffy (a int)", `CREATE TABLE "k".iffy (a int)`},
		{"a type", "CREATE TYPE t (a int)", `CREATE TYPE "k".t (a int)`},
		{"an index", "CREATE INDEX i on cluster_membership (x);", `CREATE INDEX i on "k".cluster_membership (x);`},
		{"an index without name", "CREATE INDEX ON a (x)", `CREATE INDEX ON "k".a (x)`},
		{"an alteration", "ALTER TABLE executions Add x bigint", `ALTER TABLE "k".executions Add x bigint`},
		{"a drop", "DROP TABLE IF EXISTS a", `DROP TABLE IF EXISTS "k".a`},
		{"data", "INSERT INTO a (b) VALUES (1)", `INSERT INTO "k".a (b) VALUES (1)`},
		{"a name with a keyspace", "DROP TABLE other.a", "error: schema statement names a keyspace itself: DROP TABLE other.a"},
		{"another statement", "TRUNCATE a", "error: schema statement of a kind that is not known: TRUNCATE a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := qualify(tt.give, "k")
			if err != nil {
				got = "error: " + err.Error()
			}
			if got != tt.want {
				t.Fatalf("qualify() = %s\nwant      %s", got, tt.want)
			}
		})
	}
	for _, set := range sets() {
		names, err := set.versions()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			statements, err := set.statements(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err := qualify(s, "k"); err != nil {
					t.Errorf("%s %s: %v", set.Dialect, name, err)
				}
			}
		}
	}
}

func TestReplication(t *testing.T) {
	tests := []struct {
		name string
		give Replication
		want string
	}{
		{"nothing said", Replication{}, " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"},
		{"a factor", Replication{Factor: 3}, " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"},
		{"data centers", Replication{Datacenters: map[string]int{"us": 2, "eu's": 3}}, " WITH replication = {'class': 'NetworkTopologyStrategy', 'eu''s': 3, 'us': 2}"},
		{"a factor for all data centers", Replication{Strategy: "NetworkTopologyStrategy", Factor: 3}, " WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3}"},
		{"data centers for the simple one", Replication{Strategy: "SimpleStrategy", Datacenters: map[string]int{"a": 1}}, "SimpleStrategy knows no data centers: use NetworkTopologyStrategy"},
		{"an unknown strategy", Replication{Strategy: "Simple"}, `replication strategy "Simple": must be SimpleStrategy or NetworkTopologyStrategy`},
		{"no copies", Replication{Factor: -1}, "replication factor -1: must be at least 1"},
		{"a data center without copies", Replication{Datacenters: map[string]int{"a": 0}}, `data center "a": must hold at least 1 copy`},
	}
	const refused = "a keyspace of YugabyteDB is replicated as its whole cluster is: ask for no strategy, factor or data center here, and configure the cluster"
	for _, r := range []Replication{{Strategy: "SimpleStrategy"}, {Factor: 3}, {Datacenters: map[string]int{"a": 1}}} {
		if _, err := YCQL().replication(r); err == nil || err.Error() != refused {
			t.Errorf("replication(%+v) of YCQL = %v", r, err)
		}
	}
	if clause, err := YCQL().replication(Replication{}); clause != "" || err != nil {
		t.Errorf("replication() of YCQL = %q, %v", clause, err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.give.cql()
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Fatalf("cql() = %s\nwant  %s", got, tt.want)
			}
		})
	}
}

func TestVersionsAreInOrderUpToTheSets(t *testing.T) {
	s := Set{Version: "1.10", files: fstest.MapFS{
		"versioned/v1.10/manifest.json": {}, "versioned/v1.2/manifest.json": {}, "versioned/v1.11/manifest.json": {}, "versioned/notes/x": {}, "versioned/v0.9": {},
	}}
	got, err := s.versions()
	if err != nil || fmt.Sprint(got) != "[v1.2 v1.10]" {
		t.Fatalf("versions() = %v, %v", got, err)
	}
}

func TestOlder(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"1.2", "1.10", true}, {"1.10", "1.2", false}, {"1.2", "1.2", false}, {"", "1.0", true}, {"1.0", "", false}, {"0.0", "1.0", true}} {
		if got := older(tt.a, tt.b); got != tt.want {
			t.Errorf("older(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
