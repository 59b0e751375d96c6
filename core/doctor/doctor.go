// Package doctor checks a live cluster against what a server needs: can all nodes
// be reached, do their clocks agree, is the schema right, can the servers do what
// is expected of them, how long does each kind of write take, and how many shards
// does that carry.
//
// It changes nothing but rows of tables that hold nothing else, which it removes.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Status is the outcome of a check, from good to worst.
type Status string

// The outcomes.
const (
	Good    Status = "good"
	Skipped Status = "skipped" // it does not apply, or something before it failed
	Warning Status = "warning" // works, but is not what production wants
	Problem Status = "problem" // a server will not run, or not safely
)

// Check is one thing that was looked at.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Found is what is the case, in one line; Advice what to do about it.
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"`
}

// Report is the result of an examination. Its JSON form has version 1; fields
// may be added to it.
type Report struct {
	Version  int       `json:"version"`
	Date     time.Time `json:"date"`
	Backend  string    `json:"backend"`
	Dialect  string    `json:"dialect"`
	Keyspace string    `json:"keyspace"`
	Server   string    `json:"server,omitempty"`
	// Reached is false if no contact point could be used: nothing else is known.
	// A database inside of the server has none and is not opened.
	Reached  bool              `json:"reached"`
	Checks   []Check           `json:"checks"`
	Findings []backend.Finding `json:"findings,omitempty"`
	Rounds   []Round           `json:"rounds,omitempty"`
	// Touched says in words what the examination wrote.
	Touched string `json:"touched"`
}

// Worst is the worst outcome of all checks.
func (r *Report) Worst() Status {
	order := []Status{Good, Skipped, Warning, Problem}
	worst := 0
	for _, c := range r.Checks {
		worst = max(worst, slices.Index(order, c.Status))
	}
	return order[worst]
}

func (r *Report) add(name string, s Status, found, advice string) {
	r.Checks = append(r.Checks, Check{Name: name, Status: s, Found: oneLine(found), Advice: advice})
}

// Params say what to examine.
type Params struct {
	// Backend is the name in the configuration.
	Backend string
	Opener  backend.Opener
	// Shards is the configured number of history shards.
	Shards int32
	// Rounds is how often each kind of write is timed; 0: not at all, and then
	// nothing is written.
	Rounds int
	Logger *slog.Logger
}

// connectTimeout bounds each connection.
const connectTimeout = 12 * time.Second

// Run examines a cluster. It fails only where ctx ends: whatever is wrong with the
// cluster is in the report.
func Run(ctx context.Context, p Params) (*Report, error) {
	r := &Report{
		Version: 1, Date: time.Now().UTC().Truncate(time.Second), Backend: p.Backend,
		Dialect: p.Opener.Dialect().Name(), Keyspace: p.Opener.Keyspace(), Touched: "nothing",
	}
	if _, ok := p.Opener.(backend.InProcess); ok {
		// To open it would make it.
		r.add("database", Skipped, "it is inside of the server's own process, which makes and checks it when it starts", "")
		return r, ctx.Err()
	}
	env := backend.Env{Logger: p.Logger, Application: "temporal-server/doctor"}
	e := &examination{Params: p, report: r, env: env}
	admin, err := connect(ctx, p.Opener, env)
	if err != nil {
		r.add("contact points", Problem, err.Error(), "see that a node listens there, and that address, port, TLS and password are right")
		return r, ctx.Err()
	}
	defer func() { _ = admin.Close() }() // every statement has been answered
	r.Reached = true
	e.admin = admin
	r.add("contact points", Good, "a node answers", "")
	e.nodes(ctx)
	e.security()
	if e.schema(ctx) {
		e.stores(ctx)
	}
	return r, ctx.Err()
}

// examination is a report in the making.
type examination struct {
	Params
	report *Report
	env    backend.Env
	admin  cql.Admin
	// up counts the nodes that answer; 0 if they were not looked for.
	up int
}

func connect(ctx context.Context, o backend.Opener, env backend.Env) (cql.Admin, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return o.OpenAdmin(ctx, env)
}

// schema checks the keyspace and tells whether stores can be opened on it.
func (e *examination) schema(ctx context.Context) bool {
	set, err := schema.For(e.report.Dialect)
	if err == nil {
		err = schema.Check(ctx, e.admin, set, e.Opener.Keyspace())
	}
	if err != nil {
		e.report.add("schema version", Problem, err.Error(), "")
		return false
	}
	v, err := schema.ReadVersion(ctx, e.admin, e.Opener.Keyspace())
	if err != nil {
		e.report.add("schema version", Problem, err.Error(), "")
		return false
	}
	e.report.add("schema version", Good, fmt.Sprintf("%s, this binary needs %s", v.Current, set.Version), "")
	tool := &schema.Tool{Admin: e.admin, Set: set, Keyspace: e.Opener.Keyspace()}
	switch differences, err := tool.Verify(ctx); {
	case err != nil:
		e.report.add("schema", Warning, "it could not be compared: "+err.Error(), "")
	case len(differences) > 0:
		e.report.add("schema", Warning, fmt.Sprintf("%d differences, the first: %v", len(differences), differences[0]),
			`"temporal-server schema verify" lists all`)
	default:
		e.report.add("schema", Good, "as this binary needs it", "")
	}
	return true
}

// stores are the checks that need what a server opens.
func (e *examination) stores(ctx context.Context) {
	opening, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := e.Opener.Open(opening, e.env)
	if err != nil {
		e.report.add("session", Problem, err.Error(), "a server would not start either")
		return
	}
	defer func() { _ = conn.Session.Close() }()
	e.report.Server = conn.Server
	e.report.add("session", Good, "opened as a server does: "+conn.Server, "")
	e.replication(ctx)
	e.tablets(ctx)
	e.abilities(ctx)
	e.timed(ctx, conn)
}

// abilities asks the servers what they can do.
func (e *examination) abilities(ctx context.Context) {
	o, ok := e.Opener.(backend.Preparer)
	if !ok {
		e.report.add("abilities", Skipped, "servers of this backend do not differ", "")
		return
	}
	if e.Rounds == 0 {
		e.report.add("abilities", Skipped, "asking writes rows, which was not wanted", "")
		return
	}
	findings, err := o.Probe(ctx, e.env)
	e.report.Findings = findings
	e.report.Touched = "rows of its own in server_probe and server_probe_plain, which were removed"
	if err != nil {
		e.report.add("abilities", Problem, err.Error(), "the findings say which statement was answered how")
		return
	}
	able, unlike := 0, []string(nil)
	for _, f := range findings {
		if f.Able {
			able++
		}
		if f.Recorded == "yes" && !f.Able || f.Recorded == "no" && f.Able {
			unlike = append(unlike, f.Name)
		}
	}
	found := fmt.Sprintf("%d of %d", able, len(findings))
	if len(unlike) > 0 {
		e.report.add("abilities", Warning, found+"; not as recorded: "+strings.Join(unlike, ", "),
			`"temporal-server schema update" records them anew once all nodes have one release`)
		return
	}
	e.report.add("abilities", Good, found+"; what is missing has a replacement", "")
}

// oneLine puts the lines of a text behind one another.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(strings.TrimSpace(text), func(r rune) bool { return r == '\n' }), "; ")
}

// errNoAnswer is where a server answers a question with no row.
var errNoAnswer = errors.New("it has no row")
