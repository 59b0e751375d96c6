package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Scenario is a kind of workflow.
type Scenario string

// The scenarios.
const (
	Activity      Scenario = "activity"        // one activity
	FanOut        Scenario = "fan-out"         // 50 activities side by side
	Signals       Scenario = "signals"         // 10 signals, in order
	Children      Scenario = "children"        // 5 child workflows of one activity
	Timers        Scenario = "timers"          // 5 timers side by side, up to 250 ms
	LongHistory   Scenario = "long-history"    // 20 batches of 10 activities; the history is read back
	ContinueAsNew Scenario = "continue-as-new" // 5 runs of one activity
	ManyQueues    Scenario = "many-queues"     // workflow and activity on two of 16 task queues
)

// Scenarios lists all of them.
func Scenarios() []Scenario {
	return []Scenario{Activity, FanOut, Signals, Children, Timers, LongHistory, ContinueAsNew, ManyQueues}
}

// How large the scenarios are.
const (
	fanOut      = 50
	signals     = 10
	children    = 5
	timers      = 5
	longestTick = 250 * time.Millisecond
	batches     = 20
	batch       = 10
	runs        = 5
	queues      = 16
	payloadSize = 256 // bytes of an activity's argument
)

// mainQueue is the task queue of all scenarios but ManyQueues.
const mainQueue = "compare"

func queueOf(i int) string { return mainQueue + "-" + strconv.Itoa(i%queues) }

// piece is one workflow that was started, and what it must answer.
type piece struct {
	scenario Scenario
	id       string
	number   int
	seed     uint64
}

// payload is the argument of part k: text that does not compress and that depends
// on the seed, so that no answer fits another workflow.
func payload(seed uint64, k int) string {
	rng := rand.New(rand.NewPCG(seed, uint64(k))) //nolint:gosec // both arms must get the same
	raw := make([]byte, payloadSize/2)
	for i := range raw {
		raw[i] = byte(rng.Uint32())
	}
	return hex.EncodeToString(raw)
}

// digest is what the activity does.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// fold puts answers together so that a missing, doubled or misplaced one shows.
func fold(answers ...string) string { return digest(strings.Join(answers, "/")) }

// want is the answer of a workflow that did all of its work once and in order.
func (p piece) want() string {
	var parts []string
	add := func(n int) {
		for k := range n {
			parts = append(parts, digest(payload(p.seed, k)))
		}
	}
	switch p.scenario {
	case FanOut:
		add(fanOut)
	case Signals:
		for k := range signals {
			parts = append(parts, payload(p.seed, k))
		}
	case Children:
		for k := range children {
			parts = append(parts, fold(digest(payload(p.seed+uint64(k), 0))))
		}
	case Timers:
		add(0)
		for k := range timers {
			parts = append(parts, strconv.Itoa(k))
		}
	case LongHistory:
		add(batches * batch)
	case ContinueAsNew:
		answer := ""
		for k := range runs {
			answer = fold(answer, digest(payload(p.seed, k)))
		}
		return answer
	case Activity, ManyQueues:
		add(1)
	}
	return fold(parts...)
}

// input is the argument of all workflows. A seed is a text because JSON's numbers
// lose digits in languages that other tools use.
type input struct {
	Seed   string `json:"seed"`
	Run    int    `json:"run,omitempty"`    // of ContinueAsNew
	Answer string `json:"answer,omitempty"` // of its runs so far
	Queue  string `json:"queue,omitempty"`  // of the activity; empty: the workflow's
}

func (in input) seed() (uint64, error) { return strconv.ParseUint(in.Seed, 10, 64) }

const signalName = "next"

// workflows are registered with every worker, under the scenarios' names.
var workflows = map[Scenario]func(workflow.Context, input) (string, error){
	Activity:      activities(1),
	ManyQueues:    activities(1),
	FanOut:        activities(fanOut),
	Signals:       collectSignals,
	Children:      startChildren,
	Timers:        waitTimers,
	LongHistory:   inBatches,
	ContinueAsNew: continueAsNew,
}

const (
	activityName = "digest"
	// taskLimit bounds one task. It is far above what any load should take, for an
	// activity that runs twice would change what a workflow costs.
	taskLimit = 5 * time.Minute
)

func register(w worker.Worker) {
	for name, fn := range workflows {
		w.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: string(name)})
	}
}

func withActivity(ctx workflow.Context, queue string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue: queue, StartToCloseTimeout: taskLimit,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 5},
	})
}

// digests runs activities from to to side by side and returns their answers.
func digests(ctx workflow.Context, seed uint64, from, to int) ([]string, error) {
	futures := make([]workflow.Future, 0, to-from)
	for k := from; k < to; k++ {
		futures = append(futures, workflow.ExecuteActivity(ctx, activityName, payload(seed, k)))
	}
	answers := make([]string, len(futures))
	for k, f := range futures {
		if err := f.Get(ctx, &answers[k]); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func activities(n int) func(workflow.Context, input) (string, error) {
	return func(ctx workflow.Context, in input) (string, error) {
		seed, err := in.seed()
		if err != nil {
			return "", err
		}
		answers, err := digests(withActivity(ctx, in.Queue), seed, 0, n)
		return fold(answers...), err
	}
}

func collectSignals(ctx workflow.Context, _ input) (string, error) {
	channel := workflow.GetSignalChannel(ctx, signalName)
	var got []string
	for range signals {
		var text string
		channel.Receive(ctx, &text)
		got = append(got, text)
	}
	return fold(got...), nil
}

func startChildren(ctx workflow.Context, in input) (string, error) {
	seed, err := in.seed()
	if err != nil {
		return "", err
	}
	futures := make([]workflow.Future, children)
	for k := range futures {
		child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-" + strconv.Itoa(k),
		})
		futures[k] = workflow.ExecuteChildWorkflow(child, string(Activity), input{Seed: strconv.FormatUint(seed+uint64(k), 10)})
	}
	answers := make([]string, children)
	for k, f := range futures {
		if err := f.Get(ctx, &answers[k]); err != nil {
			return "", err
		}
	}
	return fold(answers...), nil
}

func waitTimers(ctx workflow.Context, _ input) (string, error) {
	began := workflow.Now(ctx)
	futures := make([]workflow.Future, timers)
	wait := func(k int) time.Duration { return longestTick * time.Duration(k+1) / timers }
	for k := range futures {
		futures[k] = workflow.NewTimer(ctx, wait(k))
	}
	var fired []string
	for k, f := range futures {
		if err := f.Get(ctx, nil); err != nil {
			return "", err
		}
		if after := workflow.Now(ctx).Sub(began); after < wait(k) {
			return "", temporal.NewNonRetryableApplicationError(
				fmt.Sprintf("a timer of %s fired after %s", wait(k), after), "early", nil)
		}
		fired = append(fired, strconv.Itoa(k))
	}
	return fold(fired...), nil
}

func inBatches(ctx workflow.Context, in input) (string, error) {
	seed, err := in.seed()
	if err != nil {
		return "", err
	}
	ctx = withActivity(ctx, "")
	var all []string
	for b := range batches {
		answers, err := digests(ctx, seed, b*batch, (b+1)*batch)
		if err != nil {
			return "", err
		}
		all = append(all, answers...)
	}
	return fold(all...), nil
}

func continueAsNew(ctx workflow.Context, in input) (string, error) {
	seed, err := in.seed()
	if err != nil {
		return "", err
	}
	answers, err := digests(withActivity(ctx, ""), seed, in.Run, in.Run+1)
	if err != nil {
		return "", err
	}
	in.Answer = fold(in.Answer, answers[0])
	if in.Run++; in.Run < runs {
		return "", workflow.NewContinueAsNewError(ctx, string(ContinueAsNew), in)
	}
	return in.Answer, nil
}

// errStart wraps an error of a start that may not have been accepted: it counts
// among the errors of the load.
var errStart = errors.New("start a workflow")

// WrongError is what a workflow did that it must not. It ends a run.
type WrongError struct {
	Scenario Scenario
	ID       string
	What     string
	Err      error // cause; may be nil
}

func (e *WrongError) Error() string {
	s := fmt.Sprintf("workflow %s (%s) %s", e.ID, e.Scenario, e.What)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *WrongError) Unwrap() error { return e.Err }

// run starts the piece, feeds it, waits for its end and judges its answer. A
// workflow that was accepted has limit to end.
func (p piece) run(ctx context.Context, c client.Client, limit time.Duration) error {
	wrong := func(what string, err error) error {
		if ctx.Err() != nil {
			return ctx.Err() // the run ends: it is not the workflow's fault
		}
		return &WrongError{p.scenario, p.id, what, err}
	}
	queue, in := mainQueue, input{Seed: strconv.FormatUint(p.seed, 10)}
	if p.scenario == ManyQueues {
		queue, in.Queue = queueOf(p.number), queueOf(p.number+1)
	}
	started, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: p.id, TaskQueue: queue, WorkflowTaskTimeout: time.Minute,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, string(p.scenario), in)
	if err != nil {
		return fmt.Errorf("%w: %w", errStart, err)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if p.scenario == Signals {
		for k := range signals {
			if err := c.SignalWorkflow(within, p.id, started.GetRunID(), signalName, payload(p.seed, k)); err != nil {
				return wrong(fmt.Sprintf("did not take signal %d of %d", k+1, signals), err)
			}
		}
	}
	var answer string
	if err := started.Get(within, &answer); err != nil {
		if within.Err() != nil {
			return wrong(fmt.Sprintf("was accepted and has not ended within %s", limit), nil)
		}
		return wrong("failed", err)
	}
	if answer != p.want() {
		return wrong(fmt.Sprintf("answered %q in place of %q", answer, p.want()), nil)
	}
	if p.scenario == LongHistory {
		if err := p.readBack(within, c, started.GetRunID()); err != nil {
			return wrong("cannot be read back", err)
		}
	}
	return nil
}

// readBack reads the whole history and counts what must be in it.
func (p piece) readBack(ctx context.Context, c client.Client, run string) error {
	events := c.GetWorkflowHistory(ctx, p.id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var last, completed int64
	ended := false
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			return err
		}
		if e.GetEventId() != last+1 {
			return fmt.Errorf("event %d follows event %d", e.GetEventId(), last)
		}
		last = e.GetEventId()
		switch e.GetEventType() { //nolint:exhaustive // the others are in between
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			completed++
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			ended = true
		}
	}
	if completed != batches*batch || !ended {
		return fmt.Errorf("its history of %d events has %d completed activities of %d, its end: %t", last, completed, batches*batch, ended)
	}
	return nil
}
