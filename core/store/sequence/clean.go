package sequence

import (
	"context"
	"slices"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

const (
	// lateness is how long a row of an attempt may still arrive after its sender
	// gave up: the server works on for 60 s.
	lateness = 90 * time.Second
	// rangeRests is how long after a range has ended its rows are looked through.
	// Until then its end is kept, and with it what tells its rows apart; after
	// that every row of it is shown. So it must outlast a deposed owner that does
	// not know it: freshFor, the time of one call, the 60 s of the server, and a
	// pause of the process just before it sends something.
	rangeRests = 10 * time.Minute
	// cleanEvery is how often it is looked whether something is due.
	cleanEvery = 10 * time.Second
	// cleanFor bounds one statement of the cleaner.
	cleanFor = 10 * time.Second
	// cleanRows is how many rows one statement deletes, and scanRows how many one
	// page of a scan has.
	cleanRows, scanRows = 64, 1000
	// maxLitter bounds how many attempts of a shard are kept for deletion; those
	// beyond are found by the scan when their range has ended.
	maxLitter = 1000
)

// litter are the rows of an attempt that never takes effect.
type litter struct {
	rangeID, number int64
	keys            [][]any
	stored          bool      // they are there now
	due             time.Time // when none can arrive any more
}

// scan is due for the ranges up to one that has ended.
type scan struct {
	upTo int64
	due  time.Time
}

var scanTasks = &plan.Read{Name: "ScanTasks", Table: plan.NumberedTasks, Eq: 1, Columns: plan.NumberedTasks.Key[1:]}

// throwAway has the rows of an attempt deleted. s.mu is held.
func (s *shard) throwAway(a *attempt, stored bool) {
	if len(s.litter) < maxLitter {
		s.litter = append(s.litter, litter{s.lease.rangeID, a.number, a.keys, stored, time.Now().Add(lateness)})
	}
}

// scanLater has the rows of ended ranges looked through when nothing of them can
// arrive any more.
func (s *shard) scanLater(upTo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scans = append(s.scans, scan{upTo, time.Now().Add(rangeRests)})
}

// poke wakes the cleaner.
func (x *Executor) poke() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// clean runs until the Executor is closed. What fails is tried again at the next
// turn: nothing waits for it.
func (x *Executor) clean() {
	defer close(x.done)
	tick := time.NewTicker(cleanEvery)
	defer tick.Stop()
	for {
		select {
		case <-x.ctx.Done():
			return
		case <-tick.C:
		case <-x.wake:
		}
		x.mu.Lock()
		shards := make([]*shard, 0, len(x.shards))
		for _, s := range x.shards {
			shards = append(shards, s)
		}
		x.mu.Unlock()
		for _, s := range shards {
			x.cleanLitter(s)
			x.cleanRanges(s)
		}
	}
}

// cleanLitter deletes rows of attempts. Those that are stored go at once, and
// once more when none can arrive any more: then the number need not be kept.
func (x *Executor) cleanLitter(s *shard) {
	s.mu.Lock()
	now := time.Now()
	var due []litter
	for i := range s.litter {
		if l := &s.litter[i]; l.stored || !now.Before(l.due) {
			due = append(due, *l)
			l.stored = false
		}
	}
	s.mu.Unlock()
	for _, l := range due {
		gone := x.deleteRows(l.keys) == nil
		if now.Before(l.due) || !gone {
			continue
		}
		x.unburn(s, l)
	}
}

// unburn forgets a number that has no rows and never will have.
func (x *Executor) unburn(s *shard, l litter) {
	select {
	case s.turn <- struct{}{}:
	case <-x.ctx.Done():
		return
	}
	defer s.release()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.litter = slices.DeleteFunc(s.litter, func(o litter) bool { return o.rangeID == l.rangeID && o.number == l.number })
	s.lease.burned = without(s.lease.burned, l.rangeID, l.number)
	s.pending = without(s.pending, l.rangeID, l.number)
}

// deleteRows deletes rows by their whole keys.
func (x *Executor) deleteRows(keys [][]any) error {
	for chunk := range slices.Chunk(keys, cleanRows) {
		w := &plan.Write{Name: "CleanTasks", Scope: plan.Atomic}
		for _, key := range chunk {
			w.Mutations = append(w.Mutations, plan.Mutation{Table: plan.NumberedTasks, Op: plan.Delete, Key: key, Ahead: true})
		}
		ctx, cancel := context.WithTimeout(x.ctx, cleanFor)
		err := x.inner.Write(ctx, w)
		cancel()
		if err != nil {
			return err
		}
		x.observe.Count(CleanedRows, len(chunk))
	}
	return nil
}

// cleanRanges looks through the rows of ranges that have ended, deletes the
// hidden ones, and then forgets what made them so.
func (x *Executor) cleanRanges(s *shard) {
	s.mu.Lock()
	now, own, l := time.Now(), s.own, s.lease
	upTo, due := int64(0), false
	for _, d := range s.scans {
		if !now.Before(d.due) {
			upTo, due = max(upTo, d.upTo), true
		}
	}
	s.mu.Unlock()
	if !own || !due || x.scan(s, &l, upTo) != nil {
		return
	}
	select {
	case s.turn <- struct{}{}:
	case <-x.ctx.Done():
		return
	}
	defer s.release()
	s.mu.Lock()
	if !s.own || s.lease.rangeID < l.rangeID {
		s.mu.Unlock()
		return
	}
	s.lease.ends = slices.DeleteFunc(slices.Clone(s.lease.ends), func(e end) bool { return e.rangeID <= upTo })
	s.lease.burned = slices.DeleteFunc(slices.Clone(s.lease.burned), func(b span) bool { return b.rangeID <= upTo })
	s.litter = slices.DeleteFunc(s.litter, func(t litter) bool { return t.rangeID <= upTo })
	s.scans = slices.DeleteFunc(s.scans, func(d scan) bool { return d.upTo <= upTo })
	s.mu.Unlock()
	// A barrier stores what is left. If it fails the next one does.
	ctx, cancel := context.WithTimeout(x.ctx, settleFor)
	defer cancel()
	_, _, _ = x.settle(ctx, s)
}

// scan deletes the hidden rows of ranges up to one.
func (x *Executor) scan(s *shard, l *lease, upTo int64) error {
	var token []byte
	for {
		ctx, cancel := context.WithTimeout(x.ctx, cleanFor)
		hidden, next, err := x.hidden(ctx, s, l, upTo, token)
		cancel()
		if err != nil {
			return err
		}
		if err := x.deleteRows(hidden); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		token = next
	}
}

// hidden returns the keys of the hidden rows of one page.
func (x *Executor) hidden(ctx context.Context, s *shard, l *lease, upTo int64, token []byte) (keys [][]any, next []byte, err error) {
	rows, err := x.inner.Read(ctx, scanTasks, plan.Page{Size: scanRows, Token: token}, s.id)
	if err != nil {
		return nil, nil, err
	}
	n := len(scanTasks.Columns)
	for rows.Next() {
		if rangeID := rows.Int(n - 2); rangeID > upTo || l.shows(rangeID, rows.Int(n-1)) {
			continue
		}
		key := append(make([]any, 0, n+1), s.id)
		for i := range n {
			key = append(key, rows.Value(i))
		}
		keys = append(keys, key)
	}
	next = rows.Token()
	return keys, next, rows.Close()
}
