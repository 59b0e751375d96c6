package yugabyte_test

import (
	"fmt"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// Whatever goes wrong in a cluster, what the session says of a write is true:
// applied is stored, refused and not applied is not, now or later.
func TestWhatIsSaidOfAWriteIsTrue(t *testing.T) {
	const status = ` RETURNS STATUS AS ROW`
	var (
		insert = statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?)`)
		again  = &cql.Statement{Text: insert.Text, Plan: "test", Idempotent: true}
		cas    = statement(`INSERT INTO kv (p, c, t) VALUES (?, ?, ?) IF NOT EXISTS`)
		block  = statement("BEGIN TRANSACTION\n  UPDATE other SET t = ? WHERE p = ? IF t = ? ELSE ERROR;\n" +
			"  INSERT INTO kv (p, c, t) VALUES (?, ?, ?) IF NOT EXISTS ELSE ERROR;\nEND TRANSACTION;")
		row   = statement(insertPlain + status)
		guard = statement(`UPDATE plain SET t = ? WHERE p = ? AND c = ? IF t = ?` + status)
	)
	forms := []struct {
		name  string
		table string
		// own: a refusal may be the write's own doing, for servers run blocks again.
		own  bool
		step func(c int64) cql.Step
	}{
		{"insert", "kv", false, func(c int64) cql.Step {
			return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: insert, Args: []any{c, c, "x"}}}}
		}},
		{"insert that may be repeated", "kv", false, func(c int64) cql.Step {
			return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: again, Args: []any{c, c, "x"}}}}
		}},
		{"conditional insert", "kv", false, func(c int64) cql.Step {
			return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: cas, Args: []any{c, c, "x"}}}}
		}},
		{"block", "kv", true, func(c int64) cql.Step {
			return cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: block, Args: []any{"lease", int64(1), "lease", c, c, "x"}}}}
		}},
		{"guarded batch", "plain", false, func(c int64) cql.Step {
			return cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
				{Statement: row, Args: []any{int64(1), c, "x"}}, {Statement: guard, Args: []any{"lease", int64(1), int64(0), "lease"}},
			}}
		}},
	}
	for _, kind := range sim.Kinds(parse.YCQL) {
		if kind == sim.StaleRead || kind == sim.HalfBatch {
			continue // of reads at ONE, and of batches over several partitions
		}
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			n := node(t, func(o *standalone.Options) { o.Simulation = &sim.Options{Seed: 1, LateAfter: -1} })
			ks := keyspace(t, n)
			patient := open(t, opener(t, yugabyte.New(), n, ks, nil))
			exec(t, patient, single(`INSERT INTO other (p, t) VALUES (?, ?)`, int64(1), "lease"))
			exec(t, patient, single(insertPlain, int64(1), int64(0), "lease"))
			// A lost answer costs its timeout, so that is short: a busy machine may lose
			// some of its own, also while the session is opened.
			var s cql.Session
			eventually(t, "the session opens", func() error {
				conn, err := opener(t, yugabyte.New(), n, ks, map[string]any{"timeout": "100ms"}).Open(t.Context(), env())
				if err == nil {
					s = conn.Session
				}
				return err
			})
			t.Cleanup(func() { _ = s.Close() })
			for i, form := range forms {
				var unknown int
				for j := range int64(8) {
					c := int64(i+1)*1000 + j
					if err := n.Simulation().SetFaults(sim.Fault{Kind: kind, Rate: 0.5}); err != nil {
						t.Fatal(err)
					}
					step := form.step(c)
					res, err := s.Exec(t.Context(), &step)
					if err := n.Simulation().SetFaults(); err != nil {
						t.Fatal(err)
					}
					n.Simulation().ApplyLate()
					text, key := `SELECT t FROM kv WHERE p = ? AND c = ?`, c
					if form.table == "plain" {
						text, key = `SELECT t FROM plain WHERE p = ? AND c = ?`, int64(1)
					}
					var stored bool
					eventually(t, "the row can be read", func() error {
						rows, err := s.Query(t.Context(), call(text, key, c), cql.Page{})
						if err != nil {
							return err
						}
						stored = rows.Scan(new(string))
						return rows.Close()
					})
					_, outcome := ycql.New(ycql.All).Classify(err, true)
					what := fmt.Sprintf("%s %d: %+v, %v (%v), stored: %v", form.name, j, res, err, outcome, stored)
					switch {
					case err == nil && res.Applied && !stored:
						t.Error("applied and not stored: " + what)
					case err == nil && !res.Applied && stored && !form.own && form.table != "plain":
						t.Error("refused and stored: " + what)
					case err != nil && outcome == errs.NotApplied && stored:
						t.Error("not applied and stored: " + what)
					case err != nil && outcome == errs.Unknown:
						unknown++
					}
				}
				t.Logf("%s: %d of 8 unknown, met %v", form.name, unknown, n.Simulation().Injected())
			}
		})
	}
}
