package records

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	historypb "go.temporal.io/api/history/v1"
	checksumspb "go.temporal.io/server/api/checksum/v1"
	enumsspb "go.temporal.io/server/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Problem is something that a record means and that does not hold.
type Problem struct {
	Ref
	Path string // field; "" for the record
	What string
}

func (p Problem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("%s: %s", p.Ref, p.What)
	}
	return fmt.Sprintf("%s %s: %s", p.Ref, p.Path, p.What)
}

// Meaning returns what is wrong with what a record means, at most one problem
// for each blob and each relation: blobs that do not decode; an execution whose
// history is not complete in its current branch, or whose checksum is another's;
// a current execution that does not agree with its run; a namespace that its id
// does not lead to. It reads what the record refers to from the same keyspace,
// which nobody should be writing. An error is one of the database.
func (s *Source) Meaning(ctx context.Context, r *Record) ([]Problem, error) {
	var all []Problem
	report := func(path, format string, args ...any) {
		all = append(all, Problem{r.Ref(), path, fmt.Sprintf(format, args...)})
	}
	for _, c := range r.Kind.Table().Columns {
		for _, p := range r.parts(c) {
			if p.message == nil {
				continue
			}
			if err := decodeProto(p.blob, p.message); err != nil {
				report(p.path, "cannot be decoded: %v", err)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	var err error
	switch r.Kind {
	case Execution:
		err = s.executionMeaning(ctx, r, report)
	case Current:
		err = s.currentMeaning(ctx, r, report)
	case Namespace:
		id, _ := r.Value(plan.NamespaceID).([16]byte)
		var byID *Record
		if byID, err = s.Get(ctx, Ref{NamespaceID, Namespaces, []any{id}}); err == nil && (byID == nil || byID.Value(plan.NamespaceIDName) != r.Key[0]) {
			report("id", "id %s does not lead to this name", formatUUID(id))
		}
	case Node:
		nodeMeaning(r, report)
	default:
	}
	return all, err
}

func decodes(b plan.Blob, into proto.Message) bool { return decodeProto(b, into) == nil }

func uuid(text string) ([16]byte, bool) {
	u, err := parseUUID(text)
	return u, err == nil
}

type reporter func(path, format string, args ...any)

func nodeMeaning(r *Record, report reporter) {
	first, _ := r.Key[2].(int64)
	for i, event := range decodeHistory(r) {
		if event != first+int64(i) {
			report(plan.NodeEvents.Name, "event %d is where %d should be", event, first+int64(i))
			return
		}
	}
}

// currentMeaning compares the row of the current run with the run.
func (s *Source) currentMeaning(ctx context.Context, r *Record, report reporter) error {
	run, ok := r.Value(plan.CurrentRunID).([16]byte)
	if !ok {
		report(plan.CurrentRunID.Name, "names no run")
		return nil
	}
	execution, err := s.Get(ctx, Ref{Execution, r.Unit, []any{r.Key[0], r.Key[1], r.Key[2], run}})
	if err != nil {
		return err
	}
	if execution == nil {
		report(plan.CurrentRunID.Name, "run %s does not exist", formatUUID(run))
		return nil
	}
	var here, there persistencespb.WorkflowExecutionState
	if !decodes(r.Blob(plan.CurrentState), &here) || !decodes(execution.Blob(plan.ExecutionState), &there) {
		return nil // reported where the blob is
	}
	switch {
	case here.GetRunId() != there.GetRunId():
		report(plan.CurrentState.Name, "is of run %q, that of the run itself of %q", here.GetRunId(), there.GetRunId())
	case here.GetState() != there.GetState() || here.GetStatus() != there.GetStatus():
		report(plan.CurrentState.Name, "says %s, %s; the run says %s, %s", here.GetState(), here.GetStatus(), there.GetState(), there.GetStatus())
	case r.Int(plan.CurrentWorkflowState) != int64(here.GetState()):
		report(plan.CurrentWorkflowState.Name, "is %d, the state is %s", r.Int(plan.CurrentWorkflowState), here.GetState())
	}
	return nil
}

// executionMeaning checks a run by itself and its history.
func (s *Source) executionMeaning(ctx context.Context, r *Record, report reporter) error {
	var info persistencespb.WorkflowExecutionInfo
	var state persistencespb.WorkflowExecutionState
	if absent(r.Blob(plan.ExecutionInfo)) || absent(r.Blob(plan.ExecutionState)) {
		report("", "lacks info or state")
		return nil
	}
	if !decodes(r.Blob(plan.ExecutionInfo), &info) || !decodes(r.Blob(plan.ExecutionState), &state) {
		return nil // reported
	}
	if run, _ := r.Key[3].([16]byte); state.GetRunId() != formatUUID(run) {
		report(plan.ExecutionState.Name, "is of run %q", state.GetRunId())
	}
	if !absent(r.Blob(plan.Checksum)) {
		checkChecksum(r, &info, &state, report)
	}
	histories := info.GetVersionHistories()
	at := int(histories.GetCurrentVersionHistoryIndex())
	if at < 0 || at >= len(histories.GetHistories()) {
		if len(histories.GetHistories()) > 0 {
			report(plan.ExecutionInfo.Name, "current version history %d of %d", at, len(histories.GetHistories()))
		}
		return nil // no workflow: it has no history
	}
	current := histories.GetHistories()[at]
	if len(current.GetItems()) == 0 {
		return nil
	}
	last := current.GetItems()[len(current.GetItems())-1].GetEventId()
	var branch persistencespb.HistoryBranch
	if !decodes(plan.Blob{Data: current.GetBranchToken()}, &branch) {
		report(plan.ExecutionInfo.Name, "branch token cannot be decoded")
		return nil
	}
	if next := r.Int(plan.NextEventID); next < last+1 {
		report(plan.NextEventID.Name, "is %d, the last event of the history is %d", next, last)
	}
	return s.historyMeaning(ctx, &branch, last, report)
}

var readBranchNodes = &plan.Read{
	Name: "Records/branch", Table: plan.HistoryNodes, Eq: 2,
	From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
	To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
	Columns: append(slices.Clone(plan.HistoryNodes.Key), plan.HistoryNodes.Columns...),
}

// historyMeaning walks through a branch and its ancestors as the server does
// (history_manager.go, readRawHistoryBranchAndFilter and filterHistoryNodes):
// every event from the first to the last must be there.
func (s *Source) historyMeaning(ctx context.Context, b *persistencespb.HistoryBranch, last int64, report reporter) error {
	path := "history " + b.GetTreeId() + "/" + b.GetBranchId()
	tree, isTree := uuid(b.GetTreeId())
	own, isBranch := uuid(b.GetBranchId())
	if !isTree || !isBranch {
		report(path, "branch token names no branch")
		return nil
	}
	row, err := s.Get(ctx, Ref{Kind: Branch, Key: []any{tree, own}})
	if err != nil {
		return err
	}
	if row == nil {
		report(path, "has no row in history_tree")
	}
	ranges := slices.Clone(b.GetAncestors())
	begin := int64(1)
	if n := len(ranges); n > 0 {
		begin = ranges[n-1].GetEndNodeId()
	}
	ranges = append(ranges, &persistencespb.HistoryBranchRange{BranchId: b.GetBranchId(), BeginNodeId: begin, EndNodeId: last + 1})
	next, lastTxn := int64(1), int64(-1<<63)
	for _, rg := range ranges {
		id, ok := uuid(rg.GetBranchId())
		if !ok {
			report(path, "ancestor %q is no branch", rg.GetBranchId())
			return nil
		}
		var token []byte
		for {
			all, after, err := s.readPage(ctx, &scan{read: readBranchNodes}, []any{tree, id, next, min(rg.GetEndNodeId(), last+1)}, token, s.o.PageRows)
			if err != nil {
				return err
			}
			for i := range all {
				node, _ := all[i].Key[2].(int64)
				txn, _ := all[i].Key[3].(int64)
				if txn < lastTxn || node < next {
					continue // overwritten: the batch of the higher transaction counts
				}
				if node != next {
					report(path, "events %d to %d are missing", next, node-1)
					return nil
				}
				events := decodeHistory(&all[i])
				if len(events) == 0 {
					report(path, "batch at event %d has no events or cannot be decoded", node)
					return nil
				}
				next, lastTxn = events[len(events)-1]+1, txn
			}
			if token = after; token == nil {
				break
			}
		}
		if next < rg.GetEndNodeId() && next <= last {
			report(path, "events %d to %d are missing", next, min(rg.GetEndNodeId()-1, last))
			return nil
		}
	}
	return nil
}

// decodeHistory returns the event ids of a node; nil if it does not decode.
func decodeHistory(node *Record) []int64 {
	var h historypb.History
	if decodeProto(node.Blob(plan.NodeEvents), &h) != nil {
		return nil
	}
	ids := make([]int64, len(h.GetEvents()))
	for i, e := range h.GetEvents() {
		ids[i] = e.GetEventId()
	}
	return ids
}

// checksumVersion is the version of what the server sums up
// (service/history/workflow/checksum.go, mutableStateChecksumPayloadV1).
const checksumVersion = 1

func checkChecksum(r *Record, info *persistencespb.WorkflowExecutionInfo, state *persistencespb.WorkflowExecutionState, report reporter) {
	var sum persistencespb.Checksum
	if decodeProto(r.Blob(plan.Checksum), &sum) != nil || sum.GetFlavor() == enumsspb.CHECKSUM_FLAVOR_UNSPECIFIED {
		return // reported, or none
	}
	if sum.GetVersion() != checksumVersion || sum.GetFlavor() != enumsspb.CHECKSUM_FLAVOR_IEEE_CRC32_OVER_PROTO3_BINARY {
		report(plan.Checksum.Name, "has version %d and flavor %s, which this program does not know", sum.GetVersion(), sum.GetFlavor())
		return
	}
	want, err := Checksum(r, info, state)
	if err == nil && !bytes.Equal(want, sum.GetValue()) {
		report(plan.Checksum.Name, "is %x, that of the state is %x", sum.GetValue(), want)
	}
}

// Checksum sums up an execution as the server does.
func Checksum(r *Record, info *persistencespb.WorkflowExecutionInfo, state *persistencespb.WorkflowExecutionState) ([]byte, error) {
	payload := &checksumspb.MutableStateChecksumPayload{
		CancelRequested:                   info.GetCancelRequested(),
		State:                             state.GetState(),
		LastFirstEventId:                  info.GetLastFirstEventId(),
		NextEventId:                       r.Int(plan.NextEventID),
		LastProcessedEventId:              info.GetLastCompletedWorkflowTaskStartedEventId(),
		ActivityCount:                     info.GetActivityCount(),
		ChildExecutionCount:               info.GetChildExecutionCount(),
		UserTimerCount:                    info.GetUserTimerCount(),
		RequestCancelExternalCount:        info.GetRequestCancelExternalCount(),
		SignalExternalCount:               info.GetSignalExternalCount(),
		SignalCount:                       info.GetSignalCount(),
		WorkflowTaskAttempt:               info.GetWorkflowTaskAttempt(),
		WorkflowTaskScheduledEventId:      info.GetWorkflowTaskScheduledEventId(),
		WorkflowTaskStartedEventId:        info.GetWorkflowTaskStartedEventId(),
		WorkflowTaskVersion:               info.GetWorkflowTaskVersion(),
		StickyTaskQueueName:               info.GetStickyTaskQueue(),
		VersionHistories:                  info.GetVersionHistories(),
		PendingActivityScheduledEventIds:  intKeys(r, plan.Activities),
		PendingChildInitiatedEventIds:     intKeys(r, plan.ChildExecutions),
		PendingSignalInitiatedEventIds:    intKeys(r, plan.Signals),
		PendingReqCancelInitiatedEventIds: intKeys(r, plan.RequestCancels),
	}
	timers, _ := r.Value(plan.Timers).([]plan.TextEntry)
	for _, t := range timers {
		var timer persistencespb.TimerInfo
		if err := decodeProto(t.Value, &timer); err != nil {
			return nil, err
		}
		payload.PendingTimerStartedEventIds = append(payload.PendingTimerStartedEventIds, timer.GetStartedEventId())
	}
	slices.Sort(payload.PendingTimerStartedEventIds)
	nodes, _ := normal(r.Value(plan.ChasmNodes)).([]plan.NodeEntry)
	for _, n := range nodes {
		payload.PendingChasmNodePaths = append(payload.PendingChasmNodePaths, n.Key)
	}
	data, err := payload.Marshal()
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data)), nil
}

func intKeys(r *Record, c *plan.Column) []int64 {
	entries, _ := r.Value(c).([]plan.IntEntry)
	keys := make([]int64, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	slices.Sort(keys)
	return keys
}
