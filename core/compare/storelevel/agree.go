package storelevel

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/chasm"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// mostDifferences is how many fields that differ are shown.
const mostDifferences = 20

// Agree implements compare.Level: the same sequence must have left the same state.
// A ramp offers each arm as much as it holds, so there is nothing to compare.
func (l *Level) Agree(ctx context.Context, a, b compare.Spec) (*result.Agreement, error) {
	if a.Scenario == ramp {
		return nil, nil //nolint:nilnil // the contract of Level
	}
	x, y := l.blocks[a.Database], l.blocks[b.Database]
	if x == nil || y == nil {
		return nil, errors.New("compare states: a block has left no database")
	}
	if a.Arm.Digests() && b.Arm.Digests() {
		return l.byRecords(ctx, x, y)
	}
	return l.byStores(ctx, x, y)
}

// side is the record stream of one database.
type side struct {
	src    *records.Source
	digest *records.Digest
}

// byRecords compares digests, then the keys in the slots that differ, then fields.
func (l *Level) byRecords(ctx context.Context, x, y *block) (*result.Agreement, error) {
	var sides [2]side
	for i, b := range []*block{x, y} {
		src, done, err := b.database.Records(ctx, int32(l.o.Shards+l.o.warmShards()))
		if err != nil {
			return nil, err
		}
		defer done()
		sides[i] = side{src, records.NewDigest(records.Content)}
		if err := l.each(ctx, src, func(r *records.Record) { sides[i].digest.Add(r) }); err != nil {
			return nil, fmt.Errorf("read the records of %s: %w", b.database.Name, err)
		}
	}
	agreement := &result.Agreement{
		How: result.ByRecords, Counts: counts(sides[0].digest, sides[1].digest),
		Note: "left out: the times at which history branches were made and shards were updated, which Temporal takes from the clock; the rows of the warm-up",
	}
	diffs, err := sides[0].digest.Diff(sides[1].digest)
	if err != nil {
		return nil, err
	}
	if len(diffs) == 0 {
		agreement.Equal = true
		return agreement, nil
	}
	var keys [2]*records.Keys
	for i, s := range sides {
		keys[i] = records.NewKeys(s.digest, diffs...)
		if err := l.each(ctx, s.src, keys[i].Add); err != nil {
			return nil, err
		}
	}
	for _, d := range keys[0].Diff(keys[1], time.Now().UnixMilli()) {
		fields, err := fieldsOf(ctx, sides, d)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			add(agreement, f)
		}
	}
	agreement.Equal = len(agreement.Differences) == 0
	return agreement, nil
}

func add(a *result.Agreement, d result.FieldDifference) {
	if len(a.Differences) >= mostDifferences {
		a.More++
		return
	}
	a.Differences = append(a.Differences, d)
}

func fieldsOf(ctx context.Context, sides [2]side, d records.RecordDiff) ([]result.FieldDifference, error) {
	a, err := sides[0].src.Get(ctx, d.Ref)
	if err != nil {
		return nil, err
	}
	b, err := sides[1].src.Get(ctx, d.Ref)
	if err != nil {
		return nil, err
	}
	named := result.FieldDifference{Unit: string(d.Unit), Record: (&records.Record{Kind: d.Kind, Key: d.Key}).KeyString()}
	if a == nil || b == nil {
		present := [2]string{"present", ""}
		if a == nil {
			present = [2]string{"", "present"}
		}
		named.A, named.B = present[0], present[1]
		return []result.FieldDifference{named}, nil
	}
	var all []result.FieldDifference
	for _, f := range records.Fields(timeless(a), timeless(b)) {
		named.Field, named.A, named.B = f.Path, f.A, f.B
		all = append(all, named)
	}
	if len(all) == 0 {
		named.Field, named.A, named.B = "("+string(d.Why)+")", "", ""
		all = append(all, named)
	}
	return all, nil
}

// each calls do for every record that the measured sequence has left.
func (l *Level) each(ctx context.Context, src *records.Source, do func(*records.Record)) error {
	for _, part := range src.Parts(1) {
		err := src.All(ctx, part, func(r *records.Record) error {
			if !l.warm(r) {
				do(timeless(r))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// warm tells records that warming up has left.
func (l *Level) warm(r *records.Record) bool {
	if shard, ok := r.Unit.Shard(); ok && shard > int64(l.o.Shards) {
		return true
	}
	// The ids of a warm-up's namespace and history trees have their first bit set.
	for _, k := range r.Key {
		if id, ok := k.([16]byte); ok {
			return warmed(id)
		}
	}
	return false
}

// timeless takes off a record what the managers take from the clock.
func timeless(r *records.Record) *records.Record {
	if r.Kind != records.Branch {
		return r
	}
	blob, ok := r.Value(plan.BranchInfo).(plan.Blob)
	if !ok {
		return r
	}
	info := new(persistencespb.HistoryTreeInfo)
	if proto.Unmarshal(blob.Data, info) != nil {
		return r // it differs, and shows
	}
	info.ForkTime = nil
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(info)
	if err != nil {
		return r
	}
	return r.With(plan.BranchInfo, plan.Blob{Data: data, Encoding: blob.Encoding})
}

func counts(a, b *records.Digest) map[string][2]int64 {
	all := map[string][2]int64{}
	for family, n := range a.Totals() {
		all[family.String()] = [2]int64{n, b.Totals()[family]}
	}
	for family, n := range b.Totals() {
		if c := all[family.String()]; c[1] == 0 {
			all[family.String()] = [2]int64{c[0], n}
		}
	}
	return all
}

// byStores reads everything that the sequence is about through the stores of both
// arms: a SQL database has no record stream.
func (l *Level) byStores(ctx context.Context, x, y *block) (*result.Agreement, error) {
	agreement := &result.Agreement{
		How: result.ByStores, Counts: map[string][2]int64{},
		Note: "a SQL database has no record stream, so there are no digests: every workflow, history, range of tasks and task queue of the sequence was read through the stores of both arms and compared",
	}
	a, err := readState(ctx, x)
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", x.database.Name, err)
	}
	b, err := readState(ctx, y)
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", y.database.Name, err)
	}
	var names []string
	for name, s := range a {
		names = append(names, name)
		c := agreement.Counts[s.kind]
		c[0]++
		agreement.Counts[s.kind] = c
	}
	for name, s := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
		c := agreement.Counts[s.kind]
		c[1]++
		agreement.Counts[s.kind] = c
	}
	sort.Strings(names)
	for _, name := range names {
		for _, d := range diffState(name, a[name], b[name]) {
			add(agreement, d)
		}
	}
	agreement.Equal = len(agreement.Differences) == 0
	return agreement, nil
}

// seen is one thing that was read: the kind of thing, and its fields as messages or
// text.
type seen struct {
	kind   string
	fields map[string]any
}

func diffState(name string, a, b *seen) []result.FieldDifference {
	d := result.FieldDifference{Record: name}
	if a == nil || b == nil {
		d.A, d.B = "present", ""
		if a == nil {
			d.A, d.B = "", "present"
		}
		return []result.FieldDifference{d}
	}
	var all []result.FieldDifference
	var fields []string
	for f := range a.fields {
		fields = append(fields, f)
	}
	for f := range b.fields {
		if _, both := a.fields[f]; !both {
			fields = append(fields, f)
		}
	}
	sort.Strings(fields)
	for _, f := range fields {
		x, y := a.fields[f], b.fields[f]
		m, isMessage := x.(proto.Message)
		n, bothMessages := y.(proto.Message)
		if isMessage && bothMessages {
			for _, path := range records.MessageFields(f, m, n) {
				d.Field, d.A, d.B = path.Path, path.A, path.B
				all = append(all, d)
			}
			continue
		}
		if x != y {
			d.Field, d.A, d.B = f, shown(x), shown(y)
			all = append(all, d)
		}
	}
	return all
}

func shown(v any) string {
	if v == nil {
		return ""
	}
	s := fmt.Sprint(v)
	if len(s) > 200 {
		s = s[:200] + "..."
	}
	return s
}

// readState reads all that a block's sequence was about.
func readState(ctx context.Context, b *block) (map[string]*seen, error) {
	state := map[string]*seen{}
	for _, w := range b.mix.everMade() {
		if err := readWorkflow(ctx, b, w, state); err != nil {
			return nil, err
		}
	}
	for _, s := range b.mix.shards {
		for _, category := range []tasks.Category{tasks.CategoryTransfer, tasks.CategoryTimer, tasks.CategoryVisibility} {
			if err := readTasks(ctx, b, s.id, category, state); err != nil {
				return nil, err
			}
		}
	}
	for _, q := range b.mix.queues {
		if err := readQueue(ctx, b, q, state); err != nil {
			return nil, err
		}
	}
	return state, nil
}

func readWorkflow(ctx context.Context, b *block, w *workflow, state map[string]*seen) error {
	var none *serviceerror.NotFound
	found, err := b.stores.Executions.GetWorkflowExecution(ctx, b.mix.get(w))
	switch {
	case errors.As(err, &none):
	case err != nil:
		return err
	default:
		state["workflow "+w.id] = &seen{"workflow", map[string]any{"state": proto.Message(found.State), "record version": found.DBRecordVersion}}
	}
	current, err := b.stores.Executions.GetCurrentExecution(ctx, &p.GetCurrentExecutionRequest{
		ShardID: w.shard.id, NamespaceID: text(b.mix.namespace), WorkflowID: w.id, ArchetypeID: chasm.WorkflowArchetypeID,
	})
	switch {
	case errors.As(err, &none):
	case err != nil:
		return err
	default:
		state["current "+w.id] = &seen{"current workflow", map[string]any{"run": current.RunID, "state": current.State.String(), "status": current.Status.String()}}
	}
	history := map[string]any{}
	request := &p.ReadHistoryBranchRequest{ShardID: w.shard.id, BranchToken: w.token, MinEventID: 1, MaxEventID: 1 << 40, PageSize: historyPage}
	for {
		page, err := b.stores.Executions.ReadHistoryBranch(ctx, request)
		if errors.As(err, &none) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range page.HistoryEvents {
			history[fmt.Sprintf("event %d", e.EventId)] = proto.Message(e)
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			break
		}
	}
	state["history "+w.id] = &seen{"history", history}
	return nil
}

func readTasks(ctx context.Context, b *block, shard int32, category tasks.Category, state map[string]*seen) error {
	request := &p.GetHistoryTasksRequest{
		ShardID: shard, TaskCategory: category, BatchSize: tasksPage,
		InclusiveMinTaskKey: tasks.NewImmediateKey(0), ExclusiveMaxTaskKey: tasks.NewImmediateKey(1 << 40),
	}
	if category.Type() == tasks.CategoryTypeScheduled {
		request.InclusiveMinTaskKey, request.ExclusiveMaxTaskKey = tasks.NewKey(base, 0), tasks.NewKey(base.Add(10*365*24*time.Hour), 0)
	}
	for {
		page, err := b.stores.Executions.GetHistoryTasks(ctx, request)
		if err != nil {
			return err
		}
		for _, task := range page.Tasks {
			name := fmt.Sprintf("shard %d %s task %d", shard, category.Name(), task.GetTaskID())
			state[name] = &seen{category.Name() + " task", map[string]any{
				"workflow": task.GetWorkflowID() + " " + task.GetRunID(), "type": task.GetType().String(), "fires": task.GetKey().FireTime.UnixMilli(),
			}}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

func readQueue(ctx context.Context, b *block, q *queue, state map[string]*seen) error {
	found, err := b.stores.Tasks.GetTaskQueue(ctx, &p.GetTaskQueueRequest{
		NamespaceID: text(b.mix.namespace), TaskQueue: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	})
	if err != nil {
		return err
	}
	state["queue "+q.name] = &seen{"task queue", map[string]any{"info": proto.Message(found.TaskQueueInfo), "range": found.RangeID}}
	request := &p.GetTasksRequest{
		NamespaceID: text(b.mix.namespace), TaskQueue: q.name, TaskType: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		InclusiveMinTaskID: 0, ExclusiveMaxTaskID: 1 << 40, PageSize: tasksPage,
	}
	for {
		page, err := b.stores.Tasks.GetTasks(ctx, request)
		if err != nil {
			return err
		}
		for _, task := range page.Tasks {
			state[fmt.Sprintf("queue %s task %d", q.name, task.TaskId)] = &seen{"queued task", map[string]any{"data": proto.Message(task.Data)}}
		}
		if request.NextPageToken = page.NextPageToken; len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

// everMade lists the workflows of the sequence, deleted ones included.
func (m *mix) everMade() []*workflow {
	return slices.SortedFunc(slices.Values(m.all), func(a, b *workflow) int { return strings.Compare(a.id, b.id) })
}
