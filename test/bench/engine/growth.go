package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
)

// pageOf reads one page of a partition from the start.
func pageOf(s *gocql.Session, rows int) func(int) error {
	return func(int) error {
		return page(s, 1, 0, rows, rows)
	}
}

// page reads rows of partition k from c on.
func page(s *gocql.Session, k, c, size, want int) error {
	iter := s.Query("SELECT c, v FROM bench.many WHERE k = ? AND c >= ?", k, c).PageSize(size).PageState(nil).Iter()
	n := iter.NumRows()
	var v []byte
	for range n {
		if !iter.Scan(&c, &v) {
			break
		}
	}
	if err := iter.Close(); err != nil {
		return err
	}
	if n != want {
		return fmt.Errorf("%d rows, want %d", n, want)
	}
	return nil
}

// queueRead is how many tasks a read of a queue takes.
const queueRead = 100

// queue compares reads of the head of a queue: of one that is fresh, and of one in
// which many tasks were inserted and deleted, read from the last acknowledged key.
func queue(o options) (any, error) {
	p, err := open(o)
	if err != nil {
		return nil, err
	}
	defer p.close() //nolint:errcheck // a benchmark's directory
	const fresh, used, piece, live = 1, 2, 200, 1000
	put := func(k, from, n int) error {
		for at := from; at < from+n; at += piece {
			b := p.pipe.NewBatch(gocql.UnloggedBatch)
			for c := at; c < min(at+piece, from+n); c++ {
				b.Query("INSERT INTO bench.many (k, c, v) VALUES (?, ?, ?)", k, c, value[:100])
			}
			if err := p.pipe.ExecuteBatch(b); err != nil {
				return err
			}
		}
		return nil
	}
	began := time.Now()
	// In turns, as a queue is used: some tasks come, then they are done, one by one.
	for at := 0; at < o.queue; at += live {
		n := min(live, o.queue-at)
		if err := put(used, at, n); err != nil {
			return nil, err
		}
		for c := at; c < at+n; c += piece {
			b := p.pipe.NewBatch(gocql.UnloggedBatch)
			for i := c; i < min(c+piece, at+n); i++ {
				b.Query("DELETE FROM bench.many WHERE k = ? AND c = ?", used, i)
			}
			if err := p.pipe.ExecuteBatch(b); err != nil {
				return nil, err
			}
		}
	}
	filled := time.Since(began)
	for _, k := range []struct{ key, from int }{{fresh, 0}, {used, o.queue}} {
		if err := put(k.key, k.from, live); err != nil {
			return nil, err
		}
	}
	settle(time.Minute)
	d, err := fight(
		o, 1,
		func(int) error { return page(p.pipe, used, o.queue, queueRead, queueRead) },
		func(int) error { return page(p.pipe, fresh, 0, queueRead, queueRead) },
	)
	if err != nil {
		return nil, err
	}
	start, _, err := spell(1, o.block, func(int) error { return page(p.pipe, used, 0, queueRead, queueRead) })
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"a": "used queue, from the last acknowledged key", "b": "fresh queue", "tasks_inserted_and_deleted": o.queue,
		"filled_in_seconds": filled.Seconds(), "rows_read": queueRead, "head": d,
		"used_queue_from_its_start":     start,
		"time_used_to_fresh_at_the_p50": d.A.P50 / d.B.P50,
	}, nil
}

// size is what a table of so many rows costs.
type size struct {
	Rows    int     `json:"rows"`
	DiskMiB float64 `json:"disk_mib"`
	Filled  float64 `json:"filled_in_seconds"`
	Settled float64 `json:"then_idle_after_seconds"` // compactions done; 120: not waited for any longer
	Select  figures `json:"select_by_key"`
	Page    figures `json:"page_of_100"`
	Insert  figures `json:"insert_16_in_flight"`
	Batch   figures `json:"conditional_batch_16_in_flight"`
	Memory  float64 `json:"memory_mib"` // of the process, benchmark included
}

// growth measures the same statements on tables of 10^4 to 10^7 rows.
func growth(o options) (any, error) {
	p, err := open(o)
	if err != nil {
		return nil, err
	}
	defer p.close() //nolint:errcheck // a benchmark's directory
	var out []size
	have := 0
	if err := lease(p.pipe); err != nil {
		return nil, err
	}
	for _, rows := range o.rows {
		began := time.Now()
		// Keys of partitions are from 2 on: 1 is the one that conditional batches write.
		if err := fill(p.pipe, 2+have/1000, rows-have); err != nil {
			return nil, err
		}
		have = rows
		s := size{Rows: rows, Filled: time.Since(began).Seconds()}
		s.Settled = settle(2 * time.Minute).Seconds()
		parts := rows / 1000
		// Keys from all over the table, no two near each other.
		at := func(i int) (k, c int) { n := i * 7919 % rows; return 2 + n/1000%parts, n % 1000 }
		for _, m := range []struct {
			into *figures
			conc int
			op   func(int) error
		}{
			{&s.Select, 1, func(i int) error {
				k, c := at(i)
				var v []byte
				return p.pipe.Query("SELECT v FROM bench.many WHERE k = ? AND c = ?", k, c).Scan(&v)
			}},
			{&s.Page, 1, func(i int) error { k, _ := at(i); return page(p.pipe, k, 500, 100, 100) }},
			{&s.Insert, 16, func(i int) error {
				k, c := at(i)
				return p.pipe.Query("INSERT INTO bench.many (k, c, v) VALUES (?, ?, ?)", k, c, value[:100]).Exec()
			}},
			{&s.Batch, 16, conditionalBatch(p.pipe)},
		} {
			if *m.into, _, err = spell(m.conc, o.block, m.op); err != nil {
				return nil, err
			}
		}
		if s.DiskMiB, err = diskMiB(p.dir); err != nil {
			return nil, err
		}
		s.Memory = float64(process.Memory()) / (1 << 20)
		out = append(out, s)
	}
	return out, nil
}

func diskMiB(dir string) (float64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return nil // a file that compaction has just removed
	})
	return float64(total) / (1 << 20), err
}
