package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// raw is a Pebble database with the engine's settings.
type raw struct {
	dir string
	db  *pebble.DB
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func openRaw(o options) (*raw, error) {
	dir, err := os.MkdirTemp(o.dir, "bench-pebble-")
	if err != nil {
		return nil, err
	}
	// As package storage opens it; what is left out, only reads and caches notice.
	db, err := pebble.Open(dir, &pebble.Options{
		FormatMajorVersion: pebble.FormatTableFormatV6, MemTableSize: 16 << 20, MemTableStopWritesThreshold: 2,
		L0CompactionThreshold: 2, L0StopWritesThreshold: 1000, Logger: quiet{},
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &raw{dir, db}, nil
}

func (r *raw) close() error { return errors.Join(r.db.Close(), os.RemoveAll(r.dir)) }

// commit writes n rows of about the bytes that the engine writes for one, synced.
func (r *raw) commit(n int) func(int) error {
	row := slices.Concat(value, make([]byte, 12))
	return func(i int) error {
		b := r.db.NewBatch()
		for j := range n {
			if err := b.Set(fmt.Appendf(nil, "%020d%012d", i%distinct, j), row, nil); err != nil {
				return err
			}
		}
		return b.Commit(pebble.Sync)
	}
}

// besideRaw opens both and lets measure compare them.
func besideRaw(o options, measure func(*place, *raw) (any, error)) (any, error) {
	p, err := open(o)
	if err != nil {
		return nil, err
	}
	defer p.close() //nolint:errcheck // a benchmark's directory
	r, err := openRaw(o)
	if err != nil {
		return nil, err
	}
	defer r.close() //nolint:errcheck // a benchmark's directory
	v, err := measure(p, r)
	return map[string]any{"a": "gocql over the pipe", "b": "raw Pebble, synced", "duels": v}, err
}

// inserts has durable single rows take turns with raw commits of Pebble.
func inserts(o options) (any, error) {
	return besideRaw(o, func(p *place, r *raw) (any, error) {
		var list []duel
		for _, conc := range o.conc {
			d, err := fight(o, conc, insert(p.pipe), r.commit(1))
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
		return list, nil
	})
}

// batches has conditional batches, all in one partition, take turns with raw commits
// of Pebble of as many rows.
func batches(o options) (any, error) {
	return besideRaw(o, func(p *place, r *raw) (any, error) {
		if err := lease(p.pipe); err != nil {
			return nil, err
		}
		return fight(o, 64, conditionalBatch(p.pipe), r.commit(1+casRows))
	})
}

// reads measures SELECTs, in process and over TCP.
func reads(o options) (any, error) {
	p, err := open(o)
	if err != nil {
		return nil, err
	}
	defer p.close() //nolint:errcheck // a benchmark's directory
	for i := range 1000 {
		if err := insert(p.pipe)(i); err != nil {
			return nil, err
		}
	}
	if err := fill(p.pipe, 1, 1000); err != nil {
		return nil, err
	}
	d, err := fight(o, 1, selectByKey(p.pipe, 1000), selectByKey(p.tcp, 1000))
	if err != nil {
		return nil, err
	}
	page, err := fight(o, 1, pageOf(p.pipe, 1000), pageOf(p.tcp, 1000))
	if err != nil {
		return nil, err
	}
	return map[string]any{"a": "over the pipe", "b": "over loopback TCP", "select_by_key": d, "page_of_1000_rows": page}, nil
}
