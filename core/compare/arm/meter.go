package arm

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
)

// Usage is what one store call sent. It is filled by many goroutines.
type Usage struct {
	// Trips are requests that were waited for one after the other.
	Statements, Trips, Attempts, Rows, BytesOut, BytesIn atomic.Int64

	mu    sync.Mutex
	texts map[string]struct{}
}

// Texts calls each for every distinct statement text.
func (u *Usage) Texts(each func(text string)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for t := range u.texts {
		each(t)
	}
}

func (u *Usage) text(t string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.texts == nil {
		u.texts = map[string]struct{}{}
	}
	u.texts[t] = struct{}{}
}

type usageKey struct{}

// Metered returns a context under which stores that count (see [Stores.Counted])
// fill the returned Usage.
func Metered(ctx context.Context) (context.Context, *Usage) {
	u := new(Usage)
	return context.WithValue(ctx, usageKey{}, u), u
}

// used finds the Usage of a call. What stores do on their own account has none.
func used(ctx context.Context) *Usage {
	u, _ := ctx.Value(usageKey{}).(*Usage)
	return u
}

// observer counts what package exec tells.
type observer struct{}

// Done implements exec.Observer.
func (observer) Done(e *exec.Event) {
	if u := used(e.Ctx); u != nil {
		u.Trips.Add(int64(e.RoundTrips))
		u.Rows.Add(int64(e.Rows))
		u.Attempts.Add(int64(e.Attempts))
	}
}

// tap counts statements on their way to a session.
type tap struct{ cql.Session }

// Exec implements cql.Session.
func (t tap) Exec(ctx context.Context, s *cql.Step) (cql.Result, error) {
	if u := used(ctx); u != nil {
		for i := range s.Calls {
			u.call(&s.Calls[i])
		}
	}
	return t.Session.Exec(ctx, s)
}

// Query implements cql.Session.
func (t tap) Query(ctx context.Context, c cql.Call, page cql.Page) (cql.Rows, error) {
	u := used(ctx)
	if u != nil {
		u.call(&c)
	}
	rows, err := t.Session.Query(ctx, c, page)
	if err != nil || u == nil {
		return rows, err
	}
	return &countedRows{rows, u}, nil
}

func (u *Usage) call(c *cql.Call) {
	u.Statements.Add(1)
	u.text(c.Text)
	u.BytesOut.Add(sizes(c.Args))
}

type countedRows struct {
	cql.Rows
	usage *Usage
}

// Scan implements cql.Rows.
func (r *countedRows) Scan(dest ...any) bool {
	if !r.Rows.Scan(dest...) {
		return false
	}
	r.usage.BytesIn.Add(sizes(dest))
	return true
}

// sizes is about how many bytes values take on the wire, without lengths.
func sizes(values []any) int64 {
	var n int64
	for _, v := range values {
		n += size(v)
	}
	return n
}

func size(v any) int64 {
	switch v := v.(type) {
	case nil, cql.UnsetValue:
		return 0
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case cql.Raw:
		return int64(len(v))
	case *string:
		return int64(len(*v))
	case *[]byte:
		return int64(len(*v))
	case *cql.Raw:
		return int64(len(*v))
	case [16]byte, *[16]byte, gocql.UUID:
		return 16
	case bool, *bool:
		return 1
	case int32, int:
		return 4
	case map[int64][]byte:
		var n int64
		for _, b := range v {
			n += 8 + int64(len(b))
		}
		return n
	case map[string][]byte:
		var n int64
		for k, b := range v {
			n += int64(len(k) + len(b))
		}
		return n
	case []any:
		return sizes(v)
	default:
		return 8
	}
}

// stockObserver counts what stock's Cassandra stores send: one statement after the
// other.
type stockObserver struct{}

// ObserveQuery implements gocql.QueryObserver.
func (stockObserver) ObserveQuery(ctx context.Context, q gocql.ObservedQuery) {
	if u := used(ctx); u != nil {
		u.Trips.Add(1)
		u.Attempts.Add(1)
		u.Statements.Add(1)
		u.text(q.Statement)
		u.Rows.Add(int64(q.Rows))
		u.BytesOut.Add(sizes(q.Values))
	}
}

// ObserveBatch implements gocql.BatchObserver.
func (stockObserver) ObserveBatch(ctx context.Context, b gocql.ObservedBatch) {
	if u := used(ctx); u != nil {
		u.Trips.Add(1)
		u.Attempts.Add(1)
		u.Statements.Add(int64(len(b.Statements)))
		for i, s := range b.Statements {
			u.text(s)
			u.BytesOut.Add(sizes(b.Values[i]))
		}
	}
}
