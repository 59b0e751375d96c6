// Package lease keeps a right in one row of a table: whoever inserts the row has
// it, until the row expires or is deleted. A holder that lives renews it; one that
// died is out of the way after a while, without anybody's judgement.
package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Row is where a lease is kept. Names are CQL as it stands, quoted where need be.
type Row struct {
	Admin  cql.Admin
	Table  string
	Key    []string // the table's key columns
	Values []any    // and what they are in this row
	Column string   // that holds the owner's text
	// Time is how long a lease outlives a holder that died, in whole seconds. A
	// holder renews it every third of that.
	Time time.Duration
}

// where is the condition that names the row.
func (r *Row) where() string { return strings.Join(r.Key, " = ? AND ") + " = ?" }

func (r *Row) args(before []any, after ...any) []any {
	return append(append(before, r.Values...), after...)
}

// retryEvery is how long Take waits after a server gave up waiting for another.
const retryEvery = 200 * time.Millisecond

// Take inserts the row. False means that somebody has the lease. Servers that are
// busy, or that several ask for the lease at once, give up and cannot tell whether
// the row was inserted: then Take does it again, for a third of the lease's time, and
// has the lease if it finds owner in the row, which must be the text of nobody else.
func (r *Row) Take(ctx context.Context, owner string) (bool, error) {
	begin, unsure := time.Now(), false
	for {
		ok, err := r.insert(ctx, owner)
		switch {
		case err == nil && (ok || !unsure):
			return ok, nil
		case err == nil:
			holder, err := r.Owner(ctx)
			return holder == owner, err
		case !gaveUp(err) || time.Since(begin) > r.Time/3:
			return false, err
		}
		unsure = true
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(retryEvery):
		}
	}
}

// gaveUp tells answers of a server that waited in vain for others.
func gaveUp(err error) bool {
	var e *cql.Error
	if !errors.As(err, &e) || e.Reach != cql.Replied {
		return false
	}
	switch e.Code {
	case cql.CodeWriteTimeout, cql.CodeReadTimeout, cql.CodeCASUnknown, cql.CodeOverloaded:
		return true
	default:
		return false
	}
}

func (r *Row) insert(ctx context.Context, owner string) (bool, error) {
	return r.Admin.CAS(ctx, fmt.Sprintf("INSERT INTO %s (%s, %s) VALUES (%s?) IF NOT EXISTS USING TTL %d",
		r.Table, strings.Join(r.Key, ", "), r.Column, strings.Repeat("?, ", len(r.Key)), int(r.Time.Seconds())), r.args(nil, owner)...)
}

// Replace gives the lease to owner for another while if it is before's. The row
// was inserted once, and this rewrites its column: the row's own life ends with the
// first lease, the column carries it on, and the condition tests the column.
func (r *Row) Replace(ctx context.Context, before, owner string) (bool, error) {
	return r.Admin.CAS(ctx, fmt.Sprintf("UPDATE %s USING TTL %d SET %s = ? WHERE %s IF %s = ?",
		r.Table, int(r.Time.Seconds()), r.Column, r.where(), r.Column), r.args([]any{owner}, before)...)
}

// Owner returns the text of whoever has the lease, "" if nobody does.
func (r *Row) Owner(ctx context.Context) (string, error) {
	rows, err := r.Admin.Query(ctx, fmt.Sprintf("SELECT %s FROM %s WHERE %s", r.Column, r.Table, r.where()), r.Values...)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	owner, _ := rows[0][r.Column].(string)
	return owner, nil
}

// Held is a lease that is being renewed.
type Held struct {
	row    *Row
	owner  string
	lost   func(error) error
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// Keep renews the lease that owner was given by a request that began at begin. The
// context that it returns ends when the lease is lost, and no later than a third of
// its time before others can take it; lost makes the cause of that from the error
// that kept it from being renewed, nil if it is another's already.
func (r *Row) Keep(ctx context.Context, owner string, begin time.Time, lost func(error) error) (*Held, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &Held{row: r, owner: owner, lost: lost, cancel: cancel, done: make(chan struct{})}
	go h.renew(ctx, begin.Add(r.Time))
	return h, ctx
}

// renew extends the lease, which ends at expires, until ctx is done.
func (h *Held) renew(ctx context.Context, expires time.Time) {
	defer close(h.done)
	tick := time.NewTicker(h.row.Time / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begin := time.Now()
		request, cancel := context.WithTimeout(ctx, h.row.Time/4)
		ok, err := h.row.Replace(request, h.owner, h.owner)
		cancel()
		switch {
		case err == nil && ok:
			expires = begin.Add(h.row.Time)
		case err == nil || !time.Now().Add(h.row.Time/3).Before(expires):
			h.cancel(h.lost(err))
			return
		}
	}
}

// Release ends the lease. Should that not work, it ends by itself.
func (h *Held) Release(ctx context.Context) {
	h.cancel(nil)
	<-h.done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	r := h.row
	_, _ = r.Admin.CAS(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s IF %s = ?", r.Table, r.where(), r.Column), r.args(nil, h.owner)...)
}
