package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

const (
	namespace = "bench"
	queue     = "bench"
)

// block is one measurement of one server.
type block struct {
	Server    string  `json:"server"`
	InFlight  int     `json:"in_flight"`
	Pair      int     `json:"pair"`
	Workflows int     `json:"workflows"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"workflows_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	ServerCPU float64 `json:"server_cpu_ms_per_workflow"`
}

// side is one of the two servers, stopped between its blocks.
type side struct {
	launcher harness.Launcher
	node     *cassandratest.Node
	options  options
	server   *harness.Server // of the first block; keeps the keyspace
}

func (s *side) start(ctx context.Context) error {
	if s.server != nil {
		return s.server.Start(ctx)
	}
	server, err := harness.Launch(ctx, s.launcher, harness.Spec{Node: s.node, Shards: s.options.shards, Unhurried: true})
	if err != nil {
		return err
	}
	s.server = server
	return server.Namespace(ctx, namespace, 24*time.Hour)
}

func (s *side) close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
}

// measure starts the server, runs one block and stops the server.
func (s *side) measure(ctx context.Context, inFlight int) (m block, err error) {
	if err := s.start(ctx); err != nil {
		return block{}, err
	}
	defer func() { err = errors.Join(err, s.server.Stop()) }()
	c, err := s.server.Dial(namespace)
	if err != nil {
		return block{}, err
	}
	defer c.Close()
	w := worker.New(c, queue, worker.Options{})
	w.RegisterWorkflowWithOptions(oneActivity, workflow.RegisterOptions{Name: "oneActivity"})
	w.RegisterActivity(greet)
	if err := w.Start(); err != nil {
		return block{}, fmt.Errorf("start the worker: %w", err)
	}
	defer w.Stop()

	load := newLoad(c, inFlight)
	defer load.stop()
	load.run(ctx)
	if err := load.wait(ctx, s.options.warmUp); err != nil {
		return block{}, err
	}
	cpu, err := s.server.CPU()
	if err != nil {
		return block{}, err
	}
	began := time.Now()
	load.measuring.Store(true)
	if err := load.wait(ctx, s.options.block); err != nil {
		return block{}, err
	}
	load.measuring.Store(false)
	took := time.Since(began)
	after, err := s.server.CPU()
	if err != nil {
		return block{}, err
	}
	latencies := load.taken()
	if len(latencies) == 0 {
		return block{}, fmt.Errorf("no workflow ended within %s", took)
	}
	n := float64(len(latencies))
	return block{
		Server: s.launcher.Name, InFlight: inFlight, Workflows: len(latencies),
		Seconds: took.Seconds(), PerSecond: n / took.Seconds(),
		P50: ms(quantile(latencies, 0.50)), P99: ms(quantile(latencies, 0.99)),
		ServerCPU: ms(after-cpu) / n,
	}, nil
}

// load is a closed loop: each of its goroutines starts a workflow, waits for its
// result, and starts the next.
type load struct {
	client    client.Client
	inFlight  int
	measuring atomic.Bool
	failed    chan error
	cancel    context.CancelFunc
	wg        sync.WaitGroup

	mu        sync.Mutex
	latencies []time.Duration
}

func newLoad(c client.Client, inFlight int) *load {
	return &load{client: c, inFlight: inFlight, failed: make(chan error, inFlight)}
}

func (l *load) run(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	for range l.inFlight {
		l.wg.Go(func() {
			for ctx.Err() == nil {
				if err := l.one(ctx); err != nil {
					if ctx.Err() == nil {
						l.failed <- err
					}
					return
				}
			}
		})
	}
}

// one runs a workflow and notes its time if it ended while measuring.
func (l *load) one(ctx context.Context) error {
	began := time.Now()
	run, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, "oneActivity", "world")
	if err != nil {
		return fmt.Errorf("start a workflow: %w", err)
	}
	var said string
	if err := run.Get(ctx, &said); err != nil {
		return fmt.Errorf("wait for a workflow: %w", err)
	}
	if said != "hello world" {
		return fmt.Errorf("workflow %s said %q", run.GetID(), said)
	}
	if l.measuring.Load() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.latencies = append(l.latencies, time.Since(began))
	}
	return nil
}

// wait lets the load run for d.
func (l *load) wait(ctx context.Context, d time.Duration) error {
	select {
	case err := <-l.failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (l *load) taken() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.latencies)
	return slices.Clone(l.latencies)
}

func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

func oneActivity(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var said string
	err := workflow.ExecuteActivity(ctx, greet, name).Get(ctx, &said)
	return said, err
}

func greet(_ context.Context, name string) (string, error) { return "hello " + name, nil }

// quantile returns a value of a sorted, non-empty list that so many are not above.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
