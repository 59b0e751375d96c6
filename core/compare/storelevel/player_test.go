package storelevel

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
)

// scripted answers as a test says; other methods are not called.
type scripted struct {
	p.ExecutionManager
	p.TaskManager
	p.ShardManager
	write func() error
	read  func() (*p.GetWorkflowExecutionResponse, error)
}

func (*scripted) Close()          {}
func (*scripted) GetName() string { return "scripted" }

func (s *scripted) CreateWorkflowExecution(context.Context, *p.CreateWorkflowExecutionRequest) (*p.CreateWorkflowExecutionResponse, error) {
	return &p.CreateWorkflowExecutionResponse{}, s.write()
}

func (s *scripted) UpdateWorkflowExecution(context.Context, *p.UpdateWorkflowExecutionRequest) (*p.UpdateWorkflowExecutionResponse, error) {
	return &p.UpdateWorkflowExecutionResponse{}, s.write()
}

func (s *scripted) GetWorkflowExecution(context.Context, *p.GetWorkflowExecutionRequest) (*p.GetWorkflowExecutionResponse, error) {
	return s.read()
}

func scriptedStores(s *scripted) *arm.Stores {
	return &arm.Stores{Executions: executions{s}}
}

// executions hides the methods that scripted has twice.
type executions struct{ *scripted }

func (e executions) GetHistoryBranchUtil() p.HistoryBranchUtil { return branches }

func smallMix() *mix {
	o := DefaultOptions()
	o.Open, o.Shards, o.Queues = 4, 2, 1
	return newMix(o, 7, false)
}

// TestEqualSeedsMakeEqualSequences, however they are taken.
func TestEqualSeedsMakeEqualSequences(t *testing.T) {
	names := func(ops []*op) (all []string) {
		for _, o := range ops {
			all = append(all, o.name)
		}
		return all
	}
	whole := smallMix()
	pieces := smallMix()
	want := names(whole.next(500))
	got := append(names(pieces.next(123)), names(pieces.next(377))...)
	require.Equal(t, want, got)
	require.Equal(t, whole.shards[1].task, pieces.shards[1].task)
	other := newMix(whole.o, 8, false)
	require.NotEqual(t, want, names(other.next(500)))
	warm := newMix(whole.o, 7, true)
	require.True(t, warmed(warm.namespace))
	require.False(t, warmed(whole.namespace))
	warm.next(100)
	for id := range warm.shards {
		require.Greater(t, id, int32(whole.o.Shards), "shards of its own")
	}
}

// TestCallsOfOneWorkflowFollowEachOther has the first call answer last.
func TestCallsOfOneWorkflowFollowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := smallMix()
		create := m.create()
		w := m.running[0]
		update := m.step(w)
		for _, o := range []*op{create, update} {
			o.done = make(chan struct{})
		}
		var order []string
		slow := func(name string, d time.Duration) func(context.Context, *arm.Stores) error {
			return func(context.Context, *arm.Stores) error {
				time.Sleep(d) // of simulated time
				order = append(order, name)
				return nil
			}
		}
		create.call, update.call = slow("create", 5*time.Second), slow("update", time.Millisecond)
		pl := newPlayer(m.o, scriptedStores(&scripted{}))
		pl.measuring = true
		measured, _, err := pl.offer(t.Context(), []*op{create, update}, load.Constant(2, time.Second), nil)
		require.NoError(t, err)
		require.Equal(t, []string{"create", "update"}, order)
		response := measured.Kinds[updateWorkflow].Response.Max()
		require.InDelta(t, 4.5, response.Seconds(), 0.1, "from the intended start on")
		require.Less(t, pl.calls[updateWorkflow].call.Service.Max(), 10*time.Millisecond, "the call alone")
	})
}

// TestALostAnswerIsSettledAndNotRepeated: the write took effect, though nobody heard.
func TestALostAnswerIsSettledAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := smallMix()
		create := m.create()
		create.done = make(chan struct{})
		writes := 0
		stores := scriptedStores(&scripted{
			write: func() error { writes++; return &p.TimeoutError{Msg: "no answer"} },
			read: func() (*p.GetWorkflowExecutionResponse, error) {
				return &p.GetWorkflowExecutionResponse{State: &persistencespb.WorkflowMutableState{}, DBRecordVersion: 1}, nil
			},
		})
		pl := newPlayer(m.o, stores)
		pl.measuring = true
		require.Error(t, pl.play(t.Context(), create))
		require.Equal(t, 1, writes)
		require.False(t, create.failed, "what follows it can go on")
		call := pl.calls[createWorkflow].call
		require.Equal(t, map[string]int64{"timeout": 1}, call.Errors)
		require.EqualValues(t, 1, call.Unknown)
		require.Zero(t, call.Service.Count(), "errors have no latency")
	})
}

// TestAWriteThatDidNotHappenIsMadeAgain, and what follows one that cannot be made
// is left out and counted.
func TestAWriteThatDidNotHappenIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := smallMix()
		create := m.create()
		update := m.step(m.running[0])
		for _, o := range []*op{create, update} {
			o.done = make(chan struct{})
		}
		writes := 0
		fails := 1
		stores := scriptedStores(&scripted{
			write: func() error {
				if writes++; writes <= fails {
					return serviceerror.NewUnavailable("not now")
				}
				return nil
			},
			read: func() (*p.GetWorkflowExecutionResponse, error) { return nil, serviceerror.NewNotFound("none") },
		})
		pl := newPlayer(m.o, stores)
		require.Error(t, pl.play(t.Context(), create))
		require.Equal(t, 2, writes)
		require.False(t, create.failed)

		fails = 1000
		writes = 0
		require.Error(t, pl.play(t.Context(), update))
		require.True(t, update.failed)
		later := &op{name: getWorkflow, after: []*op{update}, done: make(chan struct{})}
		require.ErrorIs(t, pl.play(t.Context(), later), errSkipped)
	})
}

// TestADatabaseThatDoesNotAnswerEndsTheBlock within the time that the plan says.
func TestADatabaseThatDoesNotAnswerEndsTheBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := smallMix()
		down := errors.New("connection refused")
		stores := scriptedStores(&scripted{})
		pl := newPlayer(m.o, stores)
		schedule := load.Constant(20, 10*time.Minute)
		ops := make([]*op, len(schedule))
		for i := range ops {
			ops[i] = &op{name: getWorkflow, done: make(chan struct{}), call: func(context.Context, *arm.Stores) error {
				if i < 40 {
					return nil
				}
				return down
			}}
		}
		began := time.Now()
		_, _, err := pl.offer(t.Context(), ops, schedule, nil)
		require.ErrorContains(t, err, "no call has succeeded for 15s; the last error is GetWorkflowExecution: connection refused: see whether the database is up")
		require.ErrorIs(t, err, down)
		require.InDelta(t, 17, time.Since(began).Seconds(), 1)
	})
}

func TestAStepOfARampHoldsOrSaysWhyNot(t *testing.T) {
	o := RampOptions{Objective: 50 * time.Millisecond}
	measured := func(took time.Duration, errorCount int) *load.Measured {
		m := &load.Measured{Kinds: map[string]*load.Kind{}, Offered: 1000, Done: 1000 - errorCount, Took: time.Second}
		k := m.Kind("get")
		for range m.Done {
			k.Response.Record(took)
		}
		if errorCount > 0 {
			k.Errors["timeout"] = errorCount
		}
		return m
	}
	require.True(t, judgeStep(o, 1000, measured(time.Millisecond, 0), 3).Holds)
	require.Contains(t, judgeStep(o, 1000, measured(60*time.Millisecond, 0), 3).Why, "the objective 50ms")
	require.Contains(t, judgeStep(o, 1000, measured(time.Millisecond, 0), 400).Why, "a backlog grew")
	require.Equal(t, "2 of 1000 calls failed", judgeStep(o, 1000, measured(time.Millisecond, 2), 3).Why)
}

func TestOptionsReportEveryFault(t *testing.T) {
	o := DefaultOptions()
	require.NoError(t, o.Validate())
	o.Rates, o.Duration, o.Shards, o.Arrivals = []float64{-1}, 0, 0, "now"
	o.Ramp.From, o.Ramp.Factor = 10, 1
	err := o.Validate()
	for _, part := range []string{"store.rates: -1", "store.duration: 0s", "store.shards: 0", `store.arrivals: "now"`, "store.ramp.factor: 1"} {
		require.ErrorContains(t, err, part)
	}
}
