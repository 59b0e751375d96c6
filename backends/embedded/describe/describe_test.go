package describe_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/describe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/systables"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

func schemas(t *testing.T, texts ...string) describe.Schemas {
	t.Helper()
	user := catalog.New(parse.Cassandra)
	for _, text := range texts {
		stmt, _, err := parse.Parse(text, parse.Cassandra)
		if err != nil {
			t.Fatal(err)
		}
		c, err := user.Apply(cqlerr.Source{Text: text}, "", stmt, func(string) bool { return false })
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		user = c.Schema
	}
	st, err := systables.New(parse.Cassandra, systables.Node{})
	if err != nil {
		t.Fatal(err)
	}
	return describe.Schemas{System: st.Schema(), User: user, Cluster: "embedded", IsSystem: st.IsSystem}
}

var ddl = []string{
	"CREATE KEYSPACE descref WITH replication = {'class':'SimpleStrategy','replication_factor':1}",
	"CREATE TYPE descref.addr (street text, no int)",
	"CREATE TYPE descref.person (name text, home frozen<addr>)",
	`CREATE TABLE descref.t (k int, b text, c int, d text, s int static, m map<text, frozen<addr>>, "Q x" text, PRIMARY KEY ((k, b), c, d))
		WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s' AND gc_grace_seconds = 60`,
	"CREATE TABLE descref.one (k int PRIMARY KEY, v text)",
	"CREATE INDEX one_v ON descref.one (v)",
}

// answer prints a result as the file has it: rows of descref only, for a real server
// holds other keyspaces too.
func answer(s describe.Schemas, keyspace, text string) string {
	res, err := describe.Run(s, keyspace, text)
	if err != nil {
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.CodeInvalid {
			return "unexpected " + err.Error()
		}
		return "error: " + e.Message
	}
	var out []string
	for i := range res.RowCount() {
		r := res.Row(i)
		if string(r[0]) != "descref" {
			continue
		}
		out = append(out, "row: "+string(r[0])+" "+string(r[1])+" "+string(r[2]))
		if len(r) > 3 {
			out = append(out, string(r[3]))
		}
	}
	return strings.Join(out, "\n")
}

// The file is what an Apache Cassandra 5.0.6 answered after the statements above.
func TestAnswersAreThoseOfARealCassandra(t *testing.T) {
	b, err := os.ReadFile("testdata/cassandra-5.0.6.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := schemas(t, ddl...)
	cases := strings.Split(strings.TrimPrefix(string(b), ">>> "), "\n>>> ")
	if len(cases) != 24 {
		t.Fatalf("%d cases, want 24", len(cases))
	}
	for _, c := range cases {
		text, want, _ := strings.Cut(c, "\n")
		t.Run(text, func(t *testing.T) {
			keyspace := ""
			if text == "DESCRIBE t" { // asked after USE descref
				keyspace = "descref"
			}
			if got, want := answer(s, keyspace, text), strings.TrimSpace(want); got != want {
				t.Fatalf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestForms(t *testing.T) {
	s := schemas(t, append(ddl, "CREATE TABLE descref.order_of (k int PRIMARY KEY, a map<int, int>, b text, c list<text>, d int)")...)
	for _, tt := range []struct {
		name, keyspace, text, want string
	}{
		{"in any case, with comments and a semicolon", "", " /* x */ desc Table DESCREF.one -- y\n;", "row: descref table one\nCREATE TABLE descref.one ("},
		{"a quoted name", "", `DESCRIBE TABLE "descref"."one"`, "row: descref table one"},
		{"the current keyspace", "descref", "DESCRIBE ONLY KEYSPACE", "row: descref keyspace descref"},
		{"names of the current keyspace", "descref", "DESCRIBE TYPES", "row: descref type addr\nrow: descref type person"},
		{"an index by its name alone", "descref", "DESCRIBE one_v", "row: descref index one_v"},
		{"names of another keyspace are not listed", "system", "DESCRIBE TABLES", ""},
		{"internals", "", "DESCRIBE TABLE descref.t WITH INTERNALS", ") WITH ID = "},
		{"plain columns before collections", "", "DESCRIBE TABLE descref.order_of", "    k int PRIMARY KEY,\n    b text,\n    d int,\n    a map<int, int>,\n    c list<text>\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := answer(s, tt.keyspace, tt.text); !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
				t.Fatalf("got\n%s\nwant it to hold\n%s", got, tt.want)
			}
		})
	}
	res, err := describe.Run(s, "", "DESCRIBE CLUSTER")
	if err != nil || string(res.Cells[0]) != "embedded" || len(res.Columns) != 3 {
		t.Fatalf("DESCRIBE CLUSTER = %+v, %v", res, err)
	}
	if res, err = describe.Run(s, "", "DESCRIBE FULL SCHEMA"); err != nil || !strings.Contains(string(slicesJoin(res.Cells)), "CREATE TABLE system.local") {
		t.Fatalf("DESCRIBE FULL SCHEMA lacks the system tables (%v)", err)
	}
}

func slicesJoin(cells [][]byte) (all []byte) {
	for _, c := range cells {
		all = append(all, c...)
	}
	return all
}

func TestSyntaxErrors(t *testing.T) {
	for text, want := range map[string]string{
		"DESCRIBE":                 "line 0:-1 no viable alternative at input '<EOF>'",
		"DESCRIBE TABLE":           "line 0:-1 no viable alternative at input '<EOF>'",
		"DESCRIBE FOO BAR":         "line 1:13 no viable alternative at input 'BAR'",
		"DESCRIBE ks.":             "line 0:-1",
		"DESCRIBE FULL TABLES":     "line 1:14",
		"DESCRIBE TABLES WITH ALL": "line 1:21",
		"DESCRIBE TABLE t = 1":     "line 1:17",
		"DESCRIBE \"open":          "line 1:9",
	} {
		_, err := describe.Run(schemas(t), "", text)
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.CodeSyntaxError || !strings.HasPrefix(e.Message, want) {
			t.Errorf("%s: %v, want a syntax error that starts with %q", text, err, want)
		}
	}
}

func FuzzRun(f *testing.F) {
	for _, s := range []string{"DESC KEYSPACE descref", "DESCRIBE \"a\".b WITH INTERNALS;", "DESCRIBE MATERIALIZED VIEW x", "desc /* */ full schema --"} {
		f.Add(s)
	}
	st, err := systables.New(parse.Cassandra, systables.Node{})
	if err != nil {
		f.Fatal(err)
	}
	s := describe.Schemas{System: st.Schema(), User: catalog.New(parse.Cassandra), IsSystem: st.IsSystem}
	f.Fuzz(func(t *testing.T, text string) {
		var e *wire.Error
		if _, err := describe.Run(s, "", text); err != nil && !errors.As(err, &e) {
			t.Fatalf("error is not one for the client: %v", err)
		}
	})
}
