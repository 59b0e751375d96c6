package catalog

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// apply runs schema statements, the last of which may fail.
func apply(t *testing.T, s *Schema, texts ...string) (*Schema, *Change, error) {
	t.Helper()
	var c *Change
	for i, text := range texts {
		stmt, _, err := parse.Parse(text, s.Dialect)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		c, err = s.Apply(cqlerr.Source{Text: text, Dialect: s.Dialect}, "ks", stmt, func(k string) bool { return k == "system" })
		if err != nil {
			if i < len(texts)-1 {
				t.Fatalf("%s: %v", text, err)
			}
			return s, nil, err
		}
		if c.Schema != nil {
			s = c.Schema
		}
	}
	return s, c, nil
}

const createKeyspace = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"

func TestMarshalRoundTrip(t *testing.T) {
	for _, d := range []parse.Dialect{parse.Cassandra, parse.YCQL} {
		t.Run(d.String(), func(t *testing.T) {
			texts := []string{
				createKeyspace,
				`CREATE TYPE "Zip" (code int, plus text)`,
				`CREATE TYPE address (street text, zip frozen<"Zip">, old frozen<list<frozen<"Zip">>>)`,
				`CREATE TABLE "T" (k int, "K2" text, c timeuuid, d text, s frozen<address> static, v map<text, frozen<address>>, w set<int>, PRIMARY KEY ((k, "K2"), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC) AND default_time_to_live = 7 AND comment = 'x'`,
				`ALTER TABLE "T" ADD added bigint`, `ALTER TABLE "T" DROP w`, `ALTER TABLE "T" ADD w list<int>`,
			}
			if d == parse.YCQL {
				texts = append(texts, `CREATE TABLE x (k int PRIMARY KEY, v int, z text) WITH transactions = {'enabled': true}`, `CREATE INDEX xi ON x (v) INCLUDE (z)`)
			} else {
				texts = append(texts, `CREATE INDEX ti ON "T" (added)`)
			}
			s, _, err := apply(t, New(d), texts...)
			if err != nil {
				t.Fatal(err)
			}
			first, err := s.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			back, err := Unmarshal(first, d)
			if err != nil {
				t.Fatal(err)
			}
			second, err := back.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Fatalf("marshalled again:\n%s\nwant\n%s", second, first)
			}
			a, b := s.Table("ks", "T"), back.Table("ks", "T")
			for i := range a.Columns {
				x, y := a.Columns[i], b.Columns[i]
				if x.Name != y.Name || !x.Type.Equal(y.Type) || x.ID != y.ID || x.Kind != y.Kind || x.Desc != y.Desc {
					t.Errorf("column %+v came back as %+v", x, y)
				}
			}
			// Numbers go on where they were.
			n, _, err := apply(t, back, "CREATE TABLE next (k int PRIMARY KEY)")
			if err != nil {
				t.Fatal(err)
			}
			for _, old := range s.Keyspaces["ks"].Tables {
				if n.Table("ks", "next").Num == old.Num {
					t.Errorf("table number %d was given out twice", old.Num)
				}
			}
		})
	}
}

func TestDroppedColumnsKeepTheirNumber(t *testing.T) {
	s, _, err := apply(t, New(parse.Cassandra), createKeyspace, "CREATE TABLE t (k int PRIMARY KEY, v int, w int)", "ALTER TABLE t DROP v")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Table("ks", "t").nextColumn
	s, _, err = apply(t, s, "ALTER TABLE t ADD v int")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Table("ks", "t").Column("v").ID; got != before {
		t.Errorf("column v has number %d, want the new number %d", got, before)
	}
}

func TestVersions(t *testing.T) {
	s, _, err := apply(t, New(parse.Cassandra), createKeyspace, "CREATE TABLE t (k int PRIMARY KEY, v int)")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text    string
		changed bool
		event   bool
	}{
		{"ALTER TABLE t ADD w int", true, true},
		{"CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)", false, false},
		{"DROP TABLE IF EXISTS nothere", false, false},
		{"TRUNCATE t", false, false},
		{"DROP TABLE t", true, true},
	} {
		t.Run(tt.text, func(t *testing.T) {
			n, c, err := apply(t, s, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if (n.Version != s.Version) != tt.changed || (c.Event != nil) != tt.event {
				t.Errorf("version changed %v, event %v; want %v, %v", n.Version != s.Version, c.Event, tt.changed, tt.event)
			}
		})
	}
	if s.Table("ks", "t") == nil {
		t.Error("the old schema changed")
	}
}

func TestTruncateGivesNewNumbers(t *testing.T) {
	s, _, err := apply(t, New(parse.Cassandra), createKeyspace, "CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE INDEX ON t (v)")
	if err != nil {
		t.Fatal(err)
	}
	old := s.Table("ks", "t")
	n, c, err := apply(t, s, "TRUNCATE t")
	if err != nil {
		t.Fatal(err)
	}
	if now := n.Table("ks", "t"); now.Num == old.Num || now.Indexes[0].Num == old.Indexes[0].Num || now.ID != old.ID {
		t.Errorf("table %d, index %d after %d, %d", now.Num, now.Indexes[0].Num, old.Num, old.Indexes[0].Num)
	}
	if len(c.Drop) != 2 {
		t.Errorf("to be dropped: %v, want the table and its index", c.Drop)
	}
}

func TestSystemKeyspacesCannotBeChanged(t *testing.T) {
	for d, code := range map[parse.Dialect]wire.ErrorCode{parse.Cassandra: wire.CodeUnauthorized, parse.YCQL: wire.CodeInvalid} {
		_, _, err := apply(t, New(d), "CREATE TABLE system.x (k int PRIMARY KEY)")
		var w *wire.Error
		if !errors.As(err, &w) || w.Code != code {
			t.Errorf("%s: error %v, want code %#x", d, err, uint32(code))
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	good, err := New(parse.Cassandra).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, doc, want string
		dialect         parse.Dialect
	}{
		{"another dialect", string(good), "the data was made with dialect cassandra, not ycql: set dialect to cassandra, or name another directory", parse.YCQL},
		{"a later format", strings.Replace(string(good), `"format":1`, `"format":2`, 1), "its format is 2", parse.Cassandra},
		{"half a document", string(good[:len(good)/2]), "read the catalog", parse.Cassandra},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Unmarshal([]byte(tt.doc), tt.dialect); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
