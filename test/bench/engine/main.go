// Command engine measures the embedded CQL engine against its targets: durable
// writes beside raw Pebble, reads in process and over TCP, the head of a queue after
// many deletions, cost as tables grow, and a real Cassandra on the same machine. Every
// ratio is of blocks that took turns in one run.
//
//	go run ./test/bench/engine -what inserts,reads -out FILE
//
// The database directories are made below -dir and removed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/test/bench/process"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

// options are the command's flags.
type options struct {
	dir    string
	block  time.Duration
	blocks int
	queue  int
	rows   []int
	conc   []int // in flight
}

// parts are what can be measured.
var parts = map[string]func(options) (any, error){
	"inserts":   inserts,
	"batches":   batches,
	"reads":     reads,
	"queue":     queue,
	"growth":    growth,
	"cassandra": cassandra,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

func run() error {
	o := options{rows: []int{10_000, 1_000_000, 10_000_000}}
	what := flag.String("what", "inserts,batches,reads,queue,growth,cassandra", "what to measure")
	out := flag.String("out", "", "file for the result, as JSON; standard output if empty")
	note := flag.String("note", "", "what to know about the run, e.g. what else the machine did")
	profile := flag.String("cpuprofile", "", "file for a CPU profile of the whole run")
	conc := flag.String("in-flight", "1,16,64", "how many inserts, and statements beside Cassandra, are under way at a time")
	rows := flag.Int("most-rows", o.rows[2], "rows of the largest table of growth")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "directory for databases; on the disk that is meant")
	flag.DurationVar(&o.block, "block", 2*time.Second, "length of a block")
	flag.IntVar(&o.blocks, "blocks", 4, "blocks of each side of a ratio")
	flag.IntVar(&o.queue, "queue", 1_000_000, "tasks that are inserted and deleted")
	flag.Parse()
	if flag.NArg() > 0 || o.block <= 0 || o.blocks <= 0 || o.queue <= 0 {
		return errors.New("give lengths and counts above 0 and no arguments")
	}
	for _, text := range strings.Split(*conc, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			return fmt.Errorf("-in-flight %s: give numbers above 0, e.g. 1,16,64", *conc)
		}
		o.conc = append(o.conc, n)
	}
	o.rows = slicesUpTo(o.rows, *rows)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r := map[string]any{
		"date": time.Now().UTC().Format(time.RFC3339), "go": runtime.Version(), "cpus": runtime.NumCPU(), "note": *note,
		"load_before": process.Load(),
	}
	for _, name := range strings.Split(*what, ",") {
		measure := parts[name]
		if measure == nil {
			return fmt.Errorf("-what %s: give some of inserts, batches, reads, queue, growth, cassandra", name)
		}
		fmt.Fprintln(os.Stderr, "measuring", name)
		var err error
		if r[name], err = measure(o); err != nil {
			return fmt.Errorf("measure %s: %w", name, err)
		}
	}
	r["load_after"] = process.Load()
	return result.Write(*out, r)
}

// slicesUpTo drops what is above most.
func slicesUpTo(list []int, most int) []int {
	var out []int
	for _, n := range list {
		if n <= most {
			out = append(out, n)
		}
	}
	return out
}
