package e2e

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func registerAll(w worker.Worker) {
	for _, f := range []any{
		wfEcho, wfRetry, wfHeartbeat, wfTimers, wfCollect, wfAccount, wfParent, wfChild, wfCountdown,
		wfCancellable, wfForever, wfFlaky, wfFanOut, wfPipeline, wfMixed, wfNexusCaller, wfNexusHandler,
	} {
		w.RegisterWorkflow(f)
	}
	for _, f := range []any{actEcho, actFailTwice, actHeartbeat, actFailUntilAllowed} {
		w.RegisterActivity(f)
	}
}

// quickly are options of an activity that a test does not want to wait for.
func quickly(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond, BackoffCoefficient: 1},
	})
}

func actEcho(_ context.Context, v string) (string, error) { return v, nil }

func wfEcho(ctx workflow.Context, v string) (string, error) {
	var out string
	err := workflow.ExecuteActivity(quickly(ctx), actEcho, v).Get(ctx, &out)
	return out, err
}

// actFailTwice succeeds at its third attempt.
func actFailTwice(ctx context.Context) (int32, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return 0, fmt.Errorf("attempt %d fails", attempt)
	}
	return attempt, nil
}

func wfRetry(ctx workflow.Context) (int32, error) {
	// An attempt that took too long would be one that the activity has not seen fail.
	ctx = workflow.WithStartToCloseTimeout(quickly(ctx), patience/3)
	var attempt int32
	err := workflow.ExecuteActivity(ctx, actFailTwice).Get(ctx, &attempt)
	return attempt, err
}

// actHeartbeat reports its progress and then falls silent, so that the server must
// give its first attempt up; the second goes on where the first was.
func actHeartbeat(ctx context.Context) (int, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var progress int
		err := activity.GetHeartbeatDetails(ctx, &progress)
		return progress, err
	}
	activity.RecordHeartbeat(ctx, 7)
	<-ctx.Done()
	return 0, ctx.Err()
}

func wfHeartbeat(ctx workflow.Context) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		HeartbeatTimeout:    time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 100 * time.Millisecond},
	})
	var progress int
	err := workflow.ExecuteActivity(ctx, actHeartbeat).Get(ctx, &progress)
	return progress, err
}

// wfTimers starts timers out of order, cancels the longest, and waits for the rest.
func wfTimers(ctx workflow.Context) error {
	never, cancel := workflow.WithCancel(ctx)
	cancelled := workflow.NewTimer(never, time.Hour)
	var timers []workflow.Future
	for _, d := range []time.Duration{900, 300, 600} {
		timers = append(timers, workflow.NewTimer(ctx, d*time.Millisecond))
	}
	for _, f := range timers {
		if err := f.Get(ctx, nil); err != nil {
			return err
		}
	}
	cancel()
	if err := cancelled.Get(ctx, nil); !errors.Is(err, workflow.ErrCanceled) {
		return fmt.Errorf("the cancelled timer ended with %w", err)
	}
	return nil
}

// wfCollect collects the signal "add" until the signal "done"; the query "seen"
// shows what there is.
func wfCollect(ctx workflow.Context) ([]string, error) {
	seen := []string{}
	if err := workflow.SetQueryHandler(ctx, "seen", func() ([]string, error) { return seen, nil }); err != nil {
		return nil, err
	}
	done := false
	s := workflow.NewSelector(ctx)
	s.AddReceive(workflow.GetSignalChannel(ctx, "add"), func(c workflow.ReceiveChannel, _ bool) {
		var v string
		c.Receive(ctx, &v)
		seen = append(seen, v)
	})
	s.AddReceive(workflow.GetSignalChannel(ctx, "done"), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(ctx, nil)
		done = true
	})
	for !done || s.HasPending() {
		s.Select(ctx)
	}
	return seen, nil
}

// wfAccount holds a balance that the update "withdraw" lowers, never below zero.
func wfAccount(ctx workflow.Context, balance int) (int, error) {
	err := workflow.SetUpdateHandlerWithOptions(ctx, "withdraw",
		func(ctx workflow.Context, amount int) (int, error) {
			balance -= amount
			var out string
			if err := workflow.ExecuteActivity(quickly(ctx), actEcho, "withdrawn").Get(ctx, &out); err != nil {
				return 0, err
			}
			return balance, nil
		},
		workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, amount int) error {
			if amount > balance {
				return fmt.Errorf("balance is only %d", balance)
			}
			return nil
		}})
	if err != nil {
		return 0, err
	}
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	return balance, workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// wfParent starts three children: one ends well, one fails, one is abandoned to
// the parent close policy. It signals the first.
func wfParent(ctx workflow.Context, id string) (string, error) {
	child := func(name string, policy enumspb.ParentClosePolicy) workflow.ChildWorkflowFuture {
		return workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: id + "-" + name, ParentClosePolicy: policy,
		}), wfChild, name)
	}
	good := child("good", enumspb.PARENT_CLOSE_POLICY_TERMINATE)
	bad := child("bad", enumspb.PARENT_CLOSE_POLICY_TERMINATE)
	left := child("left", enumspb.PARENT_CLOSE_POLICY_TERMINATE)
	for _, c := range []workflow.ChildWorkflowFuture{good, bad, left} {
		if err := c.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return "", err
		}
	}
	if err := workflow.SignalExternalWorkflow(ctx, id+"-good", "", "go", "signalled").Get(ctx, nil); err != nil {
		return "", err
	}
	var said string
	if err := good.Get(ctx, &said); err != nil {
		return "", err
	}
	var failed *temporal.ChildWorkflowExecutionError
	if err := bad.Get(ctx, nil); !errors.As(err, &failed) {
		return "", fmt.Errorf("the bad child ended with %w", err)
	}
	return said, nil
}

func wfChild(ctx workflow.Context, name string) (string, error) {
	if name == "bad" {
		return "", temporal.NewNonRetryableApplicationError("as asked", "Bad", nil)
	}
	var v string
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, &v)
	return name + " " + v, nil
}

// wfCountdown continues as new until n is 0 and carries the sum along.
func wfCountdown(ctx workflow.Context, n, sum int) (int, error) {
	if n == 0 {
		return sum, nil
	}
	if err := workflow.Sleep(ctx, 10*time.Millisecond); err != nil {
		return 0, err
	}
	return 0, workflow.NewContinueAsNewError(ctx, wfCountdown, n-1, sum+n)
}

// wfCancellable cleans up when it is cancelled.
func wfCancellable(ctx workflow.Context) error {
	err := workflow.Sleep(ctx, time.Hour)
	if !temporal.IsCanceledError(err) {
		return fmt.Errorf("slept through: %w", err)
	}
	clean, _ := workflow.NewDisconnectedContext(ctx)
	var out string
	if cleanErr := workflow.ExecuteActivity(quickly(clean), actEcho, "clean").Get(clean, &out); cleanErr != nil {
		return cleanErr
	}
	return err
}

func wfForever(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }

// wfFlaky fails as a whole until its third attempt.
func wfFlaky(ctx workflow.Context) (int32, error) {
	attempt := workflow.GetInfo(ctx).Attempt
	if attempt < 3 {
		return 0, fmt.Errorf("attempt %d of the workflow fails", attempt)
	}
	return attempt, nil
}

// task is one activity of wfFanOut.
type task struct {
	Name     string
	Priority temporal.Priority
}

// wfFanOut schedules all tasks on queue at once and waits for them.
func wfFanOut(ctx workflow.Context, queue string, tasks []task) (int, error) {
	var futures []workflow.Future
	for _, tk := range tasks {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: queue, StartToCloseTimeout: 20 * time.Second, Priority: tk.Priority,
		})
		futures = append(futures, workflow.ExecuteActivity(ctx, "record", tk.Name))
	}
	for _, f := range futures {
		if err := f.Get(ctx, nil); err != nil {
			return 0, err
		}
	}
	return len(futures), nil
}

// wfPipeline is a workflow that a fault may meet anywhere: activities one after
// another, timers, and a signal at the end. It returns what must come of it.
func wfPipeline(ctx workflow.Context, steps int) (string, error) {
	got := ""
	for i := range steps {
		var out string
		if err := workflow.ExecuteActivity(quickly(ctx), actEcho, fmt.Sprint(i)).Get(ctx, &out); err != nil {
			return "", err
		}
		got += out
		if err := workflow.Sleep(ctx, 200*time.Millisecond); err != nil {
			return "", err
		}
	}
	var last string
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, &last)
	return got + last, nil
}
