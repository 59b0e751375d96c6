package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// standstill is for how long no workflow of a fleet may arrive before those that
// are left count as lost. While others arrive, they may only be late: a backlog
// takes as long as the machine takes for it, and whoever has to be given out once
// more goes to its end.
const standstill = 5 * time.Minute

// harnessShards is how many shards a server of the harness has.
const harnessShards = 4

// lateness bounds how much later than it was due, or than the server was ready, a
// timer fires. It is no measure of speed: a timer that is lost to the queue of
// timers and found again, at the next reading of the shard, takes minutes.
const lateness = time.Minute

var errStandstill = fmt.Errorf("no other workflow of the fleet has arrived for %s", standstill)

// pace ends the waiting for a fleet that no longer moves.
type pace struct {
	mu    sync.Mutex
	timer *time.Timer
}

// keep returns a context that ends when nothing has been heard for a standstill.
func keep(ctx context.Context) (context.Context, *pace, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pace{timer: time.AfterFunc(standstill, func() { cancel(errStandstill) })}
	return ctx, p, func() {
		p.timer.Stop()
		cancel(nil)
	}
}

// arrived says that a workflow has arrived.
func (p *pace) arrived() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer.Stop() {
		p.timer.Reset(standstill)
	}
}

// arrive finishes a fleet: every workflow completes, once, with what it was sent
// before and after the move, and its history replays. Those that do not are
// accounted for; inside tells that the server holds the database of the target.
func (s *server) arrive(t *testing.T, f *fleet, m *migration, inside bool) {
	t.Helper()
	ready := time.Now() // the server is
	allowed.Store(true)
	work(t, s.Client, f.queue, worker.Options{}, registerTravel)
	work(t, s.Client, f.backlogQueue, worker.Options{})
	ctx, p, done := keep(t.Context())
	defer done()
	var mu sync.Mutex
	var latest time.Duration
	var missing []client.WorkflowRun
	var why []error
	each := func(runs []client.WorkflowRun, do func(i int) error) {
		many(t, len(runs), func(i int) error {
			err := do(i)
			if err == nil {
				p.arrived()
				return nil
			}
			if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
				err = fmt.Errorf("%w (%w)", err, cause)
			}
			mu.Lock()
			defer mu.Unlock()
			missing, why = append(missing, runs[i]), append(why, err)
			return nil
		})
	}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflow(wfTravel)
	each(f.runs, func(i int) error {
		late, err := s.travelled(ctx, f, i, replayer, ready)
		mu.Lock()
		defer mu.Unlock()
		latest = max(latest, late)
		return err
	})
	t.Logf("%d workflows arrived; the latest timer was late by %s", len(f.runs)-len(missing), latest.Round(time.Millisecond))
	each(f.backlog, func(i int) error {
		var got string
		err := s.Client.GetWorkflow(ctx, f.backlog[i].GetID(), f.backlog[i].GetRunID()).Get(ctx, &got)
		if err == nil && got != "waited" {
			err = fmt.Errorf("ended with %q", got)
		}
		if err != nil {
			return fmt.Errorf("workflow %s of the backlog: %w", f.backlog[i].GetID(), err)
		}
		return nil
	})
	if len(missing) == 0 {
		return
	}
	const most = 3 // of which all is told
	for _, run := range missing[:min(most, len(missing))] {
		t.Log(s.account(t.Context(), f, run))
	}
	if inside {
		if err := s.Stop(); err != nil { // else nobody else can read its database
			t.Logf("stop the server: %v", err)
		}
	}
	for _, run := range missing[:min(most, len(missing))] {
		m.rows(t, f, run)
	}
	require.NoError(t, errors.Join(why...), "%d workflows did not arrive", len(missing))
}

// travelled waits for one of those that had everything under way, and returns by
// how much its timer was late.
func (s *server) travelled(ctx context.Context, f *fleet, i int, replayer worker.WorkflowReplayer, ready time.Time) (late time.Duration, err error) {
	id, run := f.runs[i].GetID(), f.runs[i].GetRunID()
	for _, signal := range [][3]string{{id, "add", "after"}, {id + "-child", "go", "done"}} {
		if err := s.Client.SignalWorkflow(ctx, signal[0], "", signal[1], signal[2]); err != nil {
			return 0, fmt.Errorf("signal %s: %w", signal[0], err)
		}
	}
	var answer string
	update := s.Client.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: id, RunID: run, UpdateID: f.updates[i].UpdateID()})
	if err := update.Get(ctx, &answer); err != nil {
		return 0, fmt.Errorf("update of %s: %w", id, err)
	}
	if answer != "question answered" {
		return 0, fmt.Errorf("update of %s: %q", id, answer)
	}
	var got []string
	if err := s.Client.GetWorkflow(ctx, id, run).Get(ctx, &got); err != nil {
		return 0, fmt.Errorf("workflow %s: %w", id, err)
	}
	if want := []string{"before", "after", "arrived", "child done", "timer"}; !slices.Equal(got, want) {
		return 0, fmt.Errorf("workflow %s ended with %v, want %v", id, got, want)
	}
	history, err := s.history(ctx, id, run)
	if err != nil {
		return 0, err
	}
	if err := arrivedOnce(id, history); err != nil {
		return 0, err
	}
	if late, err = timers(history, ready); err != nil {
		return late, fmt.Errorf("workflow %s: %w", id, err)
	}
	if err := replayer.ReplayWorkflowHistoryWithOptions(silent{}, history, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: id, RunID: run},
	}); err != nil {
		return late, fmt.Errorf("replay %s: %w", id, err)
	}
	return late, nil
}

// arrivedOnce fails unless the activity of a workflow succeeded once. A success that
// the server did not hear of in time is none to it, so that there is another attempt;
// no attempt is made twice.
func arrivedOnce(id string, history *historypb.History) error {
	arrivalsMu.Lock()
	attempts := slices.Clone(arrivals[id])
	arrivalsMu.Unlock()
	slices.Sort(attempts)
	once := len(attempts) == 1 || len(attempts) > 1 && gaveUp(history)
	if !once || len(slices.Compact(slices.Clone(attempts))) != len(attempts) {
		return fmt.Errorf("the activity of %s succeeded in its attempts %v", id, attempts)
	}
	return nil
}

// history reads the history of a run.
func (s *server) history(ctx context.Context, id, run string) (*historypb.History, error) {
	all := &historypb.History{}
	it := s.Client.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		event, err := it.Next()
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", id, err)
		}
		all.Events = append(all.Events, event)
	}
	return all, nil
}

// timers tells by how much the timers of a history were late, the most of them,
// and fails where one fired before its time, or long after it and after its server
// was ready.
func timers(history *historypb.History, ready time.Time) (latest time.Duration, err error) {
	due := make(map[string]time.Time)
	fired := 0
	for _, event := range history.GetEvents() {
		at := event.GetEventTime().AsTime()
		if a := event.GetTimerStartedEventAttributes(); a != nil {
			due[a.GetTimerId()] = at.Add(a.GetStartToFireTimeout().AsDuration())
		}
		a := event.GetTimerFiredEventAttributes()
		if a == nil {
			continue
		}
		fired++
		when, known := due[a.GetTimerId()]
		latest = max(latest, at.Sub(when))
		expected := when
		if ready.After(when) {
			expected = ready
		}
		switch {
		case !known:
			return latest, fmt.Errorf("timer %s fired, and nothing started it", a.GetTimerId())
		case at.Before(when.Truncate(time.Millisecond)): // the server's timers are of whole milliseconds
			return latest, fmt.Errorf("timer %s fired at %s, before it was due at %s", a.GetTimerId(), at, when)
		case at.Sub(expected) > lateness:
			return latest, fmt.Errorf("timer %s fired at %s, was due at %s, and the server was ready at %s", a.GetTimerId(), at, when, ready)
		}
	}
	if fired == 0 {
		return 0, errors.New("no timer fired")
	}
	return latest, nil
}

// awaited looks at the keyspace of a server on Cassandra, which has stopped: each
// workflow of the backlog must have what will give it to a worker, a task of
// matching or one of history's that will make it.
func (s *server) awaited(t *testing.T, f *fleet) {
	t.Helper()
	session := s.cql(t)
	has := make(map[string]bool)
	for _, table := range []string{"tasks", "tasks_v2"} {
		var blob []byte
		rows := session.Query("SELECT task FROM " + s.Keyspace + "." + table).WithContext(t.Context()).Iter()
		for rows.Scan(&blob) {
			var task persistencespb.AllocatedTaskInfo
			require.NoError(t, proto.Unmarshal(blob, &task))
			has[task.GetData().GetWorkflowId()] = true
		}
		require.NoError(t, rows.Close())
	}
	for shard := 1; shard <= harnessShards; shard++ {
		var blob []byte
		rows := session.Query("SELECT transfer FROM "+s.Keyspace+".executions WHERE shard_id = ? AND type = 2", shard).WithContext(t.Context()).Iter()
		for rows.Scan(&blob) {
			var task persistencespb.TransferTaskInfo
			require.NoError(t, proto.Unmarshal(blob, &task))
			has[task.GetWorkflowId()] = true
		}
		require.NoError(t, rows.Close())
	}
	var lost []string
	for _, run := range f.backlog {
		if !has[run.GetID()] {
			lost = append(lost, fmt.Sprintf("%s in shard %d", run.GetID(), common.WorkflowIDToHistoryShard(f.namespace, run.GetID(), harnessShards)))
		}
	}
	require.Empty(t, lost, "workflows of the backlog for which there is neither a task of matching nor of history")
}

// account is what a server says of a workflow that does not arrive, and of the
// queues that it waits in.
func (s *server) account(ctx context.Context, f *fleet, run client.WorkflowRun) string {
	var b strings.Builder
	told := func(what string, m proto.Message, err error) {
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", what, err)
			return
		}
		fmt.Fprintf(&b, "%s: %s\n", what, protojson.Format(m))
	}
	resp, err := s.Client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	told("workflow "+run.GetID(), resp, err)
	history, err := s.history(ctx, run.GetID(), run.GetRunID())
	events := history.GetEvents()
	told(fmt.Sprintf("the last of its %d events", len(events)), &historypb.History{Events: events[max(0, len(events)-5):]}, err)
	for _, name := range slices.Concat(partitions(f.queue), partitions(f.backlogQueue)) {
		for _, kind := range []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY} {
			resp, err := s.Client.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
				Namespace: s.Namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: name}, TaskQueueType: kind, IncludeTaskQueueStatus: true,
				ReportStats: !strings.HasPrefix(name, "/_sys/"), // of the root alone
			})
			told(fmt.Sprintf("queue %s, %s", name, kind), resp, err)
		}
	}
	return b.String()
}

// partitions are the names under which matching keeps a queue, by default.
func partitions(queue string) []string {
	names := []string{queue}
	for i := 1; i < 4; i++ {
		names = append(names, fmt.Sprintf("/_sys/%s/%d", queue, i))
	}
	return names
}

// rows shows what both databases hold of a workflow and of the queue that it waits
// in.
func (m *migration) rows(t *testing.T, f *fleet, run client.WorkflowRun) {
	t.Helper()
	show := func(unit, containing string) {
		_, _ = m.try(t, "explain", "--decoded", "--containing", containing, "--quiet", unit) // which logs what it says
	}
	shard := fmt.Sprintf("shard/%d", common.WorkflowIDToHistoryShard(f.namespace, run.GetID(), harnessShards))
	show(shard, run.GetID())
	show(shard, "Shard(")
	queue := f.queue
	if strings.HasPrefix(run.GetID(), f.backlogQueue) {
		queue = f.backlogQueue
	}
	for _, name := range partitions(queue) {
		for kind := 1; kind <= 2; kind++ {
			unit := fmt.Sprintf("queue/%s/%d/%s", f.namespace, kind, url.PathEscape(name))
			show(unit, run.GetID())
			show(unit, "TaskQueue(")
		}
	}
}
