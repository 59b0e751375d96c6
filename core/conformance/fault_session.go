package conformance

import (
	"context"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// when says on which side of a request a fault lies.
type when string

const (
	before when = "before" // the request never reaches the database
	after  when = "after"  // the database has done it, its reply is lost
)

// faulty is a session that fails one request: the at-th one, counted from 1
// across Exec and Query. A query that fails after the database answered shows
// its rows and then fails, as a page whose connection breaks does.
type faulty struct {
	cql.Session

	mu    sync.Mutex
	armed bool
	seen  int // requests since it was armed
	at    int
	when  when
	err   error
	hook  func() // called once in place of the fault, if set, after the request
	wrote bool   // the request that failed was a write
	dead  bool   // all requests after it fail too, and are not sent
}

func (f *faulty) arm(at int, w when, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.seen, f.at, f.when, f.err, f.hook, f.wrote, f.dead = true, 0, at, w, err, nil, false, false
}

// die has everything fail after the fault that it is armed with.
func (f *faulty) die() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// hookAfter runs a function after the at-th request, a query, and before its
// rows are handed out.
func (f *faulty) hookAfter(at int, hook func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.seen, f.at, f.hook = true, 0, at, hook
}

// disarm lets everything pass and returns how many requests there were.
func (f *faulty) disarm() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return f.seen
}

// hitWrite tells whether the request that failed since it was armed was a write.
func (f *faulty) hitWrite() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wrote
}

// next counts a request and tells whether it is the one that fails.
func (f *faulty) next() (fails bool, w when, err error) {
	f.mu.Lock()
	if !f.armed {
		f.mu.Unlock()
		return false, "", nil
	}
	f.seen++
	hit, hook, dead := f.seen == f.at, f.hook, f.dead && f.seen > f.at
	f.mu.Unlock()
	if hook != nil {
		return false, "", nil
	}
	if dead {
		return true, before, f.err
	}
	return hit, f.when, f.err
}

// hooked runs the hook if the request that ended is the one that it waits for.
func (f *faulty) hooked() {
	f.mu.Lock()
	hook := f.hook
	if !f.armed || hook == nil || f.seen != f.at {
		f.mu.Unlock()
		return
	}
	f.hook = nil
	f.mu.Unlock()
	hook()
}

func (f *faulty) Exec(ctx context.Context, s *cql.Step) (cql.Result, error) {
	fails, w, fault := f.next()
	if fails {
		f.mu.Lock()
		f.wrote = true
		f.mu.Unlock()
	}
	if fails && w == before {
		return cql.Result{}, fault
	}
	res, err := f.Session.Exec(ctx, s)
	if fails && err == nil {
		return cql.Result{}, fault
	}
	return res, err
}

func (f *faulty) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	fails, w, fault := f.next()
	if fails && w == before {
		return nil, fault
	}
	rows, err := f.Session.Query(ctx, c, page)
	f.hooked()
	if fails && err == nil {
		return &brokenRows{Rows: rows, err: fault}, nil
	}
	return rows, err
}

// brokenRows are rows whose end is an error.
type brokenRows struct {
	cql.Rows
	err error
}

// Next names no further page: only the error says that there would be one.
func (*brokenRows) Next() []byte { return nil }

func (b *brokenRows) Close() error {
	_ = b.Rows.Close()
	return b.err
}
