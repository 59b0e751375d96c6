package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// workers is how many parts are copied or read side by side at most; the limits of
// both sides say how many requests that makes.
const workers = 16

// bulk copies all that the source has, or what is left of that. It may be cut off
// anywhere: the work list says how far each part got.
func (m *Migration) bulk(ctx context.Context) error {
	from, err := m.from.pager(records.Options{FromAckLevel: true, SkipGarbage: true})
	if err != nil {
		return err
	}
	to, err := m.to.putter(m.fence(m.to))
	if err != nil {
		return err
	}
	all, err := m.table.parts(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 || m.run.Phase == Initialized {
		if all, err = m.list(ctx, from.sources[0]); err != nil {
			return err
		}
	}
	mv := &mover{from: from, to: to, count: &m.count}
	m.count.parts.Store(int64(len(all)))
	for _, w := range all {
		m.count.rows.Add(w.Rows)
		m.count.bytes.Add(w.Bytes)
		if w.Done {
			m.count.done.Add(1)
		}
	}
	m.progress.begin("copy")
	for _, phase := range phases {
		if err := m.movePhase(ctx, mv, all, phase); err != nil {
			return err
		}
	}
	return nil
}

// list makes the work list.
func (m *Migration) list(ctx context.Context, src *records.Source) (map[string]*work, error) {
	all := make(map[string]*work)
	for _, p := range src.Parts(spans(m.run.Shards)) {
		w := newWork(p)
		if err := m.table.saveWork(ctx, w); err != nil {
			return nil, err
		}
		all[w.item()] = w
	}
	m.run.Phase = Copying
	return all, m.table.save(ctx, m.run)
}

// movePhase copies all parts of a phase, some side by side. A part that fails does
// not stop the others, unless the failure is everybody's.
func (m *Migration) movePhase(ctx context.Context, mv *mover, all map[string]*work, phase []records.Stage) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	queue := shuffled(all, phase)
	running := 0
	var failed []*work
	var first error
	changed := sync.NewCond(&mu)
	next := func() *work {
		mu.Lock()
		defer mu.Unlock()
		for {
			switch {
			case ctx.Err() != nil || len(queue) == 0 && running == 0:
				return nil
			case len(queue) > 0:
				w := queue[0]
				queue = queue[1:]
				running++
				return w
			}
			changed.Wait() // a part that is running may be split
		}
	}
	end := func(w *work, more []*work, err error) {
		mu.Lock()
		defer mu.Unlock()
		running--
		queue = append(queue, more...)
		if err != nil {
			failed = append(failed, w)
			if first == nil {
				first = err
			}
			if fatal(err) {
				stop(err)
			}
		}
		changed.Broadcast()
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for w := next(); w != nil; w = next() {
				more, err := m.movePart(ctx, mv, w)
				end(w, more, err)
			}
		})
	}
	wg.Wait()
	switch {
	case first != nil && (len(failed) == 1 || fatal(first)):
		return fmt.Errorf("%w: when that is mended, run copy again: it goes on where it stopped", first)
	case first != nil:
		return fmt.Errorf("%d parts could not be copied, the first: %w: when that is mended, run copy again: it goes on where it stopped", len(failed), first)
	}
	return context.Cause(ctx)
}

// movePart copies a part. One that is too much for the source is split: the halves
// are left to do.
func (m *Migration) movePart(ctx context.Context, mv *mover, w *work) (more []*work, err error) {
	err = mv.move(ctx, w, func(w *work) error { return m.table.saveWork(ctx, w) })
	if err == nil {
		m.count.done.Add(1)
		return nil, nil
	}
	if a, b, ok := w.part.Split(); ok && errors.Is(err, errTooLarge) {
		for _, half := range []records.Part{a, b} {
			n := newWork(half)
			if err := m.table.saveWork(ctx, n); err != nil {
				return nil, err
			}
			more = append(more, n)
		}
		m.count.parts.Add(1)
		m.count.rows.Add(-w.Rows)
		m.count.bytes.Add(-w.Bytes)
		return more, m.table.remove(ctx, w.item())
	}
	if ctx.Err() == nil {
		w.Error = err.Error()
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = m.table.saveWork(saving, w) // for status to tell; the part is tried again in any case
	}
	return nil, err
}

// fatal tells failures that every part would meet.
func fatal(err error) bool {
	switch errs.KindOf(err) {
	case errs.Unavailable, errs.Unauthorized, errs.StorageFull, errs.Closed, errs.Conflict:
		return true
	default:
		return errors.Is(err, context.Canceled) || errors.Is(err, errRunTable)
	}
}
