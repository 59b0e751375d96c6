package exec_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// variant is a scripted dialect: its programs are the mutations' tables, its
// rows are what the session was told to show.
type variant struct {
	traits   cql.Traits
	parts    int
	skip     int64 // rows with this value are not of the logical table
	observe  func(w *plan.Write, res cql.Result) ([]plan.Seen, error)
	classify func(error) (errs.Kind, errs.Outcome)
}

func (*variant) Name() string         { return "scripted" }
func (v *variant) Traits() cql.Traits { return v.traits }
func (*variant) Texts() []string      { return nil }

func (v *variant) CompileWrite(w *plan.Write) (*cql.Program, error) {
	if w.Scope == 0 {
		return nil, dialect.ErrScope
	}
	p := &cql.Program{Plan: w.Name}
	for i := range w.Mutations {
		s := &cql.Statement{Text: w.Mutations[i].Table.Name}
		p.Steps = append(p.Steps, cql.Step{Mode: cql.Single, Calls: []cql.Call{{Statement: s}}, Ahead: w.Mutations[i].Ahead})
	}
	return p, nil
}

func (v *variant) CompileRead(r *plan.Read) (dialect.ReadProgram, error) {
	if r.Desc {
		return nil, errors.New("cannot read backwards")
	}
	return program{v, r}, nil
}

func (v *variant) Observe(w *plan.Write, res cql.Result) ([]plan.Seen, error) {
	return v.observe(w, res)
}

func (v *variant) Classify(err error, _ bool) (errs.Kind, errs.Outcome) {
	if v.classify != nil {
		return v.classify(err)
	}
	return errs.Timeout, errs.Unknown
}

type program struct {
	v *variant
	r *plan.Read
}

func (p program) Parts([]any) int { return max(p.v.parts, 1) }

func (p program) Bind(part int, args []any) (cql.Call, dialect.RowDecoder, error) {
	if len(args) > 0 && args[0] == "bad" {
		return cql.Call{}, nil, errors.New("bad argument")
	}
	return cql.Call{Statement: &cql.Statement{Text: fmt.Sprintf("%s %d", p.r.Table.Name, part)}}, &decoder{p.v, 0}, nil
}

type decoder struct {
	v     *variant
	value int64
}

func (d *decoder) Dest() []any { return []any{&d.value} }

func (d *decoder) Decode(out []any) (bool, error) {
	if d.value < 0 {
		return false, errors.New("column x is negative")
	}
	for i := range out {
		out[i] = d.value
	}
	return d.v.skip == 0 || d.value != d.v.skip, nil
}

// database answers steps and queries from scripts and keeps what it was asked.
type database struct {
	mu      sync.Mutex
	asked   []string
	answers map[string][]any // cql.Result or error, by text; the last one stays
	pages   map[string][]int64
	limit   int // rows of a page, whatever is asked for
	broken  error
}

func (d *database) Exec(_ context.Context, s *cql.Step) (cql.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := s.Calls[0].Text
	d.asked = append(d.asked, text)
	queue := d.answers[text]
	if len(queue) == 0 {
		return cql.Result{Applied: true}, nil
	}
	if len(queue) > 1 {
		d.answers[text] = queue[1:]
	}
	if err, ok := queue[0].(error); ok {
		return cql.Result{}, err
	}
	return queue[0].(cql.Result), nil
}

func (d *database) Query(_ context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	d.asked = append(d.asked, fmt.Sprintf("%s size %d", c.Text, page.Size))
	if d.broken != nil && d.limit == 0 {
		return nil, d.broken
	}
	all := d.pages[c.Text]
	start := 0
	if len(page.Token) > 0 {
		start = int(page.Token[0])
	}
	size := page.Size
	if d.limit > 0 && (size == 0 || d.limit < size) {
		size = d.limit
	}
	end := len(all)
	if size > 0 && start+size < end {
		end = start + size
	}
	r := &rows{values: all[start:end], broken: d.broken}
	if end < len(all) {
		r.next = []byte{byte(end)}
	}
	return r, nil
}

func (*database) Close() error { return nil }

type rows struct {
	values []int64
	next   []byte
	broken error
}

func (r *rows) Scan(dest ...any) bool {
	if len(r.values) == 0 {
		return false
	}
	*dest[0].(*int64) = r.values[0]
	r.values = r.values[1:]
	return true
}

func (r *rows) Next() []byte { return r.next }
func (r *rows) Close() error { return r.broken }

var refused = cql.Result{Applied: false}

func lease(value int64) plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{int64(1)},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.ShardRangeID, Value: value}},
	}
}

func saw(v int64) func(*plan.Write, cql.Result) ([]plan.Seen, error) {
	return func(w *plan.Write, _ cql.Result) ([]plan.Seen, error) {
		seen := make([]plan.Seen, len(w.Mutations))
		seen[0] = plan.Seen{Sight: plan.Found, Values: map[*plan.Column]any{plan.ShardRangeID: v}}
		return seen, nil
	}
}

func unseen(w *plan.Write, _ cql.Result) ([]plan.Seen, error) {
	return make([]plan.Seen, len(w.Mutations)), nil
}

func failure(t *testing.T, err error) *errs.Error {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v", err, err)
	}
	return e
}

func TestARefusalIsExplainedByWhatTheServerShowed(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused}}}
	ex := exec.New(d, &variant{observe: saw(9)}, nil)
	e := failure(t, ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	var c *plan.Conflict
	if e.Kind != errs.Conflict || e.Outcome != errs.NotApplied || !errors.As(e, &c) || c.Row().Values[plan.ShardRangeID] != int64(9) {
		t.Fatalf("error %+v", e)
	}
	if len(d.asked) != 1 {
		t.Fatalf("asked %q: what was shown must not be read again", d.asked)
	}
}

func TestARowThatWasNotShownIsRead(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused}}, pages: map[string][]int64{"shards 0": {8}}}
	ex := exec.New(d, &variant{observe: unseen}, nil)
	e := failure(t, ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	var c *plan.Conflict
	if !errors.As(e, &c) || c.Row().Values[plan.ShardRangeID] != int64(8) {
		t.Fatalf("error %+v", e)
	}
}

func TestAColumnThatTheStoreWantsIsReadThoughTheCauseIsKnown(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused}}, pages: map[string][]int64{"shards 0": {8}}}
	ex := exec.New(d, &variant{observe: saw(8)}, nil)
	m := lease(7)
	m.Show = []*plan.Column{plan.ShardInfo}
	e := failure(t, ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{m}}))
	var c *plan.Conflict
	if !errors.As(e, &c) {
		t.Fatalf("error %+v", e)
	}
	if _, ok := c.Row().Values[plan.ShardInfo]; !ok {
		t.Fatalf("the column is not there: %v", c.Row())
	}
}

func TestARefusalWhoseCauseIsGoneIsTriedAgain(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused, cql.Result{Applied: true}}}}
	var seen exec.Event
	ex := exec.New(d, &variant{observe: saw(7)}, observer(func(e *exec.Event) { seen = *e }))
	if err := ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}); err != nil {
		t.Fatal(err)
	}
	if seen.Attempts != 2 || !seen.Refused || seen.RoundTrips != 2 {
		t.Fatalf("event %+v", seen)
	}
}

func TestARefusalThatNothingEverExplainsEndsAndGuessesNothing(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused}}}
	e := failure(t, exec.New(d, &variant{observe: saw(7)}, nil).Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	var c *plan.Conflict
	if e.Kind != errs.Conflict || e.Outcome != errs.NotApplied || errors.As(e, &c) || len(d.asked) != 3 {
		t.Fatalf("error %+v after %q", e, d.asked)
	}
	// Where the server may run a block again after its own commit, the same
	// refusal says nothing about the outcome.
	d = &database{answers: map[string][]any{"shards": {refused}}}
	e = failure(t, exec.New(d, &variant{observe: saw(7), traits: cql.Traits{RerunsBlocks: true}}, nil).Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	if e.Outcome != errs.Unknown || len(d.asked) != 1 {
		t.Fatalf("error %+v after %q", e, d.asked)
	}
}

func TestAFailedReadWhileExplainingIsItselfTheError(t *testing.T) {
	d := &database{answers: map[string][]any{"shards": {refused}}, broken: errors.New("gone")}
	e := failure(t, exec.New(d, &variant{observe: unseen}, nil).Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	if e.Kind != errs.Timeout || e.Outcome != errs.NotApplied {
		t.Fatalf("error %+v: the refusal was definite", e)
	}
	// The row that was not read might have shown the write's own doing.
	ex := exec.New(d, &variant{observe: unseen, traits: cql.Traits{RerunsBlocks: true}}, nil)
	e = failure(t, ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(7)}}))
	if e.Kind != errs.Timeout || e.Outcome != errs.Unknown || e.Op != "W" {
		t.Fatalf("error %+v: the server may have run the block twice", e)
	}
}

func ahead(table *plan.Table) plan.Mutation {
	return plan.Mutation{Table: table, Op: plan.Insert, Ahead: true, Key: []any{}}
}

func TestOutcomesDependOnWhatWasSent(t *testing.T) {
	lost := errors.New("no answer")
	w := func(scope plan.Scope, m ...plan.Mutation) *plan.Write {
		return &plan.Write{Name: "W", Scope: scope, Mutations: m}
	}
	plain := plan.Mutation{Table: plan.Executions, Op: plan.Delete, Key: []any{}}
	tests := []struct {
		name    string
		give    *plan.Write
		answers map[string][]any
		asked   []string
		want    errs.Error
	}{
		{
			"an ahead step fails: the atomic part was never sent", w(plan.Atomic, ahead(plan.HistoryTree), lease(1)),
			map[string][]any{"history_tree": {lost}},
			[]string{"history_tree"},
			errs.Error{Kind: errs.Timeout, Outcome: errs.NotApplied, Stage: errs.Ahead},
		},
		{
			"the atomic part has no answer", w(plan.Atomic, ahead(plan.HistoryTree), lease(1)),
			map[string][]any{"shards": {lost}},
			[]string{"history_tree", "shards"},
			errs.Error{Kind: errs.Timeout, Outcome: errs.Unknown},
		},
		{
			"a later step of an ordered write fails: what came before took effect", w(plan.Ordered, lease(1), plain),
			map[string][]any{"executions": {lost}},
			[]string{"shards", "executions"},
			errs.Error{Kind: errs.Timeout, Outcome: errs.Unknown},
		},
		{
			"an ordered write stops at a refusal", w(plan.Ordered, lease(1), plain),
			map[string][]any{"shards": {refused}},
			[]string{"shards"},
			errs.Error{Kind: errs.Conflict, Outcome: errs.NotApplied},
		},
		{
			"a write that the dialect cannot carry is not sent", w(0, lease(1)), nil, nil, errs.Error{Kind: errs.Internal, Outcome: errs.NotApplied},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &database{answers: tt.answers}
			e := failure(t, exec.New(d, &variant{observe: saw(9)}, nil).Write(t.Context(), tt.give))
			if e.Kind != tt.want.Kind || e.Outcome != tt.want.Outcome || e.Stage != tt.want.Stage {
				t.Fatalf("error %+v, want %+v", e, tt.want)
			}
			if fmt.Sprint(d.asked) != fmt.Sprint(tt.asked) {
				t.Fatalf("asked %q, want %q", d.asked, tt.asked)
			}
		})
	}
}

func TestNothingIsSentForACallerThatHasLeft(t *testing.T) {
	d := &database{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := failure(t, exec.New(d, &variant{}, nil).Write(ctx, &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{lease(1)}}))
	if e.Outcome != errs.NotApplied || len(d.asked) != 0 {
		t.Fatalf("error %+v after %q", e, d.asked)
	}
}

func TestAheadStepsRunSideBySide(t *testing.T) {
	var seen exec.Event
	d := &database{}
	ex := exec.New(d, &variant{}, observer(func(e *exec.Event) { seen = *e }))
	if err := ex.Write(t.Context(), &plan.Write{Name: "W", Scope: plan.Atomic, Mutations: []plan.Mutation{
		ahead(plan.HistoryTree), ahead(plan.HistoryNodes), lease(1),
	}}); err != nil {
		t.Fatal(err)
	}
	if seen.RoundTrips != 2 || seen.Statements != 3 || d.asked[2] != "shards" {
		t.Fatalf("event %+v, asked %q", seen, d.asked)
	}
}

type observer func(*exec.Event)

func (o observer) Done(e *exec.Event) { o(e) }

var listNames = &plan.Read{Name: "R", Table: plan.Namespaces, Columns: []*plan.Column{plan.NamespaceNotificationVersion}}

// collect reads page by page and returns the pages.
func collect(t *testing.T, ex exec.Executor, size int) [][]int64 {
	t.Helper()
	var pages [][]int64
	page := plan.Page{Size: size}
	for range 20 {
		r, err := ex.Read(t.Context(), listNames, page)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for r.Next() {
			got = append(got, r.Int(0))
		}
		token := r.Token()
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, got)
		if token == nil {
			return pages
		}
		if len(token) == 0 {
			t.Fatal("a token of no bytes means neither more nor the end")
		}
		page.Token = token
	}
	t.Fatal("the pages do not end")
	return nil
}

func TestPages(t *testing.T) {
	tests := []struct {
		name  string
		rows  map[string][]int64
		parts int
		skip  int64
		limit int
		size  int
		want  string
	}{
		{"one page", map[string][]int64{"namespaces 0": {1, 2}}, 1, 0, 0, 5, "[[1 2]]"},
		{"as many as fit", map[string][]int64{"namespaces 0": {1, 2, 3}}, 1, 0, 0, 2, "[[1 2] [3]]"},
		{"rows that are left out are made up for", map[string][]int64{"namespaces 0": {1, 9, 9, 2, 3}}, 1, 9, 0, 2, "[[1 2] [3]]"},
		{"a short page of the server stays short", map[string][]int64{"namespaces 0": {1, 2, 3}}, 1, 0, 1, 2, "[[1] [2] [3]]"},
		{"the next statement fills the page", map[string][]int64{"namespaces 0": {1}, "namespaces 1": {2, 3}}, 2, 0, 0, 2, "[[1 2] [3]]"},
		{"a page may end between two statements", map[string][]int64{"namespaces 0": {1, 2}, "namespaces 1": {3}}, 2, 0, 0, 2, "[[1 2] [3]]"},
		{"statements without rows are passed over", map[string][]int64{"namespaces 2": {3}}, 3, 0, 0, 2, "[[3]]"},
		{"nothing at all", nil, 2, 0, 0, 2, "[[]]"},
		{"without a size", map[string][]int64{"namespaces 0": {1, 2}, "namespaces 1": {3}}, 2, 0, 0, 0, "[[1 2 3]]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &database{pages: tt.rows, limit: tt.limit}
			got := collect(t, exec.New(d, &variant{parts: tt.parts, skip: tt.skip}, nil), tt.size)
			if fmt.Sprint(got) != tt.want {
				t.Fatalf("pages %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRowsThatAreNotKeptAreMadeUpFor(t *testing.T) {
	d := &database{pages: map[string][]int64{"namespaces 0": {1, 9, 9, 9, 2, 3}}}
	ex := exec.New(d, &variant{}, nil)
	read := func(keep func(*exec.Rows) (bool, error)) (got []int64, token []byte, err error) {
		rows, err := ex.Read(t.Context(), listNames, plan.Page{Size: 2})
		if err != nil {
			t.Fatal(err)
		}
		rows.Keep(keep)
		for rows.Next() {
			got = append(got, rows.Int(0))
		}
		token = rows.Token()
		return got, token, rows.Close()
	}
	got, token, err := read(func(r *exec.Rows) (bool, error) { return r.Int(0) != 9, nil })
	if fmt.Sprint(got) != "[1 2]" || len(token) == 0 || err != nil {
		t.Fatalf("read %v, token %v, %v", got, token, err)
	}
	unsettled := &errs.Error{Op: "R", Kind: errs.Unavailable}
	if got, _, err = read(func(*exec.Rows) (bool, error) { return false, unsettled }); len(got) != 0 || !errors.Is(err, unsettled) {
		t.Fatalf("read %v, %v", got, err)
	}
	_, _, err = read(func(*exec.Rows) (bool, error) { return false, errors.New("x") })
	if e := failure(t, err); e.Kind != errs.Internal || e.Op != listNames.Name {
		t.Fatalf("error %+v", e)
	}
}

func TestReadsThatCannotBe(t *testing.T) {
	point := &plan.Read{Name: "R", Table: plan.Namespaces, Columns: listNames.Columns, Eq: 1}
	d := &database{pages: map[string][]int64{"namespaces 0": {1, -1}}}
	ex := exec.New(d, &variant{}, nil)
	if err := ex.Compile(listNames, &plan.Read{Name: "R2", Table: plan.Shards, Desc: true}); err == nil || !strings.Contains(err.Error(), "dialect scripted cannot carry this read") {
		t.Fatalf("Compile() = %v", err)
	}
	tests := []struct {
		name string
		read *plan.Read
		page plan.Page
		args []any
		kind errs.Kind
	}{
		{"too few arguments", point, plan.Page{}, nil, errs.Internal},
		{"an argument that cannot be", point, plan.Page{}, []any{"bad"}, errs.Invalid},
		{"a token of another read", listNames, plan.Page{Token: []byte{7}}, nil, errs.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ex.Read(t.Context(), tt.read, tt.page, tt.args...)
			if e := failure(t, err); e.Kind != tt.kind || e.Outcome != errs.NotApplied {
				t.Fatalf("Read() = %+v", e)
			}
		})
	}
	r, err := ex.Read(t.Context(), listNames, plan.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
	}
	if r.Token() != nil {
		t.Fatal("a read that failed has a next page")
	}
	if e := failure(t, r.Close()); e.Kind != errs.Corrupt || !strings.Contains(e.Error(), "column x is negative") {
		t.Fatalf("Close() = %+v", e)
	}
}

func TestAnErrorAtTheEndIsNotTheEnd(t *testing.T) {
	d := &database{pages: map[string][]int64{"namespaces 0": {1}}, broken: errors.New("cut"), limit: 5}
	r, err := exec.New(d, &variant{}, nil).Read(t.Context(), listNames, plan.Page{Size: 2})
	if err != nil {
		t.Fatal(err)
	}
	for r.Next() {
	}
	if r.Close() == nil || r.Token() != nil {
		t.Fatal("a broken read looks like the end of the data")
	}
}

func TestOne(t *testing.T) {
	d := &database{pages: map[string][]int64{"namespaces 0": {4}}}
	point := &plan.Read{Name: "R", Table: plan.Namespaces, Columns: listNames.Columns, Eq: 1}
	r, found, err := exec.One(t.Context(), exec.New(d, &variant{}, nil), point, "n")
	if err != nil || !found || r.Int(0) != 4 {
		t.Fatalf("One() = %v, %v", found, err)
	}
	d.pages = nil
	if _, found, err = exec.One(t.Context(), exec.New(d, &variant{}, nil), point, "n"); err != nil || found {
		t.Fatalf("One() of nothing = %v, %v", found, err)
	}
}
