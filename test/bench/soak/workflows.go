package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// kind is one sort of workflow: what it is sent, and what it must say of its id.
type kind struct {
	name    string
	run     any
	signals []string
	want    func(id string) string
}

const (
	stepCount, fanOut, childCount, chainLength, longCount = 3, 10, 3, 4, 25

	echoName = "echo"
)

var kinds = []kind{
	{"steps", steps, []string{"a", "b"}, func(id string) string { return id + "ab" + strings.Repeat(".", stepCount) }},
	{"fan", fan, nil, func(id string) string { return id + strings.Repeat(".", fanOut) }},
	{"family", family, nil, func(id string) string {
		said := id
		for i := range childCount {
			said += fmt.Sprintf(" %s-child-%d", id, i)
		}
		return said
	}},
	{"chain", chain, nil, func(id string) string { return id + strings.Repeat(".", chainLength) }},
	{"long", long, nil, func(id string) string { return id + strings.Repeat(".", longCount) }},
	{"stubborn", stubborn, nil, func(id string) string { return id + " at last" }},
}

func register(w worker.Worker) {
	for _, k := range kinds {
		w.RegisterWorkflowWithOptions(k.run, workflow.RegisterOptions{Name: k.name})
	}
	w.RegisterWorkflowWithOptions(echo, workflow.RegisterOptions{Name: echoName})
	w.RegisterActivity(step)
	w.RegisterActivity(failOnce)
}

func withActivities(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 200 * time.Millisecond, BackoffCoefficient: 1},
	})
}

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
	ctx = withActivities(ctx)
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

// fan takes its activities at once.
func fan(ctx workflow.Context, id string) (string, error) {
	ctx = withActivities(ctx)
	var all []workflow.Future
	for range fanOut {
		all = append(all, workflow.ExecuteActivity(ctx, step))
	}
	said := id
	for _, f := range all {
		var dot string
		if err := f.Get(ctx, &dot); err != nil {
			return "", err
		}
		said += dot
	}
	return said, nil
}

// family has children.
func family(ctx workflow.Context, id string) (string, error) {
	var all []workflow.ChildWorkflowFuture
	for i := range childCount {
		child := fmt.Sprintf("%s-child-%d", id, i)
		all = append(all, workflow.ExecuteChildWorkflow(
			workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: child}), echoName, child))
	}
	said := id
	for _, f := range all {
		var child string
		if err := f.Get(ctx, &child); err != nil {
			return "", err
		}
		said += " " + child
	}
	return said, nil
}

func echo(_ workflow.Context, said string) (string, error) { return said, nil }

// chain is continued as new until it is long enough.
func chain(ctx workflow.Context, said string) (string, error) {
	var dot string
	actx := withActivities(ctx)
	if err := workflow.ExecuteActivity(actx, step).Get(actx, &dot); err != nil {
		return "", err
	}
	if said += dot; strings.Count(said, ".") < chainLength {
		return "", workflow.NewContinueAsNewError(ctx, "chain", said)
	}
	return said, nil
}

// long has a history of some pages.
func long(ctx workflow.Context, id string) (string, error) {
	ctx = withActivities(ctx)
	for range longCount {
		var dot string
		if err := workflow.ExecuteActivity(ctx, step).Get(ctx, &dot); err != nil {
			return "", err
		}
		id += dot
	}
	return id, nil
}

// stubborn has an activity that is tried again.
func stubborn(ctx workflow.Context, id string) (string, error) {
	ctx = withActivities(ctx)
	var said string
	err := workflow.ExecuteActivity(ctx, failOnce).Get(ctx, &said)
	return id + said, err
}

func step(context.Context) (string, error) { return ".", nil }

func failOnce(ctx context.Context) (string, error) {
	if activity.GetInfo(ctx).Attempt < 2 {
		return "", errors.New("not yet")
	}
	return " at last", nil
}
