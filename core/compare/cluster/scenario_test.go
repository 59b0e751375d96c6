package cluster

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"
)

// runHere runs a workflow of a scenario without a server, with an activity that
// may lie, and returns its answer.
func runHere(t *testing.T, p piece, in input, act func(string) string) (string, error) {
	t.Helper()
	env := new(testsuite.WorkflowTestSuite).NewTestWorkflowEnvironment()
	for name, fn := range workflows {
		env.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: string(name)})
	}
	env.RegisterActivityWithOptions(func(_ context.Context, text string) (string, error) { return act(text), nil },
		activity.RegisterOptions{Name: activityName})
	env.RegisterDelayedCallback(func() {
		if p.scenario == Signals {
			for k := range signals {
				env.SignalWorkflow(signalName, payload(p.seed, k))
			}
		}
	}, 0)
	env.ExecuteWorkflow(string(p.scenario), in)
	require.True(t, env.IsWorkflowCompleted())
	if err := env.GetWorkflowError(); err != nil {
		return "", err
	}
	var answer string
	return answer, env.GetWorkflowResult(&answer)
}

func TestEachScenarioAnswersWhatIsWantedAndNothingElse(t *testing.T) {
	for _, scenario := range Scenarios() {
		t.Run(string(scenario), func(t *testing.T) {
			p := piece{scenario: scenario, id: "w", seed: 7}
			in := input{Seed: "7"}
			answer, err := runHere(t, p, in, digest)
			for scenario == ContinueAsNew && err != nil {
				var next *workflow.ContinueAsNewError
				require.ErrorAs(t, err, &next)
				require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
				answer, err = runHere(t, p, in, digest)
			}
			require.NoError(t, err)
			require.Equal(t, p.want(), answer)
			require.NotEqual(t, piece{scenario: scenario, seed: 8}.want() == answer, scenario != Timers,
				"all but timers answer to their seed")
		})
	}
}

func TestALyingActivityChangesTheAnswer(t *testing.T) {
	for _, scenario := range []Scenario{Activity, FanOut, Children, LongHistory, ManyQueues} {
		lied := 0
		p := piece{scenario: scenario, seed: 7}
		answer, err := runHere(t, p, input{Seed: "7"}, func(text string) string {
			if lied++; lied == 1 {
				return "lie"
			}
			return digest(text)
		})
		require.NoError(t, err)
		require.NotEqual(t, p.want(), answer, scenario)
	}
}

// started is a client whose server accepts a workflow that ends as get says.
func started(t *testing.T, get func(ctx context.Context, answer *string) error) *mocks.Client {
	t.Helper()
	c, r := &mocks.Client{}, &mocks.WorkflowRun{}
	r.On("GetRunID").Return("run")
	r.On("Get", mock.Anything, mock.Anything).Return(func(ctx context.Context, to any) error {
		answer, ok := to.(*string)
		require.True(t, ok)
		return get(ctx, answer)
	})
	c.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(r, nil)
	return c
}

func TestAWorkflowThatDoesWhatItMustNotIsAnErrorOfTheRun(t *testing.T) {
	p := piece{scenario: Activity, id: "w-1", seed: 7}
	tests := []struct {
		name string
		give func(ctx context.Context, answer *string) error
		want string
	}{
		{
			"a wrong answer", func(_ context.Context, answer *string) error { *answer = "other"; return nil },
			`workflow w-1 (activity) answered "other" in place of "` + p.want() + `"`,
		},
		{
			"one that never ends", func(ctx context.Context, _ *string) error { <-ctx.Done(); return ctx.Err() },
			"workflow w-1 (activity) was accepted and has not ended within 10ms",
		},
		{
			"one that fails", func(context.Context, *string) error { return errors.New("broken") },
			"workflow w-1 (activity) failed: broken",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limit := time.Minute
			if tt.name == "one that never ends" {
				limit = 10 * time.Millisecond
			}
			err := p.run(t.Context(), started(t, tt.give), limit)
			var wrong *WrongError
			require.ErrorAs(t, err, &wrong)
			require.EqualError(t, err, tt.want)
		})
	}
	require.NoError(t, p.run(t.Context(), started(t, func(_ context.Context, answer *string) error {
		*answer = p.want()
		return nil
	}), time.Minute))
}

func TestAStartThatIsNotAcceptedIsCountedOnly(t *testing.T) {
	c := &mocks.Client{}
	c.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil, errors.New("too busy"))
	err := piece{scenario: Activity, seed: 7}.run(t.Context(), c, time.Minute)
	require.ErrorIs(t, err, errStart)
	var wrong *WrongError
	require.NotErrorAs(t, err, &wrong)
}

// history is a history whose events are handed out one by one.
type history struct{ events []*historypb.HistoryEvent }

func (h *history) HasNext() bool { return len(h.events) > 0 }
func (h *history) Next() (*historypb.HistoryEvent, error) {
	e := h.events[0]
	h.events = h.events[1:]
	return e, nil
}

func TestALongHistoryMustBeWhole(t *testing.T) {
	whole := func() *history {
		h := &history{}
		add := func(kind enumspb.EventType) {
			h.events = append(h.events, &historypb.HistoryEvent{EventId: int64(len(h.events) + 1), EventType: kind})
		}
		add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
		for range batches * batch {
			add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
		}
		add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
		return h
	}
	read := func(h *history) error {
		c := &mocks.Client{}
		c.On("GetWorkflowHistory", mock.Anything, "w", "r", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(h)
		return piece{scenario: LongHistory, id: "w"}.readBack(t.Context(), c, "r")
	}
	require.NoError(t, read(whole()))

	h := whole()
	h.events = append(h.events[:50], h.events[51:]...)
	require.ErrorContains(t, read(h), "event 52 follows event 50")

	h = whole()
	h.events = h.events[:len(h.events)-1]
	require.ErrorContains(t, read(h), "its end: false")
}
