package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

const (
	namespace = "soak"
	queue     = "soak"
	// patience is how long a workflow may take; it needs a second and whatever time the
	// server is away.
	patience = 10 * time.Minute
)

// load keeps so many workflows under way until it is drained.
type load struct {
	started, completed atomic.Int64

	client   client.Client
	worker   worker.Worker
	draining chan struct{}
	wg       sync.WaitGroup

	mu  sync.Mutex
	bad []string
}

func startLoad(server *harness.Server, inFlight int) (*load, error) {
	c, err := server.Dial(namespace)
	if err != nil {
		return nil, err
	}
	l := &load{client: c, draining: make(chan struct{}), worker: worker.New(c, queue, worker.Options{})}
	l.worker.RegisterWorkflow(steps)
	l.worker.RegisterActivity(step)
	if err := l.worker.Start(); err != nil {
		c.Close()
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	for i := range inFlight {
		l.wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.draining:
					return
				default:
				}
				if err := l.one(fmt.Sprintf("soak-%d-%d", i, n)); err != nil {
					l.mu.Lock()
					l.bad = append(l.bad, err.Error())
					l.mu.Unlock()
				}
			}
		})
	}
	return l, nil
}

// one runs a workflow to its end, whatever happens to the server meanwhile.
func (l *load) one(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Started again under its own id until the server says yes: a start whose answer was
	// lost must not start it twice.
	err := retry(ctx, func() error {
		_, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: id, TaskQueue: queue, WorkflowTaskTimeout: 5 * time.Second,
		}, steps, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	l.started.Add(1)
	for _, signal := range []string{"a", "b"} {
		if err := retry(ctx, func() error { return l.client.SignalWorkflow(ctx, id, "", "go", signal) }); err != nil {
			return fmt.Errorf("signal %s: %w", id, err)
		}
	}
	var said string
	err = retry(ctx, func() error {
		err := l.client.GetWorkflow(ctx, id, "").Get(ctx, &said)
		var ended *temporal.WorkflowExecutionError
		if errors.As(err, &ended) {
			said = "ended with " + err.Error()
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", id, err)
	}
	if want := id + "ab" + strings.Repeat(".", stepCount); said != want {
		return fmt.Errorf("%s said %q, want %q", id, said, want)
	}
	l.completed.Add(1)
	return nil
}

// retry calls f until it succeeds or ctx ends.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// drain starts no more workflows and waits for the ends of all.
func (l *load) drain() {
	close(l.draining)
	l.wg.Wait()
	l.worker.Stop()
	l.client.Close()
}

func (l *load) wrong() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.bad...)
}

const stepCount = 3

// steps waits for two different signals and takes some activities and timers. A
// signal that was sent again, since the answer to the first was lost, counts once.
func steps(ctx workflow.Context, id string) (string, error) {
	said := id
	signals := workflow.GetSignalChannel(ctx, "go")
	for _, want := range []string{"a", "b"} {
		for got := ""; got != want; {
			signals.Receive(ctx, &got)
		}
		said += want
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 1},
	})
	for range stepCount {
		var dot string
		if err := workflow.ExecuteActivity(ctx, step).Get(ctx, &dot); err != nil {
			return "", err
		}
		said += dot
		if err := workflow.Sleep(ctx, 200*time.Millisecond); err != nil {
			return "", err
		}
	}
	return said, nil
}

func step(context.Context) (string, error) { return ".", nil }
