// Command workflows compares two Temporal servers by the workflows that they finish.
//
//	workflows [-a own] [-b stock] [-in-flight 1,16,64] [-blocks 4] [-block 20s] [-out FILE]
//
// Each workflow has one activity. A block runs one server alone, with client and
// worker in this process: so many workflows at a time in a closed loop. Blocks come
// in the order A B B A, so that a drift of the machine meets both alike. Both servers
// have the same Cassandra, number of shards, SQLite visibility and dynamic
// configuration, and a keyspace each, which lasts for the whole run.
//
// The result, as JSON: every block, and for each number in flight the ratio A to B
// with a confidence interval over the pairs of blocks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

type options struct {
	a, b     string
	inFlight []int
	blocks   int
	block    time.Duration
	warmUp   time.Duration
	shards   int
	out      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = compare(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "workflows:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var inFlight string
	flags := flag.NewFlagSet("workflows", flag.ExitOnError)
	flags.StringVar(&o.a, "a", "own", "server A: own, stock, or a path of a binary with this repository's options")
	flags.StringVar(&o.b, "b", "stock", "server B")
	flags.StringVar(&inFlight, "in-flight", "1,16,64", "numbers of workflows at a time")
	flags.IntVar(&o.blocks, "blocks", 4, "blocks of each server for each number in flight; even")
	flags.DurationVar(&o.block, "block", 20*time.Second, "measured time of a block")
	flags.DurationVar(&o.warmUp, "warm-up", 4*time.Second, "time before it")
	flags.IntVar(&o.shards, "shards", 4, "history shards")
	flags.StringVar(&o.out, "out", "", "file for the result; standard output when empty")
	if err := flags.Parse(args); err != nil {
		return o, fmt.Errorf("read the flags: %w", err)
	}
	for _, field := range strings.Split(inFlight, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-in-flight %q: want positive numbers", inFlight)
		}
		o.inFlight = append(o.inFlight, n)
	}
	if o.blocks < 2 || o.blocks%2 != 0 {
		return o, fmt.Errorf("-blocks %d: want an even number, for the order is A B B A", o.blocks)
	}
	return o, nil
}

// report is the result of a run.
type report struct {
	A, B       string    `json:"-"`
	Date       time.Time `json:"date"`
	Go         string    `json:"go"`
	Processors int       `json:"processors"`
	Cassandra  string    `json:"cassandra"`
	Shards     int       `json:"shards"`
	Block      string    `json:"block"`
	Ratios     []ratio   `json:"ratios"`
	Blocks     []block   `json:"blocks"`
}

func compare(ctx context.Context, o options) (err error) {
	a, err := launcher(ctx, o.a)
	if err != nil {
		return err
	}
	b, err := launcher(ctx, o.b)
	if err != nil {
		return err
	}
	if a.Name == b.Name {
		b.Name += "-again" // A against A shows what the machine alone does
	}
	node, version, stop, err := cassandra(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	r := report{
		A: a.Name, B: b.Name, Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(),
		Processors: runtime.NumCPU(), Cassandra: version, Shards: o.shards, Block: o.block.String(),
	}
	sides := map[string]*side{}
	for _, l := range []harness.Launcher{a, b} {
		s := &side{launcher: l, node: node, options: o}
		sides[l.Name] = s
		defer func() { err = errors.Join(err, s.close()) }()
	}
	for _, n := range o.inFlight {
		for i := range o.blocks {
			order := []string{a.Name, b.Name}
			if i%2 == 1 {
				order = []string{b.Name, a.Name}
			}
			for _, name := range order {
				m, err := sides[name].measure(ctx, n)
				if err != nil {
					return fmt.Errorf("%s, %d in flight: %w", name, n, err)
				}
				m.Pair = i
				r.Blocks = append(r.Blocks, m)
				fmt.Fprintf(os.Stderr, "%-14s %3d in flight: %6.1f workflows/s, p50 %4.0f ms, %4.1f ms of server CPU each\n",
					name, n, m.PerSecond, m.P50, m.ServerCPU)
			}
		}
		ratio, err := ratioOf(r.Blocks, a.Name, b.Name, n)
		if err != nil {
			return err
		}
		r.Ratios = append(r.Ratios, ratio)
	}
	return result.Write(o.out, r)
}

// launcher understands the name of a server.
func launcher(ctx context.Context, name string) (harness.Launcher, error) {
	switch name {
	case "own":
		return harness.Own(ctx)
	case "stock":
		return harness.Stock(ctx)
	}
	if _, err := os.Stat(name); err != nil {
		return harness.Launcher{}, fmt.Errorf("server %q is neither own, stock nor a file: %w", name, err)
	}
	return harness.OwnAt(name), nil
}

// cassandra returns the node that the environment names, or one of this run's own,
// which syncs its log before it answers.
func cassandra(ctx context.Context) (*cassandratest.Node, string, func() error, error) {
	if addr := os.Getenv(cassandratest.SharedEnv); addr != "" {
		node, err := cassandratest.External(addr)
		return node, "at " + addr, func() error { return nil }, err
	}
	node, err := cassandratest.Launch(ctx, cassandratest.WithDurableCommitlog(), cassandratest.WithHeap(1024))
	if err != nil {
		return nil, "", nil, err
	}
	return node, cassandratest.Version + ", commitlog_sync batch", node.Stop, nil
}
