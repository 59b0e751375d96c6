package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Round is how long one kind of request took, in milliseconds.
type Round struct {
	Kind string `json:"kind"`
	// For names what a server sends in this form.
	For   string  `json:"for"`
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// request is one kind of request, made of rows of one partition. Number n counts up
// from 1; row 0 holds the one before it.
type request struct {
	kind, use string
	// ahead and main are the requests that make up the write of a shard.
	ahead, main bool
	// query: its one call is a query.
	query bool
	step  func(id [16]byte, n int64) *cql.Step
}

func single(s *cql.Statement, args ...any) *cql.Step {
	return &cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: s, Args: args}}}
}

func stmt(conditional bool, text string) *cql.Statement {
	return &cql.Statement{Text: text, Plan: "Doctor", Conditional: conditional}
}

// bench is where and how writes of one dialect are timed.
type bench struct {
	// create and drop the table; empty: the schema has what is needed.
	create, drop string
	touched      string           // what is written, in words
	prepare      []*cql.Statement // of row 0, with id
	clean        []*cql.Statement // of all rows, with id
	requests     []request
}

// benches are the forms in which the dialects write (docs/dialects.md).
var benches = map[string]bench{
	"ycql":      ycqlBench(),
	"cassandra": cassandraBench(),
}

func ycqlBench() bench {
	put := stmt(false, `INSERT INTO server_probe_plain (id, n, lease) VALUES (?, ?, ?)`)
	cas := stmt(true, `UPDATE server_probe_plain SET lease = ? WHERE id = ? AND n = 0 IF lease = ?`)
	task := stmt(false, `INSERT INTO server_probe_plain (id, n, lease) VALUES (?, ?, ?) RETURNS STATUS AS ROW`)
	guard := stmt(true, `UPDATE server_probe_plain SET lease = ? WHERE id = ? AND n = 0 IF lease = ? RETURNS STATUS AS ROW`)
	block := stmt(true, "BEGIN TRANSACTION\n"+
		"  UPDATE server_probe SET lease = ? WHERE id = ? AND n = ? IF lease = ? ELSE ERROR;\n"+
		"  UPDATE server_probe SET lease = ? WHERE id = ? AND n = ?;\n"+
		"  UPDATE server_probe SET lease = ? WHERE id = ? AND n = ?;\nEND TRANSACTION;")
	get := stmt(false, `SELECT lease FROM server_probe WHERE id = ? AND n = ?`)
	return bench{
		touched: "rows of its own in server_probe and server_probe_plain, which were removed",
		prepare: []*cql.Statement{
			stmt(false, `INSERT INTO server_probe_plain (id, n, lease) VALUES (?, 0, 0)`),
			stmt(false, `INSERT INTO server_probe (id, n, lease) VALUES (?, 0, 0)`),
		},
		clean: []*cql.Statement{
			stmt(false, `DELETE FROM server_probe_plain WHERE id = ?`), stmt(false, `DELETE FROM server_probe WHERE id = ?`),
		},
		requests: []request{
			{kind: "read", use: "reads of executions", query: true, step: func(id [16]byte, _ int64) *cql.Step { return single(get, id, int64(0)) }},
			{kind: "plain write", use: "history and a shard's tasks", ahead: true, step: func(id [16]byte, n int64) *cql.Step { return single(put, id, n, n) }},
			{kind: "conditional write", use: "leases, queues, namespaces", step: func(id [16]byte, n int64) *cql.Step { return single(cas, n, id, n-1) }},
			{kind: "guarded batch", use: "matching tasks", step: func(id [16]byte, n int64) *cql.Step {
				return &cql.Step{Mode: cql.Unlogged, Calls: []cql.Call{
					{Statement: task, Args: []any{id, n, n}}, {Statement: guard, Args: []any{n, id, n - 1}},
				}}
			}},
			{kind: "block of three", use: "executions", main: true, step: func(id [16]byte, n int64) *cql.Step {
				return single(block, n, id, int64(0), n-1, n, id, int64(1), n, id, int64(2))
			}},
		},
	}
}

// doctorTable is made in the keyspace of Temporal and dropped again.
const doctorTable = "temporal_doctor"

func cassandraBench() bench {
	put := stmt(false, `INSERT INTO `+doctorTable+` (id, n, lease) VALUES (?, ?, ?)`)
	cas := stmt(true, `UPDATE `+doctorTable+` SET lease = ? WHERE id = ? AND n = 0 IF lease = ?`)
	get := stmt(false, `SELECT lease FROM `+doctorTable+` WHERE id = ? AND n = ?`)
	return bench{
		create:  `CREATE TABLE IF NOT EXISTS %s.` + doctorTable + ` (id uuid, n bigint, lease bigint, PRIMARY KEY (id, n))`,
		drop:    `DROP TABLE IF EXISTS %s.` + doctorTable,
		touched: "table " + doctorTable + ", which it made and dropped",
		// With a condition, as all that tests it.
		prepare: []*cql.Statement{stmt(true, `INSERT INTO `+doctorTable+` (id, n, lease) VALUES (?, 0, 0) IF NOT EXISTS`)},
		requests: []request{
			{kind: "read", use: "reads of executions", query: true, step: func(id [16]byte, _ int64) *cql.Step { return single(get, id, int64(0)) }},
			{kind: "plain write", use: "history", ahead: true, step: func(id [16]byte, n int64) *cql.Step { return single(put, id, n, n) }},
			{kind: "conditional write", use: "leases, queues, namespaces", step: func(id [16]byte, n int64) *cql.Step { return single(cas, n, id, n-1) }},
			{kind: "conditional batch", use: "executions, a shard's tasks, matching tasks", main: true, step: func(id [16]byte, n int64) *cql.Step {
				return &cql.Step{Mode: cql.Logged, Shown: []string{"lease"}, Calls: []cql.Call{
					{Statement: cas, Args: []any{n, id, n - 1}}, {Statement: put, Args: []any{id, n, n}},
				}}
			}},
		},
	}
}

// timed times each kind of request, one after the other.
func (e *examination) timed(ctx context.Context, conn *backend.Connection) {
	b, ok := benches[e.report.Dialect]
	if !ok || e.Rounds == 0 {
		e.report.add("times", Skipped, "timing writes rows, which was not wanted", "")
		return
	}
	if b.create != "" {
		if err := e.admin.Exec(ctx, fmt.Sprintf(b.create, e.Opener.Keyspace())); err != nil {
			e.report.add("times", Skipped, "no table could be made to time writes in: "+err.Error(), "give the role the right to, or time nothing with --rounds 0")
			return
		}
		defer func() {
			if err := e.admin.Exec(context.WithoutCancel(ctx), fmt.Sprintf(b.drop, e.Opener.Keyspace())); err != nil {
				e.report.add("table "+doctorTable, Warning, "it could not be dropped: "+err.Error(), "drop it by hand")
			}
		}()
	}
	e.report.Touched = b.touched
	for i := range b.requests {
		round, err := e.time(ctx, conn.Session, &b, &b.requests[i])
		if err != nil {
			e.report.add("times", Problem, fmt.Sprintf("%s: %v", b.requests[i].kind, err), "")
			return
		}
		e.report.Rounds = append(e.report.Rounds, round)
	}
	e.report.add("times", Good, "taken, see below", "")
	e.shards(&b)
}

func (e *examination) time(ctx context.Context, s cql.Session, b *bench, r *request) (round Round, err error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return round, err
	}
	for _, p := range b.prepare {
		if _, err := s.Exec(ctx, single(p, id)); err != nil {
			return round, err
		}
	}
	defer func() {
		for _, c := range b.clean {
			if _, e := s.Exec(context.WithoutCancel(ctx), single(c, id)); err == nil {
				err = e
			}
		}
	}()
	h := load.NewHistogram()
	// The first ones prepare the statement on each node.
	for n := int64(1 - warmups); n <= int64(e.Rounds); n++ {
		step := r.step(id, n+warmups)
		began := time.Now()
		if err := r.send(ctx, s, step); err != nil {
			return round, err
		}
		if n > 0 {
			h.Record(time.Since(began))
		}
	}
	return Round{
		Kind: r.kind, For: r.use, Count: h.Count(),
		P50: ms(h.Quantile(0.5)), P90: ms(h.Quantile(0.9)), P99: ms(h.Quantile(0.99)), Max: ms(h.Max()),
	}, nil
}

const warmups = 3

func (r *request) send(ctx context.Context, s cql.Session, step *cql.Step) error {
	if !r.query {
		res, err := s.Exec(ctx, step)
		if err == nil && !res.Applied {
			err = errors.New("refused, though nobody else writes the row")
		}
		return err
	}
	rows, err := s.Query(ctx, step.Calls[0], cql.Page{})
	if err != nil {
		return err
	}
	var lease int64
	found := rows.Scan(&lease)
	if err := rows.Close(); err != nil {
		return err
	}
	if !found {
		return errNoAnswer
	}
	return nil
}

// writesPerWorkflow is what a workflow with one activity asks of its shard: its
// start, and start and end of two workflow tasks and of the activity.
const writesPerWorkflow = 7

// shards says what the measured times allow. Writes of a shard follow one another,
// so its number of writes a second is one over the time of one.
func (e *examination) shards(b *bench) {
	var took float64
	for i, r := range b.requests {
		if r.ahead || r.main {
			took += e.report.Rounds[i].P50
		}
	}
	perShard := 1000 / took
	// Hashing is uneven and users come in bursts: a third of it can be used.
	const use = 1.0 / 3
	capacity := float64(e.Shards) * perShard * use / writesPerWorkflow
	found := fmt.Sprintf("a write takes %.1f ms (what is stored ahead + the atomic part), so a shard does %.0f a second; "+
		"%d shards, a third used, %d writes for a workflow of one activity: about %.0f workflows a second",
		took, perShard, e.Shards, writesPerWorkflow, capacity)
	const advice = "the number can never be changed: plan for several times the workflows that you expect, 512 or more for production"
	if e.Shards < 16 {
		e.report.add("history shards", Warning, found, advice)
		return
	}
	e.report.add("history shards", Good, found, "")
}
