package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

const (
	namespace = "soak"
	queue     = "soak"
	// patience is how long a workflow may take; it needs a second or two and whatever
	// time the server is away.
	patience = 10 * time.Minute
)

// load keeps so many workflows under way until it is drained.
type load struct {
	started, completed atomic.Int64

	client   client.Client
	worker   worker.Worker
	draining chan struct{}
	wg       sync.WaitGroup
	probes   int

	mu   sync.Mutex
	bad  []string
	done map[string]int64 // by kind
}

func startLoad(server *harness.Server, inFlight int) (*load, error) {
	c, err := server.Dial(namespace)
	if err != nil {
		return nil, err
	}
	l := &load{client: c, draining: make(chan struct{}), worker: worker.New(c, queue, worker.Options{}), done: map[string]int64{}}
	register(l.worker)
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
				k := kinds[(i+n)%len(kinds)]
				if err := l.one(k, fmt.Sprintf("%s-%d-%d", k.name, i, n)); err != nil {
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
func (l *load) one(k kind, id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// Started again under its own id until the server says yes: a start whose answer was
	// lost must not start it twice.
	err := harness.Insist(ctx, func() error {
		_, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: id, TaskQueue: queue, WorkflowTaskTimeout: 5 * time.Second,
			WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		}, k.name, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("start %s: %w", id, err)
	}
	l.started.Add(1)
	for _, signal := range k.signals {
		if err := harness.Insist(ctx, func() error { return l.client.SignalWorkflow(ctx, id, "", "go", signal) }); err != nil {
			return fmt.Errorf("signal %s: %w", id, err)
		}
	}
	var said string
	err = harness.Insist(ctx, func() error {
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
	if want := k.want(id); said != want {
		return fmt.Errorf("%s said %q, want %q", id, said, want)
	}
	l.mu.Lock()
	l.done[k.name]++
	l.mu.Unlock()
	l.completed.Add(1)
	return nil
}

// probe returns when a workflow that is started now has completed.
func (l *load) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.probes++
	try := 0
	return harness.Insist(ctx, func() error {
		try++
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		run, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: fmt.Sprintf("probe-%d-%d", l.probes, try), TaskQueue: queue, WorkflowTaskTimeout: time.Second,
		}, echoName, "probe")
		if err != nil {
			return err
		}
		return run.Get(ctx, nil)
	})
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

func (l *load) byKind() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.done)
}
