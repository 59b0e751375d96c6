package yugabyte_test

import (
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
	schema "github.com/temporal-ycql/temporal-ycql/schema/yugabyte"
)

// tables are the statements that make Temporal's tables, with their keyspace.
func tables(t *testing.T) []string {
	t.Helper()
	text, err := fs.ReadFile(schema.Files, "versioned/v"+schema.Version+"/schema.cql")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	var all []string
	for _, s := range strings.Split(b.String(), ";") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, strings.Replace(s, "CREATE TABLE ", "CREATE TABLE ks.", 1))
		}
	}
	return all
}

// prepared is a cluster of one server with Temporal's tables.
func prepared(t *testing.T) *cluster {
	t.Helper()
	c := startCluster(t, n1)
	c.create(append([]string{`CREATE KEYSPACE ks`}, tables(t)...)...)
	return c
}

func preparer(t *testing.T, c *cluster) backend.Preparer {
	t.Helper()
	return c.opener(t, nil).(backend.Preparer)
}

// rejects makes the cluster's servers answer statements that hold a text with an
// error.
func (c *cluster) rejects(text string, code wire.ErrorCode, message string) {
	c.set(func() {
		c.answer = func(_, asked string) (*server.Result, error) {
			if text != "" && strings.Contains(asked, text) {
				return nil, &wire.Error{Code: code, Message: message}
			}
			return nil, nil
		}
	})
}

func able(found []backend.Finding) map[string]bool {
	all := map[string]bool{}
	for _, f := range found {
		all[f.Name] = f.Able
	}
	return all
}

func TestTheEngineCanDoAllThatIsAskedFor(t *testing.T) {
	c := prepared(t)
	found, err := preparer(t, c).Probe(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 9 {
		t.Fatalf("%d findings", len(found))
	}
	for _, f := range found {
		if !f.Able || f.Outcome == "" || f.Statement == "" || f.Expect == "" || f.Recorded != "" {
			t.Errorf("%+v", f)
		}
	}
	s := open(t, c.opener(t, nil))
	for _, table := range []string{"server_probe", "server_probe_plain", "server_traits"} {
		rows, err := s.Query(t.Context(), call(`SELECT * FROM `+table), cql.Page{})
		if err != nil {
			t.Fatal(err)
		}
		if rows.Scan() {
			t.Errorf("the probe left rows in %s", table)
		}
		_ = rows.Close()
	}
}

func TestWhatServersCannotDoIsFoundOut(t *testing.T) {
	const lacks = "Invalid CQL Statement. Not here\nTEXT\n^^^^\n (ql error -12)"
	refused := "Execution Error. Condition on table server_probe was not satisfied.\nTEXT\n (ql error -300)"
	tests := []struct {
		name    string // of the ability
		text    string // of statements that are answered with an error
		code    wire.ErrorCode
		message string
		needed  bool
		outcome string
		use     ycql.Abilities // of a host that opens the keyspace then
	}{
		{"transaction blocks", "IF lease = ? ELSE ERROR;\n  INSERT", wire.CodeSyntaxError, lacks, true, "Invalid CQL Statement. Not here", ycql.Abilities{}},
		{"statement order in a block", "WHERE id = ? AND n = ?;\n  UPDATE", wire.CodeInvalid, refused, true, "seen 0 times of 4", ycql.Abilities{}},
		{"assertion of absence", "SET lease = null", wire.CodeSyntaxError, lacks, true, "Invalid CQL Statement. Not here", ycql.Abilities{}},
		{"condition and TTL in one INSERT", "IF lease = ? USING TTL", wire.CodeSyntaxError, lacks, true, "Invalid CQL Statement. Not here", ycql.Abilities{}},
		{"null elements", "state_entries[?]", wire.CodeInvalid, "null is not supported inside collections", false, "null is not supported", ycql.Abilities{GuardLast: true}},
		{"guard last in a batch", "BATCH", wire.CodeSyntaxError, lacks, false, "Not here", ycql.Abilities{NullElements: true}},
		{"TTL in transactional tables", "INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?) USING TTL", wire.CodeSyntaxError, "Feature Not Supported", false, "Feature Not Supported", ycql.All},
		{"unset values", "SET lease = ?, state_entries = ?", wire.CodeInvalid, "Invalid Request. Bind variable was not set", false, "not set", ycql.All},
		{"DELETE IF NOT EXISTS ELSE ERROR", "DELETE FROM server_probe WHERE id = ? AND n = ? IF NOT EXISTS", wire.CodeSyntaxError, lacks, false, "Not here", ycql.All},
	}
	c := prepared(t)
	p := preparer(t, c)
	if _, err := p.Prepare(t.Context(), env()); err != nil { // by servers that can do all
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c.rejects(tt.text, tt.code, tt.message)
			defer c.rejects("", 0, "")
			found, err := p.Probe(t.Context(), env())
			if (err != nil) != tt.needed {
				t.Fatalf("Probe() = %v", err)
			}
			for _, f := range found {
				switch {
				case f.Recorded != "yes", f.Name != tt.name && !f.Able:
					t.Errorf("%+v", f)
				case f.Name == tt.name && (f.Able || f.Needed != tt.needed || !strings.Contains(f.Outcome, tt.outcome) || strings.Contains(f.Outcome, "\n")):
					t.Errorf("%+v, want outcome %q", f, tt.outcome)
				}
			}
			o := c.opener(t, nil)
			conn, err := o.Open(t.Context(), env())
			if tt.needed {
				if err == nil || !strings.Contains(err.Error(), tt.name) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("Open() = %v", err)
				}
				if _, err := p.Prepare(t.Context(), env()); err == nil || !strings.Contains(err.Error(), tt.name) {
					t.Fatalf("Prepare() = %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Session.Close() }()
			if use, err := yugabyte.AbilitiesOf(t.Context(), o, conn.Session); err != nil || use != tt.use {
				t.Fatalf("used: %+v, %v, want %+v", use, err, tt.use)
			}
		})
	}
}

// Hosts of two kinds on one keyspace: none uses what the record does not hold.
func TestTheRecordWinsWhereItIsTheMoreCareful(t *testing.T) {
	c := prepared(t)
	p, o := preparer(t, c), c.opener(t, nil)
	c.rejects("state_entries[?]", wire.CodeInvalid, "no")
	if _, err := p.Prepare(t.Context(), env()); err != nil {
		t.Fatal(err)
	}
	c.rejects("", 0, "")
	s := open(t, o)
	want := func(what string, want ycql.Abilities) {
		t.Helper()
		if use, err := yugabyte.AbilitiesOf(t.Context(), o, s); err != nil || use != want {
			t.Fatalf("%s: %+v, %v, want %+v", what, use, err, want)
		}
	}
	want("recorded by servers that could do less", ycql.Abilities{GuardLast: true})
	found, err := p.Prepare(t.Context(), env())
	if err != nil || !able(found)["null elements"] {
		t.Fatalf("Prepare() = %v, %v", found, err)
	}
	want("recorded again", ycql.All)
}

func TestOpenWithoutARecordUsesWhatEveryServerCanDo(t *testing.T) {
	c := prepared(t)
	o := c.opener(t, nil)
	s := open(t, o)
	if use, err := yugabyte.AbilitiesOf(t.Context(), o, s); err != nil || use != (ycql.Abilities{}) {
		t.Fatalf("used: %+v, %v", use, err)
	}
}

func TestARecordThatDecidesHowRowsLookIsKept(t *testing.T) {
	tests := []struct {
		name, trait string
		able        bool
		rejected    string // statements that servers cannot do
		open        string // of Open's error
		prepare     string // of Prepare's error
	}{
		{"of a later release", "rows in triplicate", true, "", "which this release does not know", ""},
		{"of a later release, not used", "rows in triplicate", false, "", "", ""},
		{"that a server cannot keep", "null elements", true, "state_entries[?]", "rows are stored with null elements", "rows are stored with null elements"},
		{"that a server would surpass", "null elements", false, "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := prepared(t)
			s := open(t, c.opener(t, nil))
			exec(t, s, single(`INSERT INTO server_traits (trait, able, stored) VALUES (?, ?, true)`, tt.trait, tt.able))
			c.rejects(tt.rejected, wire.CodeInvalid, "Invalid Arguments. No")
			conn, err := c.opener(t, nil).Open(t.Context(), env())
			if (tt.open == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.open) {
				t.Fatalf("Open() = %v, want %q", err, tt.open)
			}
			if err == nil {
				_ = conn.Session.Close()
			}
			_, err = preparer(t, c).Prepare(t.Context(), env())
			if (tt.prepare == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.prepare) {
				t.Fatalf("Prepare() = %v, want %q", err, tt.prepare)
			}
			rows, err := s.Query(t.Context(), call(`SELECT able FROM server_traits WHERE trait = ?`, tt.trait), cql.Page{})
			if err != nil {
				t.Fatal(err)
			}
			var got bool
			if !rows.Scan(&got) || got != tt.able {
				t.Errorf("the record was changed to %v", got)
			}
			_ = rows.Close()
		})
	}
}

// No answer is not taken for an opinion.
func TestAProbeThatGetsNoAnswerIsRepeatedAndThenFails(t *testing.T) {
	var cuts atomic.Int64
	c := prepared(t)
	c.set(func() {
		c.answer = func(_, asked string) (*server.Result, error) {
			if strings.Contains(asked, "state_entries[?]") && cuts.Add(-1) >= 0 {
				return nil, &wire.Error{Code: wire.CodeInvalid, Message: "Execution Error. Write(tablet: 1) passed its deadline"}
			}
			return nil, nil
		}
	})
	p := preparer(t, c)
	cuts.Store(1)
	found, err := p.Probe(t.Context(), env())
	if err != nil || !able(found)["null elements"] {
		t.Fatalf("Probe() after one lost answer = %+v, %v", found, err)
	}
	cuts.Store(1000)
	if _, err = p.Prepare(t.Context(), env()); err == nil || strings.Contains(err.Error(), "\n") {
		t.Fatalf("Prepare() without answers = %v", err)
	}
	s := open(t, c.opener(t, nil))
	if got := texts(t, s, `SELECT trait FROM server_traits`); len(got) != 0 {
		t.Fatalf("recorded without an answer: %v", got)
	}
}
