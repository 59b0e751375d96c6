// Command growth measures what store calls cost as a database grows: with more open
// workflows, with more tasks in one queue, with more events in one history, and with
// more shards.
//
//	growth -arm FILE [-series open,backlog,history,shards] [-max 1000000] [-in-flight 1,8] [-calls 300] [-seed 1] [-dir DIR] [-out FILE]
//
// FILE is the configuration of a server; see test/bench/compare. The database that it
// names is never opened: each series makes its own beside it and drops it, also when
// the command is interrupted. Calls go through Temporal's own persistence managers.
//
// At each size the same calls are made on what a seed picks, so many at a time. For
// each kind of call the table on standard output has its cost at the smallest and at
// the largest size. It is flat if processor time and rounds of the database are within
// the factors that the table names; where it is not, docs/results/README.md says why
// that is to be expected, or the run has found something. The result, as JSON, has
// every figure (see [Result]).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite" // configurations name it for visibility

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
	"github.com/temporal-ycql/temporal-ycql/core/config"
	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

// options are what is measured and how.
type options struct {
	arm      string
	series   []string
	sizes    map[string][]int // by series, ascending
	inFlight []int
	calls    int // of a kind at a point, for each number in flight
	fill     int // calls at a time while filling
	shards   int // of all series but that of shards
	// workflows is how many are open in the series of shards.
	workflows int
	settle    time.Duration
	seed      uint64
	dir, out  string
	note      string
	profile   string
}

// defaultSizes are those of the full run.
func defaultSizes() map[string][]int {
	return map[string][]int{
		open:    {1_000, 10_000, 100_000, 1_000_000},
		backlog: {1_000, 10_000, 100_000, 1_000_000},
		history: {100, 1_000, 10_000, 100_000},
		shards:  {1, 4, 16, 64, 256, 1024, 4096},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = measureAll(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	o := options{sizes: defaultSizes()}
	var series, inFlight string
	most := 0
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.arm, "arm", "", "configuration of a server, see test/bench/compare")
	flags.StringVar(&series, "series", strings.Join(allSeries, ","), "what grows")
	flags.IntVar(&most, "max", 1_000_000, "largest size of any series")
	flags.StringVar(&inFlight, "in-flight", "1,8", "numbers of calls at a time")
	flags.IntVar(&o.calls, "calls", 300, "calls of a kind at each size, for each number in flight")
	flags.IntVar(&o.fill, "fill", 32, "calls at a time while a database is filled")
	flags.IntVar(&o.shards, "shards", 16, "shards, in the series of other things")
	flags.IntVar(&o.workflows, "workflows", 4096, "open workflows in the series of shards")
	flags.DurationVar(&o.settle, "settle", time.Minute, "how long to wait at most, after filling, until the database is idle")
	flags.Uint64Var(&o.seed, "seed", 1, "seed of all that is drawn")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "directory for databases that are files")
	flags.StringVar(&o.out, "out", "", "file for the result as JSON; empty: the table alone")
	flags.StringVar(&o.note, "note", "", "what to know about the run, e.g. what else the machine did")
	flags.StringVar(&o.profile, "cpuprofile", "", "file for a CPU profile of the whole run")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(os.Stderr)
			flags.Usage()
		}
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q: there are flags alone", flags.Arg(0))
	}
	if o.arm == "" {
		return o, errors.New("-arm: give the configuration of a server, e.g. test/bench/compare/embedded-ycql-durable.yaml")
	}
	for name := range strings.SplitSeq(series, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(allSeries, name) {
			return o, fmt.Errorf("-series %s: give some of %s", series, strings.Join(allSeries, ", "))
		}
		if slices.Contains(o.series, name) {
			return o, fmt.Errorf("-series %s: %s is there twice", series, name)
		}
		o.series = append(o.series, name)
		smallest := o.sizes[name][0]
		o.sizes[name] = slices.DeleteFunc(o.sizes[name], func(n int) bool { return n > most })
		if len(o.sizes[name]) == 0 {
			return o, fmt.Errorf("-max %d: the smallest size of %s is %d", most, name, smallest)
		}
	}
	for text := range strings.SplitSeq(inFlight, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-in-flight %s: give numbers above 0, e.g. 1,8", inFlight)
		}
		o.inFlight = append(o.inFlight, n)
	}
	for _, n := range []struct {
		flag  string
		value int
	}{{"calls", o.calls}, {"fill", o.fill}, {"shards", o.shards}, {"workflows", o.workflows}} {
		if n.value < 1 {
			return o, fmt.Errorf("-%s %d: give 1 or more", n.flag, n.value)
		}
	}
	if o.settle < 0 {
		return o, fmt.Errorf("-settle %s: give a time, or 0", o.settle)
	}
	return o, nil
}

func registry() (*backend.Registry, error) {
	return backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New(), yugabyte.New()})
}

// measureAll runs the series and prints the table. What was measured before an error
// is printed and written, too.
func measureAll(ctx context.Context, o options, table io.Writer) (err error) {
	scratch, err := os.MkdirTemp(o.dir, "bench-growth-")
	if err != nil {
		return fmt.Errorf("make a directory for databases: %w", err)
	}
	defer os.RemoveAll(scratch)
	if scratch, err = filepath.Abs(scratch); err != nil {
		return err
	}
	a, err := arm.Load(arm.Options{Name: "growth", Source: config.Source{File: o.arm}, Registry: registry, Scratch: scratch})
	if err != nil {
		return err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return fmt.Errorf("make the profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("start the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	began := time.Now()
	r := &Result{
		Date: began.UTC().Truncate(time.Second), Command: append([]string{"growth"}, os.Args[1:]...), Note: o.note,
		Program: compare.Program(revision(ctx)), Machine: machine.Describe(), LoadBefore: process.Load(),
		Seed: o.seed, CallsEach: o.calls, Shards: o.shards,
	}
	b := &bench{o: o, arm: a, result: r}
	err = b.run(ctx)
	r.Seconds, r.LoadAfter = time.Since(began).Seconds(), process.Load()
	r.judge()
	r.Complete = err == nil
	if err != nil {
		r.Error = err.Error()
	}
	if len(r.Series) > 0 {
		err = errors.Join(err, r.print(table))
		if o.out != "" {
			err = errors.Join(err, result.Write(o.out, r))
		}
	}
	return err
}

// revision is that of the source in the working directory, for the toolchain stamps
// none into what "go run" runs; empty: unknown.
func revision(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return ""
	}
	changed, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(head)) + ", changed"
	}
	return strings.TrimSpace(string(head))
}
