// Command soak runs a mixed load of workflows for a long time on a server that is
// killed again and again, and its database too where that is its own, and checks that
// not one of them is lost, that nothing leaks, and that tables end as small as
// retention says.
//
//	soak [-server ycql|cassandra|own|stock] [-duration 1h] [-in-flight 16] [-kill-every 1m] [-retention 1m] [-out FILE]
//
// The servers: ours on the embedded engine as a process of its own, with either
// dialect; ours, or upstream's, on Apache Cassandra. Kills come at random in the first
// two thirds of the time; in the last one nothing is disturbed, and what grows then,
// leaks.
//
// The result, as JSON: what was run, kills and how long until the server worked again,
// samples, and faults in words. The exit status is 1 if there are any.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/temporal-ycql/temporal-ycql/test/bench/result"
)

type options struct {
	server    string
	duration  time.Duration
	killEvery time.Duration
	retention time.Duration
	inFlight  int
	seed      uint64
	out       string
}

// report is the result of a run.
type report struct {
	Server    string           `json:"server"`
	Command   string           `json:"command"`
	Seed      uint64           `json:"seed"`
	Began     time.Time        `json:"began"`
	Seconds   float64          `json:"seconds"`
	InFlight  int              `json:"in_flight"`
	Retention string           `json:"retention"`
	Started   int64            `json:"workflows_started"`
	Completed map[string]int64 `json:"workflows_completed"` // by kind
	Kills     []killed         `json:"kills"`
	Samples   []sample         `json:"samples"`
	// RowsAtEnd are the rows that are left when retention has passed for all.
	RowsAtEnd map[string]int64 `json:"rows_at_end"`
	Faults    []string         `json:"faults"`
}

// killed is one kill -9.
type killed struct {
	Second float64 `json:"second"` // since the run began
	What   string  `json:"what"`   // server or database
	// Recovered is how many seconds passed until a new workflow had been started and
	// completed: since the server was started again, or since the database took
	// connections again.
	Recovered float64 `json:"recovered_seconds"`
}

func main() {
	var o options
	flag.StringVar(&o.server, "server", "own", "ycql, cassandra (the embedded engine), own or stock (Apache Cassandra)")
	flag.DurationVar(&o.duration, "duration", time.Hour, "time to run")
	flag.DurationVar(&o.killEvery, "kill-every", time.Minute, "mean time between two kills (kill -9)")
	flag.DurationVar(&o.retention, "retention", time.Minute, "retention of closed workflows")
	flag.IntVar(&o.inFlight, "in-flight", 16, "workflows at a time")
	flag.Uint64Var(&o.seed, "seed", 0, "seed of the kills; 0 picks one")
	flag.StringVar(&o.out, "out", "", "file for the result; standard output when empty")
	flag.Parse()
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := soak(ctx, o)
	if r.Server != "" { // a run that broke off tells what it saw
		err = errors.Join(err, result.Write(o.out, r))
	}
	if err == nil && len(r.Faults) > 0 {
		err = fmt.Errorf("%d faults, the first: %s", len(r.Faults), r.Faults[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(ctx context.Context, o options) (r report, err error) {
	s, err := open(ctx, o)
	if err != nil {
		return report{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	load, err := startLoad(s.Server, o.inFlight)
	if err != nil {
		return report{}, err
	}
	r = report{
		Server: s.name, Began: time.Now().UTC().Truncate(time.Second), Seed: o.seed, InFlight: o.inFlight, Retention: o.retention.String(),
		Command: fmt.Sprintf("go run -tags disable_grpc_modules ./test/bench/soak -server %s -duration %s -in-flight %d -kill-every %s -retention %s",
			o.server, o.duration, o.inFlight, o.killEvery, o.retention),
	}
	began := time.Now()
	calm := began.Add(o.duration * 2 / 3)
	err = s.disturb(ctx, &r, load, began, calm, o)
	if err == nil {
		err = s.watch(ctx, &r, load, began, began.Add(o.duration), false)
	}
	load.drain()
	r.Seconds = time.Since(began).Seconds()
	r.Started, r.Completed, r.Faults = load.started.Load(), load.byKind(), load.wrong()
	if err != nil {
		return r, err
	}
	r.Faults = append(r.Faults, judge(r.Samples)...)
	r.RowsAtEnd, err = s.awaitEmpty(ctx, o.retention)
	if err != nil {
		return r, err
	}
	r.Faults = append(r.Faults, left(r.RowsAtEnd)...)
	return r, s.Stop()
}

// disturb kills at random until a time, and samples in between.
func (s *subject) disturb(ctx context.Context, r *report, l *load, began, until time.Time, o options) error {
	chance := rand.New(rand.NewPCG(o.seed, 1))
	for {
		next := time.Now().Add(time.Duration((0.5 + chance.Float64()) * float64(o.killEvery)))
		if next.After(until) {
			return s.watch(ctx, r, l, began, until, true)
		}
		if err := s.watch(ctx, r, l, began, next, true); err != nil {
			return err
		}
		what := s.victims[chance.IntN(len(s.victims))]
		k := killed{Second: time.Since(began).Seconds(), What: what.name}
		if err := what.kill(); err != nil {
			return err
		}
		up := time.Now()
		if err := what.start(ctx); err != nil {
			return err
		}
		if what.name == database {
			up = time.Now()
		}
		if err := l.probe(ctx); err != nil {
			return fmt.Errorf("after the %s was killed: %w", what.name, err)
		}
		k.Recovered = time.Since(up).Seconds()
		r.Kills = append(r.Kills, k)
		fmt.Fprintf(os.Stderr, "%s: %s killed, works again after %.1f s; %d started, %d completed\n",
			time.Now().Format(time.TimeOnly), k.What, k.Recovered, l.started.Load(), l.completed.Load())
	}
}

// watch samples every sampleEvery until a time.
func (s *subject) watch(ctx context.Context, r *report, l *load, began, until time.Time, disturbed bool) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return nil
		case <-tick.C:
			one, err := s.sample(ctx)
			if err != nil {
				return err
			}
			one.Second, one.Disturbed, one.Completed = time.Since(began).Seconds(), disturbed, l.completed.Load()
			r.Samples = append(r.Samples, one)
		}
	}
}
