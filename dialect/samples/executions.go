package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

func shardSamples() []Sample {
	key := []any{shard}
	update := write("shard-update", "UpdateShard", "UpdateShard", plan.Mutation{
		Table: plan.Shards, Op: plan.Update, Key: key, Conds: []plan.Cond{equal(plan.ShardRangeID, rangeID)},
		Effects: []plan.Effect{set(plan.ShardRangeID, rangeID), set(plan.ShardInfo, blob("shard"))},
	})
	update.Write.Owner = &plan.Owner{Shard: shard, RangeID: rangeID}
	return []Sample{
		write("shard-create", "GetOrCreateShard (new)", "CreateShard", plan.Mutation{
			Table: plan.Shards, Op: plan.Insert, Key: key, Conds: []plan.Cond{absent},
			Effects: []plan.Effect{set(plan.ShardRangeID, int64(1)), set(plan.ShardInfo, blob("shard"))},
		}),
		update,
		read("shard-get", "GetOrCreateShard", plan.Read{
			Name: "GetShard", Table: plan.Shards, Eq: 1, Columns: columns(plan.ShardInfo),
		}, shard),
	}
}

// lease is the assertion that fences a shard's writes.
func lease() plan.Mutation {
	return plan.Mutation{
		Table: plan.Shards, Op: plan.Assert, Key: []any{shard}, Conds: []plan.Cond{equal(plan.ShardRangeID, rangeID)},
	}
}

// owned is a write under the shard's lease.
func owned(name, calls, op string, mutations ...plan.Mutation) Sample {
	s := write(name, calls, op, append([]plan.Mutation{lease()}, mutations...)...)
	s.Write.Owner = &plan.Owner{Shard: shard, RangeID: rangeID}
	return s
}

func currentKey() []any { return []any{shard, namespace, workflow, archetype} }

func currentEffects(run [16]byte) []plan.Effect {
	return []plan.Effect{
		set(plan.CurrentRunID, run), set(plan.CurrentState, blob("state")),
		set(plan.CurrentLastWriteVersion, int64(-24)), set(plan.CurrentWorkflowState, int64(1)),
	}
}

var showCurrent = columns(plan.CurrentRunID, plan.CurrentState, plan.CurrentLastWriteVersion)

func currentTo(next [16]byte, conds ...plan.Cond) plan.Mutation {
	return plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Update, Key: currentKey(), Show: showCurrent,
		Conds: conds, Effects: currentEffects(next),
	}
}

func runState(version int64) []plan.Effect {
	return []plan.Effect{
		set(plan.ExecutionInfo, blob("info")), set(plan.ExecutionState, blob("state")),
		set(plan.NextEventID, int64(12)), set(plan.RecordVersion, version),
		set(plan.Checksum, plan.Blob{Encoding: "Unspecified"}),
	}
}

func runKey(run [16]byte) []any { return []any{shard, namespace, workflow, run} }

var showRun = columns(plan.NextEventID, plan.RecordVersion)

func insertRun(run [16]byte, more ...plan.Effect) plan.Mutation {
	return plan.Mutation{
		Table: plan.Executions, Op: plan.Insert, Key: runKey(run), Show: showRun,
		Conds: []plan.Cond{absent}, Effects: append(runState(1), more...),
	}
}

func updateRun(run [16]byte, more ...plan.Effect) plan.Mutation {
	return plan.Mutation{
		Table: plan.Executions, Op: plan.Update, Key: runKey(run), Show: showRun,
		Conds: []plan.Cond{equal(plan.RecordVersion, int64(8))}, Effects: append(runState(9), more...),
	}
}

func resetRun(run [16]byte) plan.Mutation {
	return updateRun(run,
		set(plan.Activities, []plan.IntEntry{{Key: 5, Value: blob("activity")}}),
		set(plan.Timers, []plan.TextEntry{}),
		set(plan.ChildExecutions, []plan.IntEntry{}),
		set(plan.RequestCancels, []plan.IntEntry{}),
		set(plan.Signals, []plan.IntEntry{}),
		set(plan.ChasmNodes, []plan.NodeEntry{{Key: "a/b", Value: plan.Node{Whole: blob("node")}}}),
		set(plan.SignalRequested, []string{}),
		plan.Effect{Op: plan.Clear, Column: plan.BufferedEvents},
	)
}

// changes touch every collection of a run.
func changes() []plan.Effect {
	return []plan.Effect{
		merge(plan.Activities, []plan.IntEntry{{Key: 5, Value: blob("activity")}, {Key: 9, Value: blob("more")}}),
		drop(plan.Activities, []int64{3}),
		merge(plan.Timers, []plan.TextEntry{{Key: "timer-1", Value: blob("timer")}}),
		drop(plan.Timers, []string{"timer-0"}),
		merge(plan.ChildExecutions, []plan.IntEntry{{Key: 6, Value: blob("child")}}),
		merge(plan.RequestCancels, []plan.IntEntry{{Key: 7, Value: blob("cancel")}}),
		merge(plan.Signals, []plan.IntEntry{{Key: 8, Value: blob("signal")}}),
		merge(plan.ChasmNodes, []plan.NodeEntry{{Key: "a/b", Value: plan.Node{Whole: blob("node")}}}),
		merge(plan.SignalRequested, []string{"88888888-8888-8888-8888-888888888888"}),
	}
}

// events are a node of a branch, ahead of the write; a new branch has its row.
func events(group int, fresh bool) []plan.Mutation {
	node := insertNode()
	node.Ahead, node.Group = true, group
	if !fresh {
		return []plan.Mutation{node}
	}
	row := insertBranch()
	row.Ahead, row.Group = true, group
	return []plan.Mutation{row, node}
}

func tasks() []plan.Mutation {
	task := func(category, fire, id int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.HistoryTasks, Op: plan.Insert, Ahead: true, Key: []any{shard, category, fire, id},
			Effects: []plan.Effect{set(plan.HistoryTask, blob("task"))},
		}
	}
	return []plan.Mutation{
		task(1, plan.Immediate, 100), task(1, plan.Immediate, 101), task(2, 1700000000000, 102),
		task(3, plan.Immediate, 103), task(4, plan.Immediate, 104), task(5, 1700000000000, 105), task(7, plan.Immediate, 106),
	}
}

func with(m plan.Mutation, more ...[]plan.Mutation) []plan.Mutation {
	all := []plan.Mutation{m}
	for _, list := range more {
		all = append(all, list...)
	}
	return all
}

func executionSamples() []Sample {
	brandNew := plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Insert, Key: currentKey(), Show: showCurrent,
		Conds: []plan.Cond{absent}, Effects: currentEffects(run),
	}
	otherArchetype := brandNew
	otherArchetype.Key = []any{shard, namespace, workflow, component}
	completed := []plan.Cond{
		equal(plan.CurrentRunID, otherRun), equal(plan.CurrentLastWriteVersion, int64(-24)),
		equal(plan.CurrentWorkflowState, int64(3)),
	}
	assertOther := plan.Mutation{
		Table: plan.CurrentExecutions, Op: plan.Assert, Key: currentKey(), Show: showCurrent,
		Conds: []plan.Cond{equal(plan.CurrentRunID, otherRun)},
	}
	assertNone := assertOther
	assertNone.Conds = []plan.Cond{absent}
	legacy := updateRun(run)
	legacy.Conds = []plan.Cond{equal(plan.NextEventID, int64(12))}
	buffered := plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: blob("event")}
	return []Sample{
		owned("execution-create-brand-new", "CreateWorkflowExecution (brand new)", "CreateWorkflowExecution",
			with(brandNew, []plan.Mutation{insertRun(run, changes()[0], changes()[2])}, events(1, true), tasks())...),
		owned("execution-create-archetype", "CreateWorkflowExecution (brand new, of another archetype)", "CreateWorkflowExecution",
			otherArchetype, insertRun(run, changes()[7])),
		owned("execution-create-update-current", "CreateWorkflowExecution (update current)", "CreateWorkflowExecution",
			with(currentTo(run, completed...), []plan.Mutation{insertRun(run)}, events(1, true))...),
		owned("execution-create-bypass-current", "CreateWorkflowExecution (bypass current)", "CreateWorkflowExecution",
			insertRun(run)),
		owned("execution-update-current", "UpdateWorkflowExecution (update current)", "UpdateWorkflowExecution",
			with(currentTo(run, equal(plan.CurrentRunID, run)), []plan.Mutation{updateRun(run, changes()...)}, events(1, false), tasks())...),
		owned("execution-update-continue-as-new", "UpdateWorkflowExecution (continue as new)", "UpdateWorkflowExecution",
			with(currentTo(newRun, equal(plan.CurrentRunID, run)), []plan.Mutation{updateRun(run), insertRun(newRun)},
				events(1, false), events(2, true))...),
		owned("execution-update-append", "UpdateWorkflowExecution (ignore current, buffered events)", "UpdateWorkflowExecution",
			updateRun(run, buffered)),
		owned("execution-update-legacy", "UpdateWorkflowExecution (row without a record version)", "UpdateWorkflowExecution",
			legacy),
		owned("execution-update-bypass-other", "UpdateWorkflowExecution (bypass current)", "UpdateWorkflowExecution",
			assertOther, updateRun(run)),
		owned("execution-update-bypass-none", "UpdateWorkflowExecution (bypass current, none there)", "UpdateWorkflowExecution",
			assertNone, updateRun(run)),
		owned("execution-resolve-three-runs", "ConflictResolveWorkflowExecution (three runs)", "ConflictResolveWorkflowExecution",
			with(currentTo(newRun, equal(plan.CurrentRunID, otherRun)),
				[]plan.Mutation{resetRun(run), updateRun(otherRun), insertRun(newRun)}, events(1, false), events(2, true), tasks())...),
		owned("execution-set", "SetWorkflowExecution", "SetWorkflowExecution", resetRun(run)),
		write("execution-delete", "DeleteWorkflowExecution", "DeleteWorkflowExecution",
			plan.Mutation{Table: plan.Executions, Op: plan.Delete, Key: runKey(run)}),
		write("execution-delete-current", "DeleteCurrentWorkflowExecution", "DeleteCurrentWorkflowExecution",
			plan.Mutation{
				Table: plan.CurrentExecutions, Op: plan.Delete, Key: currentKey(),
				Conds: []plan.Cond{equal(plan.CurrentRunID, run)},
			}),
		read("execution-get", "GetWorkflowExecution", plan.Read{
			Name: "GetWorkflowExecution", Table: plan.Executions, Eq: 4, Columns: plan.Executions.Columns,
		}, runKey(run)...),
		read("execution-get-current", "GetCurrentExecution", plan.Read{
			Name: "GetCurrentExecution", Table: plan.CurrentExecutions, Eq: 4,
			Columns: columns(plan.CurrentRunID, plan.CurrentState),
		}, currentKey()...),
		read("execution-list", "ListConcreteExecutions", plan.Read{
			Name: "ListConcreteExecutions", Table: plan.Executions, Eq: 1,
			Columns: columns(plan.ExecutionInfo, plan.ExecutionState, plan.NextEventID, plan.ExecutionWorkflowID, plan.ExecutionRunID),
		}, shard),
	}
}
