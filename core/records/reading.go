package records

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// reading gathers one page.
type reading struct {
	s       *Source
	pos     *position
	rows    int // that the page should have
	out     []Record
	bytes   int
	garbage int
}

func (r *reading) full() bool { return len(r.out) >= r.rows || r.bytes >= r.s.o.PageBytes }

func (r *reading) add(all []Record) {
	for i := range all {
		r.bytes += all[i].Size()
	}
	if len(r.out) == 0 {
		r.out = all
		return
	}
	r.out = append(r.out, all...)
}

// hint is how many rows the next page should ask for, so that its size is about
// what is wanted. Small pages grow again.
func (r *reading) hint() int {
	if len(r.out) == 0 {
		return 0
	}
	each := max(1, r.bytes/len(r.out))
	return min(max(1, r.s.o.PageBytes/each), r.s.o.PageRows, max(firstRows, 4*r.rows))
}

func (r *reading) nextStep() {
	*r.pos = position{Version: r.pos.Version, Part: r.pos.Part, Step: r.pos.Step + 1}
}

// flat reads one page of a single read.
func (r *reading) flat(ctx context.Context, st *step) error {
	all, next, err := r.s.readPage(ctx, &st.scans[0], st.scans[0].args(nil), r.pos.Token, r.rows)
	if err != nil {
		return err
	}
	if n := len(all); n > 0 && st.scans[0].read.Table.Sequenced {
		first, last := all[0].appendKey(nil), all[n-1].appendKey(nil)
		if bytes.Equal(first, r.pos.Last) {
			all = all[1:]
		}
		r.pos.Last = last
	}
	r.add(all)
	if r.pos.Token = next; next == nil {
		r.nextStep()
	}
	return nil
}

// nested reads a page of each of several partitions, or lists more partitions.
func (r *reading) nested(ctx context.Context, st *step) error {
	if len(r.pos.Pending) == 0 {
		if r.pos.Listed {
			r.nextStep()
			return nil
		}
		keys, next, err := st.list.page(ctx, r.pos.Token, 16*r.s.o.Concurrency)
		if err != nil {
			return err
		}
		for _, key := range keys {
			r.pos.Pending = append(r.pos.Pending, pending{Key: encodeKey(st.list, key)})
		}
		r.pos.Token, r.pos.Listed = next, next == nil
		return nil
	}
	batch := r.pos.Pending[:min(len(r.pos.Pending), r.s.o.Concurrency)]
	size := max(1, min(r.rows, max(16, r.rows/4)))
	results := make([]partial, len(batch))
	var wg sync.WaitGroup
	for i := range batch {
		wg.Go(func() { results[i] = r.s.readSome(ctx, st, batch[i], size) })
	}
	wg.Wait()
	var left []pending
	for i := range results {
		res := &results[i]
		if res.err != nil {
			return res.err
		}
		r.add(res.records)
		if !res.done {
			left = append(left, res.at)
		}
	}
	r.pos.Pending = slices.Concat(left, r.pos.Pending[len(batch):])
	return nil
}

// partial is what was read of one partition.
type partial struct {
	records []Record
	at      pending
	done    bool
	err     error
}

// readSome reads at most about size rows of a partition.
func (s *Source) readSome(ctx context.Context, st *step, at pending, size int) (res partial) {
	res.at = at
	key, err := decodeKey(st.list, at.Key)
	if err != nil {
		res.err = err
		return res
	}
	read := 0
	for res.at.Sub < len(st.scans) {
		if len(res.records) >= size || read > s.o.PageBytes/s.o.Concurrency {
			return res
		}
		sc := &st.scans[res.at.Sub]
		all, next, err := s.readPage(ctx, sc, sc.args(key), res.at.Token, size)
		if err != nil {
			res.err = err
			return res
		}
		for i := range all {
			read += all[i].Size()
		}
		res.records = append(res.records, all...)
		if res.at.Token = next; next == nil {
			res.at.Sub++
		}
	}
	res.done = true
	return res
}

// readPage reads one page of rows as records.
func (s *Source) readPage(
	ctx context.Context, sc *scan, args []any, token []byte, size int,
) (all []Record, next []byte, err error) {
	for attempt := 0; ; attempt++ {
		// A server counts what is left of a life while it answers. If the answer
		// was long in coming, nobody knows when that was.
		asked := s.o.Now()
		rows, err := s.ex.Read(ctx, sc.read, plan.Page{Size: size, Token: token}, args...)
		if err != nil {
			return nil, nil, err
		}
		late := s.o.Now().Sub(asked) > slow
		all, expires := s.gather(rows, sc, countedFrom(s.ex.Traits().ShardPartition, asked))
		next = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, nil, err
		}
		if !expires || !late || attempt == resends {
			return all, next, nil
		}
		size = max(1, size/smaller)
	}
}

// Lives are in whole seconds, and begin or are counted when the server does its
// work. An exchange that took longer than slow is repeated up to resends times if
// anything in it expires, a page with a fraction of its rows, so that instants stay
// within [ExpiryTolerance].
const (
	slow    = 700 * time.Millisecond
	resends = 3
	smaller = 5
)

// countedFrom is from when lives that are read at now are counted, in milliseconds
// since 1970: where a shard is one partition (Apache Cassandra) the server's clock
// is of whole seconds, and what it says is exact. Others round up what is left.
func countedFrom(wholeSeconds bool, now time.Time) int64 {
	if wholeSeconds {
		return now.Unix() * 1000
	}
	return now.UnixMilli() - 500
}

// gather makes records of rows. expires tells whether one of them does.
func (s *Source) gather(rows *exec.Rows, sc *scan, from int64) (all []Record, expires bool) {
	t := sc.read.Table
	width := len(t.Key) + len(t.Columns)
	for rows.Next() {
		// Key and values lie in one array.
		values := make([]any, width)
		for i := range values {
			values[i] = normal(rows.Value(i))
		}
		rec := Record{Key: values[:len(t.Key):len(t.Key)], Values: values[len(t.Key):]}
		rec.Kind = kindOf(t, rec.Key)
		if sc.read.TTLOf != nil && !rows.Null(width) {
			rec.Expires = from + rows.Int(width)*1000
			expires = true
		}
		rec.free()
		if sc.keep != nil && !sc.keep(&rec) {
			continue
		}
		if sc.unit != nil {
			rec.Unit = sc.unit(&rec)
		}
		all = append(all, rec)
	}
	return all, expires
}
