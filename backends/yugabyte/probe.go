package yugabyte

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// ability is one thing that servers of some releases, or with some flags, can do
// and others cannot.
type ability struct {
	name string
	// needed: without it nothing here works. why says what is to be done then.
	needed bool
	why    string
	// stored: rows look different with and without it.
	stored bool
	// use switches on what the dialect does with it; nil if it is for information.
	use func(*variant.Abilities)

	statements []*cql.Statement // for the finding
	expect     string
	// ask runs the statements on rows of its own and tells what came of it. An
	// error is the server's answer, or means that there was none.
	ask func(ctx context.Context, p *prober) (outcome string, able bool, err error)
}

// prober asks a server what it can do, in rows of tables that hold nothing else.
type prober struct {
	s  cql.Session
	id [16]byte // the partition of all rows of this prober
}

// probeAttempts is how often an ability is asked for before no answer is taken
// for none.
const probeAttempts = 3

// probe asks for all abilities side by side. Findings come with an error, too.
func probe(ctx context.Context, s cql.Session, abilities []ability) (found []backend.Finding, err error) {
	found = make([]backend.Finding, len(abilities))
	err = client.Parallel(len(abilities), func(i int) error {
		a := &abilities[i]
		found[i] = backend.Finding{Name: a.name, Statement: joined(a.statements), Expect: a.expect, Needed: a.needed}
		for attempt := 1; ; attempt++ {
			outcome, able, err := probeOne(ctx, s, a)
			if err == nil {
				found[i].Outcome, found[i].Able = outcome, able
				return nil
			}
			if attempt == probeAttempts || ctx.Err() != nil {
				return fmt.Errorf("ask the server for %s: %w", a.name, err)
			}
		}
	})
	return found, err
}

func probeOne(ctx context.Context, s cql.Session, a *ability) (outcome string, able bool, err error) {
	p := prober{s: s}
	if _, err := rand.Read(p.id[:]); err != nil {
		return "", false, err
	}
	outcome, able, err = a.ask(ctx, &p)
	if err != nil && says(err) {
		outcome, able, err = oneLine(err), false, nil
	}
	// Rows that are left belong to nobody and are in nobody's way.
	for _, st := range []*cql.Statement{forget, forgetPlain} {
		_, left := p.run(ctx, st, p.id)
		err = errors.Join(err, left)
	}
	return outcome, able, err
}

// says tells whether an error is the server's opinion of a statement, and not a
// sign that it had none: a lost connection, a deadline, overload.
func says(err error) bool {
	var e *cql.Error
	if !errors.As(err, &e) || e.Reach != cql.Replied {
		return false
	}
	switch kind, _ := (*variant.Dialect)(nil).Classify(err, true); kind {
	case errs.Invalid, errs.Internal:
		return true
	default:
		return false
	}
}

func oneLine(err error) string {
	var e *cql.Error
	text := err.Error()
	if errors.As(err, &e) {
		text = e.Message
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return text
}

func joined(statements []*cql.Statement) string {
	texts := make([]string, len(statements))
	for i, s := range statements {
		texts[i] = s.Text
	}
	return strings.Join(texts, "\n")
}

// run sends one statement and tells whether it was applied.
func (p *prober) run(ctx context.Context, s *cql.Statement, args ...any) (bool, error) {
	res, err := p.s.Exec(ctx, &cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: s, Args: args}}})
	return res.Applied, err
}

// rows counts the rows of a query and returns the first column of the last.
func (p *prober) rows(ctx context.Context, s *cql.Statement, args ...any) (n int, last cql.Raw, err error) {
	rows, err := p.s.Query(ctx, cql.Call{Statement: s, Args: args}, cql.Page{})
	if err != nil {
		return 0, nil, err
	}
	for rows.Scan(&last) {
		n++
	}
	return n, last, rows.Close()
}

// The statements of the probe. Rows of one prober have its id; n tells them apart.
var (
	forget      = plain(`DELETE FROM server_probe WHERE id = ?`)
	forgetPlain = plain(`DELETE FROM server_probe_plain WHERE id = ?`)

	put        = plain(`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`)
	putPlain   = plain(`INSERT INTO server_probe_plain (id, n, lease) VALUES (?, ?, ?)`)
	get        = plain(`SELECT lease FROM server_probe WHERE id = ? AND n = ?`)
	getPlain   = plain(`SELECT lease FROM server_probe_plain WHERE id = ? AND n = ?`)
	getEntries = plain(`SELECT state_entries FROM server_probe WHERE id = ? AND n = ?`)
	count      = plain(`SELECT n FROM server_probe WHERE id = ?`)

	guarded = block(
		`UPDATE server_probe SET lease = ? WHERE id = ? AND n = ? IF lease = ? ELSE ERROR`,
		`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`)
	seesEarlier = block(
		`UPDATE server_probe SET lease = ? WHERE id = ? AND n = ?`,
		`UPDATE server_probe SET lease = ? WHERE id = ? AND n = ? IF lease = ? ELSE ERROR`)
	putAndForget = block(
		`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`, `INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`,
		`DELETE FROM server_probe WHERE id = ? AND n = ?`, `DELETE FROM server_probe WHERE id = ? AND n = ?`)
	assertAbsent = block(
		`UPDATE server_probe SET lease = null WHERE id = ? AND n = ? IF NOT EXISTS ELSE ERROR`,
		`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`)
	deleteAbsent = block(
		`DELETE FROM server_probe WHERE id = ? AND n = ? IF NOT EXISTS ELSE ERROR`,
		`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?)`)

	setElements = plain(`UPDATE server_probe SET lease = ?, state_entries[?] = ?, state_entries[?] = ? WHERE id = ? AND n = ?`)
	setUnset    = plain(`UPDATE server_probe SET lease = ?, state_entries = ? WHERE id = ? AND n = ?`)

	putStatus = plain(`INSERT INTO server_probe_plain (id, n, lease) VALUES (?, ?, ?) RETURNS STATUS AS ROW`)
	guardLast = conditional(`UPDATE server_probe_plain SET lease = ? WHERE id = ? AND n = ? IF lease = ? RETURNS STATUS AS ROW`)

	renew       = conditional(`INSERT INTO server_probe_plain (id, n, lease) VALUES (?, ?, ?) IF lease = ? USING TTL ?`)
	lifePlain   = plain(`SELECT ttl(lease) FROM server_probe_plain WHERE id = ? AND n = ?`)
	putExpiring = plain(`INSERT INTO server_probe (id, n, lease) VALUES (?, ?, ?) USING TTL ?`)
	life        = plain(`SELECT ttl(lease) FROM server_probe WHERE id = ? AND n = ?`)
)

func plain(text string) *cql.Statement {
	return &cql.Statement{Text: text, Plan: "Probe"}
}

func conditional(text string) *cql.Statement {
	return &cql.Statement{Text: text, Plan: "Probe", Conditional: true}
}

func block(statements ...string) *cql.Statement {
	text := "BEGIN TRANSACTION\n  " + strings.Join(statements, ";\n  ") + ";\nEND TRANSACTION;"
	return &cql.Statement{Text: text, Plan: "Probe", Conditional: strings.Contains(text, " IF ")}
}
