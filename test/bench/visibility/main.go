// Command visibility measures what the visibility writes of a workflow cost in
// upstream's SQLite plugin and in ours, in one process and one run.
//
//	visibility [-in-flight 1,16,64] [-rounds 4] [-block 3s] [-rows 10000] [-out FILE]
//
// A workflow is three writes, one after the other: start, search attributes,
// close. A block keeps so many workflows in flight on one store for a time; CPU is
// what this process used in it (user and system, getrusage). Each store holds rows
// before. Rounds go through the stores forwards and backwards in turn, so that a
// drift of the machine meets all alike. The result, as JSON: all blocks, and the
// medians.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

type options struct {
	inFlight []int
	rounds   int
	block    time.Duration
	rows     int
	out      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "visibility:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var inFlight string
	flags := flag.NewFlagSet("visibility", flag.ExitOnError)
	flags.StringVar(&inFlight, "in-flight", "1,16,64", "numbers of workflows at a time")
	flags.IntVar(&o.rounds, "rounds", 4, "blocks of each store for each number in flight")
	flags.DurationVar(&o.block, "block", 3*time.Second, "time of a block")
	flags.IntVar(&o.rows, "rows", 10_000, "finished workflows in each store before")
	flags.StringVar(&o.out, "out", "", "file for the result; standard output when empty")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("read the flags: %w", err)
	}
	for field := range strings.SplitSeq(inFlight, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-in-flight %q: want positive numbers", inFlight)
		}
		o.inFlight = append(o.inFlight, n)
	}
	if o.rounds < 1 || o.block <= 0 || o.rows < 0 {
		return o, errors.New("-rounds and -block must be positive, -rows not negative")
	}
	return o, nil
}

// block is one measurement.
type block struct {
	Store            string  `json:"store"`
	CustomAttributes int     `json:"customAttributes"`
	InFlight         int     `json:"inFlight"`
	Round            int     `json:"round"`
	Workflows        int64   `json:"workflows"`
	PerSecond        float64 `json:"workflowsPerSecond"`
	CPU              float64 `json:"cpuMillisecondsPerWorkflow"`
}

// median is the middle of a store's blocks.
type median struct {
	Store            string  `json:"store"`
	CustomAttributes int     `json:"customAttributes"`
	InFlight         int     `json:"inFlight"`
	PerSecond        float64 `json:"workflowsPerSecond"`
	CPU              float64 `json:"cpuMillisecondsPerWorkflow"`
}

type report struct {
	Date       time.Time `json:"date"`
	Go         string    `json:"go"`
	Processors int       `json:"processors"`
	Rows       int       `json:"rowsBefore"`
	Block      string    `json:"block"`
	Load       string    `json:"loadAtEnd"` // of the machine, one minute; this run included
	Medians    []median  `json:"medians"`
	Blocks     []block   `json:"blocks"`
}

const customAttributes = 6

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "visibility-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the stores: %w", err)
	}
	defer os.RemoveAll(dir)
	var all []*subject
	for i := range subjects {
		for _, custom := range []bool{false, true} {
			s, err := open(ctx, i, dir, custom, o.rows)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.db.Close()) }()
			all = append(all, s)
		}
	}
	r := report{Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), Processors: runtime.NumCPU(), Rows: o.rows, Block: o.block.String()}
	for _, n := range o.inFlight {
		for round := range o.rounds {
			for _, s := range all {
				b, err := s.measure(ctx, n, o.block)
				if err != nil {
					return fmt.Errorf("%s, %d in flight: %w", s.name, n, err)
				}
				b.Round = round
				r.Blocks = append(r.Blocks, b)
				fmt.Fprintf(os.Stderr, "%-14s %d custom attributes, %2d in flight: %5.2f ms of CPU, %6.0f workflows/s\n",
					b.Store, b.CustomAttributes, n, b.CPU, b.PerSecond)
			}
			slices.Reverse(all)
		}
	}
	r.Medians = medians(r.Blocks)
	r.Load = process.Load()
	return result.Write(o.out, r)
}

// measure keeps n workflows in flight for a time; those that have begun end in it.
func (s *subject) measure(ctx context.Context, n int, length time.Duration) (block, error) {
	runtime.GC() // of what others left
	b := block{Store: s.name, InFlight: n}
	if s.customAttributes {
		b.CustomAttributes = customAttributes
	}
	before := process.CPU()
	began := time.Now()
	done, err := s.load(ctx, n, func(int64) bool { return time.Since(began) < length })
	took := time.Since(began)
	if err != nil {
		return b, err
	}
	after := process.CPU()
	b.Workflows = done
	b.PerSecond = float64(done) / took.Seconds()
	b.CPU = (after - before).Seconds() * 1000 / float64(done)
	return b, nil
}

// load keeps n workflows in flight for as long as more says so of the next one,
// counted from 0. It returns how many there were.
func (s *subject) load(ctx context.Context, n int, more func(next int64) bool) (int64, error) {
	var next, done atomic.Int64
	var group sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		group.Go(func() {
			for more(next.Add(1) - 1) {
				if errs[i] = s.workflow(ctx); errs[i] != nil {
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	return done.Load(), errors.Join(errs...)
}

// medians has one entry for each store, attributes and number in flight, in the
// order in which they were first measured.
func medians(blocks []block) []median {
	type key struct {
		store            string
		custom, inFlight int
	}
	var order []key
	groups := map[key][]block{}
	for _, b := range blocks {
		k := key{b.Store, b.CustomAttributes, b.InFlight}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], b)
	}
	var out []median
	for _, k := range order {
		out = append(out, median{
			k.store, k.custom, k.inFlight,
			middle(groups[k], func(b block) float64 { return b.PerSecond }),
			middle(groups[k], func(b block) float64 { return b.CPU }),
		})
	}
	return out
}

func middle(blocks []block, of func(block) float64) float64 {
	values := make([]float64, len(blocks))
	for i, b := range blocks {
		values[i] = of(b)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
