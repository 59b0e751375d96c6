package store

import (
	"cmp"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// showRun is what a WorkflowConditionFailedError is made of.
var showRun = []*plan.Column{plan.NextEventID, plan.RecordVersion}

// insertRun adds a run that must not exist yet. Collections are merged into the
// new row element by element: a whole collection would be a replacement, and on
// some servers leave a tombstone for what it replaces.
func (s *ExecutionStore) insertRun(w *plan.Write, k runKey, run *p.InternalWorkflowSnapshot) error {
	if err := p.ValidateCreateWorkflowStateStatus(run.ExecutionState.GetState(), run.ExecutionState.GetStatus()); err != nil {
		return err
	}
	nodes, err := s.nodeEntries(w.Name, run.ChasmNodes)
	if err != nil {
		return err
	}
	effects := make([]plan.Effect, 0, 12)
	effects = appendState(effects, run.ExecutionInfoBlob, run.ExecutionStateBlob, run.NextEventID, run.DBRecordVersion, run.Checksum)
	effects = mergeInts(effects, plan.Activities, run.ActivityInfos)
	effects = mergeTexts(effects, plan.Timers, run.TimerInfos)
	effects = mergeInts(effects, plan.ChildExecutions, run.ChildExecutionInfos)
	effects = mergeInts(effects, plan.RequestCancels, run.RequestCancelInfos)
	effects = mergeInts(effects, plan.Signals, run.SignalInfos)
	effects = mergeNodes(effects, nodes)
	effects = mergeSet(effects, plan.SignalRequested, run.SignalRequestedIDs)
	w.Mutations = append(w.Mutations, plan.Mutation{
		Table: plan.Executions, Op: plan.Insert, Key: k.execution(), Show: showRun,
		Conds: []plan.Cond{{Test: plan.RowAbsent}}, Effects: effects,
	})
	return nil
}

// replaceRun replaces all of a run by a snapshot, and drops its buffered events.
func (s *ExecutionStore) replaceRun(w *plan.Write, k runKey, run *p.InternalWorkflowSnapshot) error {
	if err := p.ValidateUpdateWorkflowStateStatus(run.ExecutionState.GetState(), run.ExecutionState.GetStatus()); err != nil {
		return err
	}
	nodes, err := s.nodeEntries(w.Name, run.ChasmNodes)
	if err != nil {
		return err
	}
	effects := make([]plan.Effect, 0, 13)
	effects = appendState(effects, run.ExecutionInfoBlob, run.ExecutionStateBlob, run.NextEventID, run.DBRecordVersion, run.Checksum)
	effects = append(effects,
		plan.Effect{Op: plan.Set, Column: plan.Activities, Value: intEntries(run.ActivityInfos)},
		plan.Effect{Op: plan.Set, Column: plan.Timers, Value: textEntries(run.TimerInfos)},
		plan.Effect{Op: plan.Set, Column: plan.ChildExecutions, Value: intEntries(run.ChildExecutionInfos)},
		plan.Effect{Op: plan.Set, Column: plan.RequestCancels, Value: intEntries(run.RequestCancelInfos)},
		plan.Effect{Op: plan.Set, Column: plan.Signals, Value: intEntries(run.SignalInfos)},
		plan.Effect{Op: plan.Set, Column: plan.ChasmNodes, Value: nodes},
		plan.Effect{Op: plan.Set, Column: plan.SignalRequested, Value: sortedKeys(run.SignalRequestedIDs)},
		plan.Effect{Op: plan.Clear, Column: plan.BufferedEvents},
	)
	w.Mutations = append(w.Mutations, plan.Mutation{
		Table: plan.Executions, Op: plan.Update, Key: k.execution(), Show: showRun,
		Conds: unchanged(run.DBRecordVersion, run.Condition), Effects: effects,
	})
	return nil
}

// updateRun changes elements of a run.
func (s *ExecutionStore) updateRun(w *plan.Write, k runKey, run *p.InternalWorkflowMutation) error {
	if err := p.ValidateUpdateWorkflowStateStatus(run.ExecutionState.GetState(), run.ExecutionState.GetStatus()); err != nil {
		return err
	}
	nodes, err := s.nodeEntries(w.Name, run.UpsertChasmNodes)
	if err != nil {
		return err
	}
	effects := make([]plan.Effect, 0, 20)
	effects = appendState(effects, run.ExecutionInfoBlob, run.ExecutionStateBlob, run.NextEventID, run.DBRecordVersion, run.Checksum)
	// A key that is both put and deleted is deleted, as in the server's own
	// Cassandra store, where the two have the same timestamp.
	effects = mergeInts(effects, plan.Activities, run.UpsertActivityInfos)
	effects = drop(effects, plan.Activities, run.DeleteActivityInfos)
	effects = mergeTexts(effects, plan.Timers, run.UpsertTimerInfos)
	effects = drop(effects, plan.Timers, run.DeleteTimerInfos)
	effects = mergeInts(effects, plan.ChildExecutions, run.UpsertChildExecutionInfos)
	effects = drop(effects, plan.ChildExecutions, run.DeleteChildExecutionInfos)
	effects = mergeInts(effects, plan.RequestCancels, run.UpsertRequestCancelInfos)
	effects = drop(effects, plan.RequestCancels, run.DeleteRequestCancelInfos)
	effects = mergeInts(effects, plan.Signals, run.UpsertSignalInfos)
	effects = drop(effects, plan.Signals, run.DeleteSignalInfos)
	effects = mergeNodes(effects, nodes)
	effects = drop(effects, plan.ChasmNodes, run.DeleteChasmNodes)
	effects = mergeSet(effects, plan.SignalRequested, run.UpsertSignalRequestedIDs)
	effects = drop(effects, plan.SignalRequested, run.DeleteSignalRequestedIDs)
	switch {
	case run.ClearBufferedEvents:
		effects = append(effects, plan.Effect{Op: plan.Clear, Column: plan.BufferedEvents})
	case run.NewBufferedEvents != nil:
		effects = append(effects, plan.Effect{Op: plan.Append, Column: plan.BufferedEvents, Value: toBlob(run.NewBufferedEvents)})
	}
	w.Mutations = append(w.Mutations, plan.Mutation{
		Table: plan.Executions, Op: plan.Update, Key: k.execution(), Show: showRun,
		Conds: unchanged(run.DBRecordVersion, run.Condition), Effects: effects,
	})
	return nil
}

// unchanged is the condition of a change: the row holds the version before the
// one that is written. Rows from before there were record versions carry 0 and
// are told by their next event ID.
func unchanged(version, nextEventID int64) []plan.Cond {
	if version == 0 {
		return []plan.Cond{{Test: plan.Equal, Column: plan.NextEventID, Value: nextEventID}}
	}
	return []plan.Cond{{Test: plan.Equal, Column: plan.RecordVersion, Value: version - 1}}
}

func appendState(effects []plan.Effect, info, state *commonpb.DataBlob, next, version int64, checksum *commonpb.DataBlob) []plan.Effect {
	return append(effects,
		plan.Effect{Op: plan.Set, Column: plan.ExecutionInfo, Value: toBlob(info)},
		plan.Effect{Op: plan.Set, Column: plan.ExecutionState, Value: toBlob(state)},
		plan.Effect{Op: plan.Set, Column: plan.NextEventID, Value: next},
		plan.Effect{Op: plan.Set, Column: plan.RecordVersion, Value: version},
		plan.Effect{Op: plan.Set, Column: plan.Checksum, Value: toBlob(checksum)},
	)
}

func mergeInts(effects []plan.Effect, c *plan.Column, m map[int64]*commonpb.DataBlob) []plan.Effect {
	if len(m) == 0 {
		return effects
	}
	return append(effects, plan.Effect{Op: plan.Merge, Column: c, Value: intEntries(m)})
}

func mergeTexts(effects []plan.Effect, c *plan.Column, m map[string]*commonpb.DataBlob) []plan.Effect {
	if len(m) == 0 {
		return effects
	}
	return append(effects, plan.Effect{Op: plan.Merge, Column: c, Value: textEntries(m)})
}

func mergeNodes(effects []plan.Effect, nodes []plan.NodeEntry) []plan.Effect {
	if len(nodes) == 0 {
		return effects
	}
	return append(effects, plan.Effect{Op: plan.Merge, Column: plan.ChasmNodes, Value: nodes})
}

func mergeSet(effects []plan.Effect, c *plan.Column, set map[string]struct{}) []plan.Effect {
	if len(set) == 0 {
		return effects
	}
	return append(effects, plan.Effect{Op: plan.Merge, Column: c, Value: sortedKeys(set)})
}

func drop[K cmp.Ordered](effects []plan.Effect, c *plan.Column, set map[K]struct{}) []plan.Effect {
	if len(set) == 0 {
		return effects
	}
	return append(effects, plan.Effect{Op: plan.Drop, Column: c, Value: sortedKeys(set)})
}

// nodeEntries returns CHASM nodes by path, in the form that the dialect stores.
func (s *ExecutionStore) nodeEntries(op string, nodes map[string]p.InternalChasmNode) ([]plan.NodeEntry, error) {
	if len(nodes) == 0 {
		return []plan.NodeEntry{}, nil
	}
	whole := s.ex.Traits().WholeNodes
	entries := make([]plan.NodeEntry, 0, len(nodes))
	for path, n := range nodes {
		if whole != (n.CassandraBlob != nil) {
			return nil, invalid(op, fmt.Errorf("CHASM node %q comes as one blob: %t, stored as one blob: %t", path, !whole, whole))
		}
		entry := plan.NodeEntry{Key: path}
		if whole {
			entry.Value.Whole = toBlob(n.CassandraBlob)
		} else {
			entry.Value.Metadata, entry.Value.Body = toBlob(n.Metadata), toBlob(n.Data)
		}
		entries = append(entries, entry)
	}
	slices.SortFunc(entries, func(a, b plan.NodeEntry) int { return cmp.Compare(a.Key, b.Key) })
	return entries, nil
}

// nodeBlobs is the inverse of nodeEntries. Rows may hold either form.
func nodeBlobs(entries []plan.NodeEntry) map[string]p.InternalChasmNode {
	m := make(map[string]p.InternalChasmNode, len(entries))
	for _, e := range entries {
		if absent(e.Value.Whole) {
			n := p.InternalChasmNode{Metadata: fromBlob(e.Value.Metadata)}
			if !absent(e.Value.Body) {
				n.Data = fromBlob(e.Value.Body)
			}
			m[e.Key] = n
			continue
		}
		m[e.Key] = p.InternalChasmNode{CassandraBlob: fromBlob(e.Value.Whole)}
	}
	return m
}

// absent tells the zero Blob from an empty value, which has an encoding.
func absent(b plan.Blob) bool { return len(b.Data) == 0 && b.Encoding == "" }
