package harness

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Insist does again what failed until it does not or ctx is done, and returns the
// last error.
func Insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// awaitReady returns when the frontend is healthy and all of history answers through
// it.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := s.Dial("temporal-system")
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	// Workflows that do not exist, enough of them that each shard of a small server
	// has one: it must be owned to say so.
	absent := min(8*s.spec.Shards, 256)
	for {
		err := probe(ctx, c, &absent)
		if err == nil {
			return nil
		}
		for i, p := range s.running {
			if p != nil && !p.Running() {
				return fmt.Errorf("%s ended at start (%w); its log ends with\n%s", s.launcher.Name, p.Wait(), s.LogTail(i, 15))
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; its log ends with\n%s", s.launcher.Name, err, s.LogTail(0, 15))
		case <-tick.C:
		}
	}
}

// probe asks for the health of the frontend and for workflows, of which absent counts
// those that have not been asked for.
func probe(ctx context.Context, c client.Client, absent *int) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if _, err := c.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	for ; *absent > 0; *absent-- {
		_, err := c.WorkflowService().DescribeWorkflowExecution(ctx, describeAbsent(*absent))
		if !isNotFound(err) {
			return fmt.Errorf("ask for a workflow: %w", err)
		}
	}
	return nil
}

// Namespace registers a namespace with the given retention and returns when the
// whole server knows it.
func (s *Server) Namespace(ctx context.Context, name string, retention time.Duration) error {
	c, err := s.Dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	lost := false
	err = Insist(within, func() error {
		_, err := c.WorkflowService().RegisterNamespace(within, registerNamespace(name, retention))
		if exists(err) && lost {
			return nil // by the try before, whose answer was lost
		}
		lost = !exists(err)
		return err
	})
	if err != nil {
		return fmt.Errorf("register namespace %s: %w", name, err)
	}
	return s.AwaitNamespace(ctx, name)
}

// AwaitNamespace returns when frontend, history and matching know the namespace.
func (s *Server) AwaitNamespace(ctx context.Context, name string) error {
	c, err := s.Dial(name)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request := describeAbsent(1)
	request.Namespace = name
	err = Insist(ctx, func() error {
		_, err := c.WorkflowService().DescribeWorkflowExecution(ctx, request)
		if isNotFound(err) {
			_, err = c.WorkflowService().ListWorkflowExecutions(ctx,
				&workflowservice.ListWorkflowExecutionsRequest{Namespace: name, PageSize: 1})
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for namespace %s: %w", name, err)
	}
	return nil
}
