// Command soak runs workflows for a long time on a server that is killed again and
// again, and checks that not one of them is lost.
//
//	soak [-server own] [-duration 1h] [-in-flight 16] [-kill-every 2m] [-out FILE]
//
// The result, as JSON: workflows started and completed, kills, and the memory of the
// server at each kill. The exit status is 1 if a workflow was lost or gave a wrong
// result.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

type options struct {
	server    string
	duration  time.Duration
	killEvery time.Duration
	inFlight  int
	out       string
}

// report is the result of a run.
type report struct {
	Server    string    `json:"server"`
	Began     time.Time `json:"began"`
	Seconds   float64   `json:"seconds"`
	Started   int64     `json:"workflows_started"`
	Completed int64     `json:"workflows_completed"`
	Wrong     []string  `json:"wrong"`      // workflows that were lost or ended badly
	MemoryMB  []int64   `json:"memory_mib"` // resident, before each kill and at the end
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "own", "own or stock")
	flag.DurationVar(&o.duration, "duration", time.Hour, "time to run")
	flag.DurationVar(&o.killEvery, "kill-every", 2*time.Minute, "time between two kills (kill -9)")
	flag.IntVar(&o.inFlight, "in-flight", 16, "workflows at a time")
	flag.StringVar(&o.out, "out", "", "file for the result; standard output when empty")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := soak(ctx, o)
	if err == nil {
		err = result.Write(o.out, r)
	}
	if err == nil && len(r.Wrong) > 0 {
		err = fmt.Errorf("%d workflows were lost or ended badly", len(r.Wrong))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, o options) (r report, err error) {
	l, err := launcher(ctx, o.server)
	if err != nil {
		return report{}, err
	}
	node, stop, err := cassandra(ctx)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	server, err := harness.Launch(ctx, l, harness.Spec{Node: node})
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := server.Namespace(ctx, namespace, time.Hour); err != nil {
		return report{}, err
	}
	load, err := startLoad(server, o.inFlight)
	if err != nil {
		return report{}, err
	}
	r = report{Server: l.Name, Began: time.Now().UTC().Truncate(time.Second)}
	end := time.After(o.duration)
	kill := time.NewTicker(o.killEvery)
	defer kill.Stop()
	for running := true; running; {
		select {
		case <-kill.C:
			if err := note(&r, server); err != nil {
				return r, err
			}
			if err := errors.Join(server.Kill(), server.Start(ctx)); err != nil {
				return r, err
			}
			fmt.Fprintf(os.Stderr, "%s: %d started, %d completed, %d MiB before the kill\n",
				time.Now().Format(time.TimeOnly), load.started.Load(), load.completed.Load(), r.MemoryMB[len(r.MemoryMB)-1])
		case <-end:
			running = false
		case <-ctx.Done():
			running = false
		}
	}
	load.drain()
	r.Seconds = time.Since(r.Began).Seconds()
	r.Started, r.Completed, r.Wrong = load.started.Load(), load.completed.Load(), load.wrong()
	return r, errors.Join(note(&r, server), server.Stop())
}

func note(r *report, server *harness.Server) error {
	used, err := server.Memory()
	r.MemoryMB = append(r.MemoryMB, used>>20)
	return err
}

func launcher(ctx context.Context, name string) (harness.Launcher, error) {
	switch name {
	case "own":
		return harness.Own(ctx)
	case "stock":
		return harness.Stock(ctx)
	default:
		return harness.Launcher{}, fmt.Errorf("-server %q: want own or stock", name)
	}
}

// cassandra returns the node that the environment names, or one of this run's own.
func cassandra(ctx context.Context) (*cassandratest.Node, func() error, error) {
	if addr := os.Getenv(cassandratest.SharedEnv); addr != "" {
		node, err := cassandratest.External(addr)
		return node, func() error { return nil }, err
	}
	node, err := cassandratest.Launch(ctx, cassandratest.WithHeap(1024))
	if err != nil {
		return nil, nil, err
	}
	return node, node.Stop, nil
}
