package interchange

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/server/chasm"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"
)

// firstShard is the call that every script begins with.
func (s *script) firstShard() call {
	blob := s.blob()
	return call{"GetOrCreateShard", func(ctx context.Context, a *arm) (any, error) {
		return a.shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{
			ShardID: s.shard,
			CreateShardInfo: func() (int64, *blobOf, error) {
				return 1, blob, nil
			},
		})
	}}
}

func (s *script) updateShard() call {
	was, blob := s.rangeID, s.blob()
	if s.one(4) {
		was += 9 // refused
	} else {
		s.rangeID++
	}
	next := was + 1
	return call{"UpdateShard", func(ctx context.Context, a *arm) (any, error) {
		return done(a.shards.UpdateShard(ctx, &p.InternalUpdateShardRequest{
			ShardID: s.shard, RangeID: next, PreviousRangeID: was, ShardInfo: blob, Owner: "owner",
		}))
	}}
}

func (s *script) create() call {
	archetypes := []chasm.ArchetypeID{chasm.WorkflowArchetypeID, chasm.WorkflowArchetypeID, 77}
	r := &run{
		namespace: "0f3e7f2e-7b6a-4d52-8a35-6a1f8e0e1d11", workflow: fmt.Sprintf("w-%d", s.rand.IntN(6)), id: s.uuid(),
		archetype: archetypes[s.rand.IntN(3)], version: 1,
	}
	rangeID, lost := s.lease()
	now := s.current[r.key()]
	req := &p.InternalCreateWorkflowExecutionRequest{
		ShardID: s.shard, RangeID: rangeID, ArchetypeID: r.archetype, Mode: p.CreateWorkflowModeBrandNew,
		NewWorkflowNewEvents: s.events(nil),
	}
	makesCurrent, succeeds := true, now == nil
	switch {
	case s.one(6):
		req.Mode = p.CreateWorkflowModeBypassCurrent
		makesCurrent, succeeds = false, true
	case now != nil && s.one(2):
		req.Mode, req.PreviousRunID, req.PreviousLastWriteVersion = p.CreateWorkflowModeUpdateCurrent, now.id, 1
		succeeds = now.closed
	}
	if req.Mode == p.CreateWorkflowModeBypassCurrent {
		req.NewWorkflowSnapshot = s.snapshot(r, completed, isDone)
		r.closed = true
	} else {
		req.NewWorkflowSnapshot = s.snapshot(r, running, isRunning)
	}
	if succeeds && !lost {
		s.runs = append(s.runs, r)
		if makesCurrent {
			s.current[r.key()] = r
		}
	}
	return call{"CreateWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
		return a.runs.CreateWorkflowExecution(ctx, req)
	}}
}

func (s *script) update() call {
	r := s.someRun()
	if r == nil {
		return s.create()
	}
	rangeID, lost := s.lease()
	isCurrent := s.current[r.key()] == r
	req := &p.InternalUpdateWorkflowExecutionRequest{ShardID: s.shard, RangeID: rangeID, ArchetypeID: r.archetype}
	state, status := running, isRunning
	if r.closed || s.one(4) {
		state, status = completed, isDone
	}
	var next *run
	succeeds := true
	switch {
	case isCurrent && !s.one(8):
		req.Mode = p.UpdateWorkflowModeUpdateCurrent
		if s.one(3) {
			state, status = completed, isDone
			next = &run{namespace: r.namespace, workflow: r.workflow, archetype: r.archetype, id: s.uuid(), version: 1}
		}
	case s.one(3):
		req.Mode = p.UpdateWorkflowModeIgnoreCurrent
	default:
		req.Mode = p.UpdateWorkflowModeBypassCurrent
		succeeds = !isCurrent
	}
	req.UpdateWorkflowMutation = s.mutation(r, state, status)
	// Of a write that bypasses the current run and finds itself current, stock
	// has stored the events by the time it looks; ours looks first.
	if s.one(2) && len(s.branches) > 0 && succeeds {
		req.UpdateWorkflowNewEvents = s.events(s.branches[s.rand.IntN(len(s.branches))])
	}
	if next != nil {
		snap := s.snapshot(next, running, isRunning)
		req.NewWorkflowSnapshot, req.NewWorkflowNewEvents = &snap, s.events(nil)
	}
	if s.one(10) {
		req.UpdateWorkflowMutation.DBRecordVersion += 3 // refused
		succeeds = false
	}
	if succeeds && !lost {
		r.version, r.closed = r.version+1, state == completed
		if next != nil {
			s.runs = append(s.runs, next)
			s.current[next.key()] = next
		}
	}
	return call{"UpdateWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
		return done(a.runs.UpdateWorkflowExecution(ctx, req))
	}}
}

func (s *script) set() call {
	r := s.someRun()
	if r == nil {
		return s.create()
	}
	rangeID, lost := s.lease()
	if !lost {
		r.version++
	}
	state, status := running, isRunning
	if r.closed {
		state, status = completed, isDone
	}
	req := &p.InternalSetWorkflowExecutionRequest{ShardID: s.shard, RangeID: rangeID, ArchetypeID: r.archetype, SetWorkflowSnapshot: s.snapshot(r, state, status)}
	if lost {
		req.SetWorkflowSnapshot.DBRecordVersion++
	}
	return call{"SetWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
		return done(a.runs.SetWorkflowExecution(ctx, req))
	}}
}

// resolve replaces a run that is not current, changes the current one and
// starts a third.
func (s *script) resolve() call {
	for range 10 {
		r := s.someRun()
		if r == nil {
			break
		}
		now := s.current[r.key()]
		if now == nil || now == r {
			continue
		}
		next := &run{namespace: r.namespace, workflow: r.workflow, archetype: r.archetype, id: s.uuid(), version: 1}
		r.version++
		reset := s.snapshot(r, completed, isDone)
		change := s.mutation(now, completed, isDone)
		snap := s.snapshot(next, running, isRunning)
		now.version, now.closed, r.closed = now.version+1, true, true
		s.runs = append(s.runs, next)
		s.current[next.key()] = next
		req := &p.InternalConflictResolveWorkflowExecutionRequest{
			ShardID: s.shard, RangeID: s.rangeID, ArchetypeID: r.archetype, Mode: p.ConflictResolveWorkflowModeUpdateCurrent,
			ResetWorkflowSnapshot: reset, CurrentWorkflowMutation: &change, NewWorkflowSnapshot: &snap,
			ResetWorkflowEventsNewEvents: s.events(nil), NewWorkflowEventsNewEvents: s.events(nil),
		}
		return call{"ConflictResolveWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
			return done(a.runs.ConflictResolveWorkflowExecution(ctx, req))
		}}
	}
	return s.update()
}

func (s *script) deleteRun() call {
	r := s.someRun()
	if r == nil {
		return s.create()
	}
	s.drop(r)
	if s.current[r.key()] == r {
		delete(s.current, r.key())
	}
	return call{"DeleteWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
		if err := a.runs.DeleteCurrentWorkflowExecution(ctx, &p.DeleteCurrentWorkflowExecutionRequest{
			ShardID: s.shard, NamespaceID: r.namespace, WorkflowID: r.workflow, RunID: r.id, ArchetypeID: r.archetype,
		}); err != nil {
			return nil, err
		}
		return done(a.runs.DeleteWorkflowExecution(ctx, &p.DeleteWorkflowExecutionRequest{
			ShardID: s.shard, NamespaceID: r.namespace, WorkflowID: r.workflow, RunID: r.id,
		}))
	}}
}

func (s *script) readRun() call {
	r := s.someRun()
	if r == nil {
		return s.create()
	}
	return call{"GetWorkflowExecution", func(ctx context.Context, a *arm) (any, error) {
		got, err := a.runs.GetWorkflowExecution(ctx, &p.GetWorkflowExecutionRequest{
			ShardID: s.shard, NamespaceID: r.namespace, WorkflowID: r.workflow, RunID: r.id,
		})
		if err != nil {
			return nil, err
		}
		got.State.DBRecordVersion = 0 // stock says it once, beside the state
		current, err := a.runs.GetCurrentExecution(ctx, &p.GetCurrentExecutionRequest{
			ShardID: s.shard, NamespaceID: r.namespace, WorkflowID: r.workflow, ArchetypeID: r.archetype,
		})
		return []any{got, current}, err
	}}
}

func (s *script) listRuns() call {
	return call{"ListConcreteExecutions", func(ctx context.Context, a *arm) (any, error) {
		got, err := a.runs.ListConcreteExecutions(ctx, &p.ListConcreteExecutionsRequest{ShardID: s.shard, PageSize: 1000})
		if err != nil {
			return nil, err
		}
		return got.States, nil
	}}
}

func (s *script) addTasks() call {
	rangeID, _ := s.lease()
	drawn := s.tasks()
	return call{"AddHistoryTasks", func(ctx context.Context, a *arm) (any, error) {
		return done(a.runs.AddHistoryTasks(ctx, &p.InternalAddHistoryTasksRequest{
			ShardID: s.shard, RangeID: rangeID, NamespaceID: s.uuidOf(1), WorkflowID: "w", ArchetypeID: chasm.WorkflowArchetypeID, Tasks: drawn,
		}))
	}}
}

func (s *script) uuidOf(n byte) string {
	return fmt.Sprintf("00000000-0000-4000-8000-0000000000%02x", n)
}

// consumeTasks reads a category and completes some of it, one task by itself
// and a range.
func (s *script) consumeTasks() call {
	categories := []tasks.Category{
		tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryReplication, tasks.CategoryVisibility,
		tasks.CategoryArchival, tasks.CategoryOutbound,
	}
	c := categories[s.rand.IntN(len(categories))]
	upTo := s.taskID/2 + 1
	low, high := tasks.NewImmediateKey(0), tasks.NewImmediateKey(maxInt)
	middle := tasks.NewImmediateKey(upTo)
	if c.Type() == tasks.CategoryTypeScheduled {
		low, high = tasks.NewKey(time.Unix(0, 0), 0), tasks.NewKey(time.UnixMilli(1_900_000_000_000), 0)
		middle = tasks.NewKey(time.UnixMilli(1_800_000_000_000+s.rand.Int64N(5e5)), 0)
	}
	return call{"GetHistoryTasks", func(ctx context.Context, a *arm) (any, error) {
		got, err := a.runs.GetHistoryTasks(ctx, &p.GetHistoryTasksRequest{
			ShardID: s.shard, TaskCategory: c, InclusiveMinTaskKey: low, ExclusiveMaxTaskKey: high, BatchSize: 1000,
		})
		if err != nil {
			return nil, err
		}
		if n := len(got.Tasks); n > 0 {
			last := got.Tasks[n-1]
			for _, best := range []bool{false, true} {
				if err := a.runs.CompleteHistoryTask(ctx, &p.CompleteHistoryTaskRequest{
					ShardID: s.shard, TaskCategory: c, TaskKey: last.Key, BestEffort: best,
				}); err != nil {
					return nil, err
				}
			}
		}
		return got.Tasks, a.runs.RangeCompleteHistoryTasks(ctx, &p.RangeCompleteHistoryTasksRequest{
			ShardID: s.shard, TaskCategory: c, InclusiveMinTaskKey: low, ExclusiveMaxTaskKey: middle,
		})
	}}
}

func (s *script) dlq() call {
	info := &p.PutReplicationTaskToDLQRequest{ShardID: s.shard, SourceClusterName: "other", TaskInfo: replicationTask(s)}
	read := p.GetReplicationTasksFromDLQRequest{
		GetHistoryTasksRequest: p.GetHistoryTasksRequest{
			ShardID: s.shard, TaskCategory: tasks.CategoryReplication, BatchSize: 100,
			InclusiveMinTaskKey: tasks.NewImmediateKey(0), ExclusiveMaxTaskKey: tasks.NewImmediateKey(maxInt),
		},
		SourceClusterName: "other",
	}
	ranged, at := s.one(3), s.rand.Int64N(100)
	return call{"ReplicationDLQ", func(ctx context.Context, a *arm) (any, error) {
		if err := a.runs.PutReplicationTaskToDLQ(ctx, info); err != nil {
			return nil, err
		}
		got, err := a.runs.GetReplicationTasksFromDLQ(ctx, &read)
		if err != nil {
			return nil, err
		}
		empty, err := a.runs.IsReplicationDLQEmpty(ctx, &read)
		if err != nil {
			return nil, err
		}
		if ranged {
			err = a.runs.RangeDeleteReplicationTaskFromDLQ(ctx, &p.RangeDeleteReplicationTaskFromDLQRequest{
				RangeCompleteHistoryTasksRequest: p.RangeCompleteHistoryTasksRequest{
					ShardID: s.shard, TaskCategory: tasks.CategoryReplication,
					InclusiveMinTaskKey: tasks.NewImmediateKey(0), ExclusiveMaxTaskKey: tasks.NewImmediateKey(at),
				},
				SourceClusterName: "other",
			})
		} else {
			err = a.runs.DeleteReplicationTaskFromDLQ(ctx, &p.DeleteReplicationTaskFromDLQRequest{
				CompleteHistoryTaskRequest: p.CompleteHistoryTaskRequest{
					ShardID: s.shard, TaskCategory: tasks.CategoryReplication, TaskKey: tasks.NewImmediateKey(at),
				},
				SourceClusterName: "other",
			})
		}
		return []any{got.Tasks, empty}, err
	}}
}
