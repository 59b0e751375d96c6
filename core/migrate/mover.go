package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// pageSizes are how many rows a page may have: a page that times out is asked for
// again with fewer.
var pageSizes = []int{2000, 500, 100, 20, 4, 1}

// pageBytes is the size of a page. A copy holds about three pages for each of its
// workers.
const pageBytes = 1 << 20

// pager reads pages of one side, smaller ones after a timeout, at the pace that the
// side's flow allows. It is safe for concurrent use.
type pager struct {
	side    *Side
	sources []*records.Source // by page size
	points  *records.Source   // for single records: its reads are repeated
}

func (s *Side) pager(o records.Options) (*pager, error) {
	o.PageBytes = pageBytes
	src, err := s.sourceOver(s.read, o)
	if err != nil {
		return nil, err
	}
	p := &pager{side: s}
	if p.points, err = s.source(o); err != nil {
		return nil, err
	}
	for _, rows := range pageSizes {
		p.sources = append(p.sources, src.Sized(rows, min(8, max(1, rows/10))))
	}
	return p, nil
}

// errTooLarge is where even the smallest page of a part was not answered in time.
var errTooLarge = errors.New("not even a page of one row was answered in time")

// firstWait is how long one waits before what failed is tried again; twice as long
// each time, up to lastWait.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// reader reads one part.
type reader struct {
	*pager
	size int // index of the page size
	good int // pages since it shrank
}

// page reads the next page and tries again where that may help.
func (r *reader) page(ctx context.Context, part records.Part, at records.Cursor) (records.Page, error) {
	begin, wait := time.Now(), firstWait
	for {
		page, err := r.once(ctx, part, at)
		if err == nil {
			if r.good++; r.good >= 20 && r.size > 0 {
				r.size, r.good = r.size-1, 0
			}
			return page, nil
		}
		if ctx.Err() != nil {
			return page, context.Cause(ctx)
		}
		switch kind := errs.KindOf(err); {
		case kind == errs.Timeout || kind == errs.Overloaded:
			r.good = 0
			if r.size < len(pageSizes)-1 {
				r.size++
				begin, wait = time.Now(), firstWait // what is asked for next is another page
			} else if time.Since(begin) > r.side.patience/4 {
				return page, fmt.Errorf("read %s of the %s: %w: %w", part, r.side.Name, errTooLarge, err)
			}
		case kind != errs.Unavailable:
			return page, fmt.Errorf("read %s of the %s: %w", part, r.side.Name, err)
		}
		if time.Since(begin) > r.side.patience {
			return page, fmt.Errorf("read %s of the %s: %w", part, r.side.Name, err)
		}
		if err := sleep(ctx, wait); err != nil {
			return page, err
		}
		wait = min(2*wait, lastWait)
	}
}

func (r *reader) once(ctx context.Context, part records.Part, at records.Cursor) (records.Page, error) {
	f := r.side.flow
	if err := f.acquire(ctx); err != nil {
		return records.Page{}, err
	}
	page, err := r.sources[r.size].Page(ctx, part, at)
	f.release()
	if err != nil {
		return page, err
	}
	return page, f.spend(ctx, len(page.Records), sizeOf(page.Records))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// passes tells failures of a database that may be over when one asks again.
func passes(err error) bool {
	switch errs.KindOf(err) {
	case errs.Timeout, errs.Overloaded, errs.Unavailable:
		return true
	default:
		return false
	}
}

// steady is an executor whose reads are repeated while they fail in ways that pass,
// for as long as patience lasts.
type steady struct {
	exec.Executor
	patience time.Duration
}

// Read implements exec.Executor.
func (s steady) Read(ctx context.Context, r *plan.Read, page plan.Page, args ...any) (*exec.Rows, error) {
	begin, wait := time.Now(), firstWait
	for {
		rows, err := s.Executor.Read(ctx, r, page, args...)
		if err == nil || !passes(err) || time.Since(begin) > s.patience || sleep(ctx, wait) != nil {
			return rows, err
		}
		wait = min(2*wait, lastWait)
	}
}

func sizeOf(all []records.Record) int {
	n := 0
	for i := range all {
		n += all[i].Size()
	}
	return n
}

// putter writes records to one side, at the pace that its flow allows. It is safe
// for concurrent use.
type putter struct {
	side   *Side
	writer *records.Writer
	locks  shardLocks
}

func (s *Side) putter(fence int64) (*putter, error) {
	w, err := s.writer(fence)
	if err != nil {
		return nil, err
	}
	return &putter{side: s, writer: w, locks: shardLocks{alone: s.raw.Traits().ShardPartition}}, nil
}

// put writes records, over what is there if replace is set, and tries again where
// that may help: writing a record again changes nothing.
func (p *putter) put(ctx context.Context, all []records.Record, replace bool) error {
	if len(all) == 0 {
		return nil
	}
	refs := make([]records.Ref, len(all))
	for i := range all {
		refs[i] = all[i].Ref()
	}
	err := p.do(ctx, refs, sizeOf(all), func(ctx context.Context) error {
		if replace {
			return p.writer.Replace(ctx, all)
		}
		return p.writer.Put(ctx, all)
	})
	if err != nil && ctx.Err() == nil {
		for i := range all { // perhaps one of them is the cause
			if why := p.writer.Fits(&all[i]); why != "" {
				return fmt.Errorf("write the %s: %s %s", p.side.Name, refs[i], why)
			}
		}
	}
	return err
}

// remove deletes records by their names.
func (p *putter) remove(ctx context.Context, refs []records.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	return p.do(ctx, refs, 64*len(refs), func(ctx context.Context) error { return p.writer.Delete(ctx, refs) })
}

func (p *putter) do(ctx context.Context, refs []records.Ref, size int, write func(context.Context) error) error {
	unlock := p.locks.lock(refs)
	defer unlock()
	begin, wait := time.Now(), firstWait
	for {
		if err := p.side.flow.acquire(ctx); err != nil {
			return err
		}
		err := write(ctx)
		p.side.flow.release()
		if err == nil {
			return p.side.flow.spend(ctx, len(refs), size)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !passes(err) || time.Since(begin) > p.side.patience {
			return fmt.Errorf("write the %s: %w", p.side.Name, err)
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lastWait)
	}
}

// shardLocks let one call at a time write a shard, where a shard is one partition
// that is written conditionally: calls side by side would only refuse each other.
type shardLocks struct {
	alone bool
	all   sync.Map // int64 -> *sync.Mutex
}

func (l *shardLocks) lock(refs []records.Ref) (unlock func()) {
	if !l.alone {
		return func() {}
	}
	var shards []int64
	for _, ref := range refs {
		switch ref.Kind {
		case records.Shard, records.Current, records.Execution, records.HistoryTask, records.ReplicationDLQ:
			if shard, ok := ref.Key[0].(int64); ok {
				shards = append(shards, shard)
			}
		default:
		}
	}
	slices.Sort(shards) // always in one order, so that two never wait for each other
	shards = slices.Compact(shards)
	for _, shard := range shards {
		m, _ := l.all.LoadOrStore(shard, new(sync.Mutex))
		m.(*sync.Mutex).Lock()
	}
	return func() {
		for _, shard := range shards {
			m, _ := l.all.Load(shard)
			m.(*sync.Mutex).Unlock()
		}
	}
}

// mover copies parts.
type mover struct {
	from    *pager
	to      *putter
	replace bool
	count   *tally
}

// tally counts what has been done, for progress. It is safe for concurrent use.
type tally struct {
	rows, bytes atomic.Int64
	// parts in all, done, and done when the verb began.
	parts, done, before atomic.Int64
}

// saveEvery is how often a part's cursor is stored while it is copied.
const saveEvery = 2 * time.Second

// move copies the rest of a part; save is called with the state from which it may
// go on, and at its end. While a page is written the next one is read.
func (m *mover) move(ctx context.Context, w *work, save func(*work) error) error {
	type fetched struct {
		page records.Page
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan fetched, 1)
	var reading sync.WaitGroup
	defer func() {
		cancel()
		reading.Wait()
	}()
	r := &reader{pager: m.from}
	start := w.Cursor
	reading.Go(func() {
		defer close(pages)
		for at := start; ; {
			page, err := r.page(ctx, w.part, at)
			var known *errs.Error
			if err != nil && at != nil && !errors.As(err, &known) && ctx.Err() == nil {
				// The cursor is of another version of package records: from the start.
				page, err = r.page(ctx, w.part, nil)
			}
			select {
			case pages <- fetched{page, err}:
			case <-ctx.Done():
				return
			}
			if at = page.Next; err != nil || at == nil {
				return
			}
		}
	})
	saved := time.Now()
	for f := range pages {
		if f.err != nil {
			return f.err
		}
		if err := m.to.put(ctx, f.page.Records, m.replace); err != nil {
			return fmt.Errorf("copy %s: %w", w.Part, err)
		}
		rows, bytes := int64(len(f.page.Records)), int64(sizeOf(f.page.Records))
		w.Rows, w.Bytes, w.Garbage = w.Rows+rows, w.Bytes+bytes, w.Garbage+int64(f.page.Garbage)
		w.Cursor, w.Done, w.Error = f.page.Next, f.page.Next == nil, ""
		m.count.rows.Add(rows)
		m.count.bytes.Add(bytes)
		if w.Done || time.Since(saved) >= saveEvery {
			saved = time.Now()
			if err := save(w); err != nil {
				return err
			}
		}
	}
	if !w.Done {
		return context.Cause(ctx)
	}
	return nil
}
