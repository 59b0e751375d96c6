package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"
)

// RoundTrips checks that what is written is what is read, after each way of
// writing a run.
func RoundTrips(t *testing.T, open func(t *testing.T) (Stores, Scene)) {
	t.Helper()
	// The runs of a scene as they read after each call, by run.
	snapshot := func(s Scene, run string, version int64) string {
		return ExecutionText(asState(s.Snapshot(run, version)))
	}
	tests := []struct {
		name  string
		calls func(ctx context.Context, e p.ExecutionStore, s Scene) error
		want  func(s Scene) map[string]string
	}{
		{"a new run", func(context.Context, p.ExecutionStore, Scene) error { return nil }, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: snapshot(s, s.Runs[0], 1), s.Runs[1]: snapshot(s, s.Runs[1], 1)}
		}},
		{"an update", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0]))
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: s.afterUpdate(s.Runs[0], 1)}
		}},
		{"buffered events keep their order", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			for version := int64(2); version <= 4; version++ {
				request := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
				request.UpdateWorkflowMutation = *s.Mutation(s.Runs[0], version)
				if err := e.UpdateWorkflowExecution(ctx, request); err != nil {
					return err
				}
			}
			return nil
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: s.afterUpdate(s.Runs[0], 3)}
		}},
		{"cleared events win over new ones", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			if err := e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])); err != nil {
				return err
			}
			request := s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])
			request.UpdateWorkflowMutation = *s.Mutation(s.Runs[0], 3)
			request.UpdateWorkflowMutation.ClearBufferedEvents = true
			return e.UpdateWorkflowExecution(ctx, request)
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: s.updated(s.Runs[0], 3, 0)}
		}},
		{"an update of a run that is not the current one", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			return e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeBypassCurrent, s.Runs[1]))
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[1]: s.afterUpdate(s.Runs[1], 1)}
		}},
		{"a snapshot replaces everything and drops buffered events", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			if err := e.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0])); err != nil {
				return err
			}
			return e.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 3))
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: snapshot(s, s.Runs[0], 3)}
		}},
		{"an empty snapshot empties everything", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			request := s.Set(s.Runs[0], 2)
			request.SetWorkflowSnapshot = *empty(&request.SetWorkflowSnapshot)
			return e.SetWorkflowExecution(ctx, request)
		}, func(s Scene) map[string]string {
			return map[string]string{s.Runs[0]: ExecutionText(asState(empty(s.Snapshot(s.Runs[0], 2))))}
		}},
		{"a conflict resolution of three runs", func(ctx context.Context, e p.ExecutionStore, s Scene) error {
			return e.ConflictResolveWorkflowExecution(ctx, s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent))
		}, func(s Scene) map[string]string {
			return map[string]string{
				s.Runs[0]: s.afterUpdate(s.Runs[0], 1), s.Runs[1]: snapshot(s, s.Runs[1], 2), s.Runs[2]: snapshot(s, s.Runs[2], 1),
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st, s := open(t)
			s.CreateBoth(t, st.Executions)
			require.NoError(t, tt.calls(t.Context(), st.Executions, s))
			for run, want := range tt.want(s) {
				got, err := st.Executions.GetWorkflowExecution(t.Context(), s.Get(run))
				require.NoError(t, err)
				require.Equal(t, want, ExecutionText(got.State))
				require.Equal(t, got.State.DBRecordVersion, got.DBRecordVersion)
			}
		})
	}
	t.Run("a write of very many rows", func(t *testing.T) {
		st, s := open(t)
		request := s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0])
		run := &request.NewWorkflowSnapshot
		run.Tasks = map[tasks.Category][]p.InternalHistoryTask{}
		for i := range int64(40) {
			for c, list := range Tasks(1000 + 10*i) {
				run.Tasks[c] = append(run.Tasks[c], list...)
			}
			run.ActivityInfos[100+i] = Blob("activity %d", i)
			run.TimerInfos[fmt.Sprint("t", i)] = Blob("timer %d", i)
			request.NewWorkflowNewEvents = append(request.NewWorkflowNewEvents, s.Append(s.Branches[0], 10+i, 100+i, false))
		}
		_, err := st.Executions.CreateWorkflowExecution(t.Context(), request)
		require.NoError(t, err)
		got, err := st.Executions.GetWorkflowExecution(t.Context(), s.Get(s.Runs[0]))
		require.NoError(t, err)
		require.Equal(t, ExecutionText(asState(run)), ExecutionText(got.State))
		for c, list := range run.Tasks {
			page, err := st.Executions.GetHistoryTasks(t.Context(), s.GetTasks(c))
			require.NoError(t, err)
			require.Len(t, page.Tasks, len(list))
		}
		nodes, err := st.Executions.ReadHistoryBranch(t.Context(), &p.InternalReadHistoryBranchRequest{
			BranchToken: s.BranchToken(t, st.Executions.GetHistoryBranchUtil(), s.Branches[0]),
			BranchID:    s.Branches[0], MinNodeID: 1, MaxNodeID: 1000, PageSize: 1000,
		})
		require.NoError(t, err)
		require.Len(t, nodes.Nodes, 42)
	})
}

// asState is a snapshot as it reads.
func asState(run *p.InternalWorkflowSnapshot) *p.InternalWorkflowMutableState {
	m := &p.InternalWorkflowMutableState{
		ExecutionInfo: run.ExecutionInfoBlob, ExecutionState: run.ExecutionStateBlob, Checksum: run.Checksum,
		NextEventID: run.NextEventID, DBRecordVersion: run.DBRecordVersion,
		ActivityInfos: run.ActivityInfos, TimerInfos: run.TimerInfos, ChildExecutionInfos: run.ChildExecutionInfos,
		RequestCancelInfos: run.RequestCancelInfos, SignalInfos: run.SignalInfos, ChasmNodes: run.ChasmNodes,
	}
	for id := range run.SignalRequestedIDs {
		m.SignalRequestedIDs = append(m.SignalRequestedIDs, id)
	}
	return m
}

func empty(run *p.InternalWorkflowSnapshot) *p.InternalWorkflowSnapshot {
	none := *run
	none.ActivityInfos, none.TimerInfos, none.ChildExecutionInfos = nil, nil, nil
	none.RequestCancelInfos, none.SignalInfos, none.ChasmNodes, none.SignalRequestedIDs = nil, nil, nil, nil
	return &none
}

// afterUpdate is how Snapshot reads after n Mutations.
func (s Scene) afterUpdate(run string, n int) string { return s.updated(run, 1+int64(n), n) }

// updated is how Snapshot reads after Mutations up to a version, with so many
// batches of buffered events left.
func (s Scene) updated(run string, version int64, buffered int) string {
	m, change := asState(s.Snapshot(run, 1)), s.Mutation(run, version)
	m.ExecutionInfo, m.ExecutionState, m.Checksum = change.ExecutionInfoBlob, change.ExecutionStateBlob, change.Checksum
	m.NextEventID, m.DBRecordVersion = change.NextEventID, version
	m.ActivityInfos = map[int64]*commonpb.DataBlob{10: Blob("activity 10")}
	m.TimerInfos = map[string]*commonpb.DataBlob{"t2": Blob("timer t2"), "t3": Blob("timer t3")}
	m.ChildExecutionInfos = map[int64]*commonpb.DataBlob{14: Blob("child 14")}
	m.RequestCancelInfos = map[int64]*commonpb.DataBlob{15: Blob("cancel 15")}
	m.SignalInfos = map[int64]*commonpb.DataBlob{16: Blob("signal 16")}
	m.ChasmNodes = map[string]p.InternalChasmNode{"": s.Node(""), "c": s.Node("c")}
	m.SignalRequestedIDs = []string{s.Runs[0], s.Runs[1]}
	for range buffered {
		m.BufferedEvents = append(m.BufferedEvents, Blob("buffered"))
	}
	return ExecutionText(m)
}
