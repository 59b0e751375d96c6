package conformance

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/service/history/tasks"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// fault is a failure of a request. reply tells that a server sent it, so that it
// can not have done the request after all; the others may come before or after.
type fault struct {
	name  string
	err   error
	after bool // may also come after the request was done
}

func faults() []fault {
	reply := func(code int, writeType, message string) *cql.Error {
		return &cql.Error{Reach: cql.Replied, Code: code, WriteType: writeType, Message: message, Err: errors.New(message)}
	}
	deadline := &cql.Error{Reach: cql.Sent, Message: context.DeadlineExceeded.Error(), Err: context.DeadlineExceeded}
	canceled := &cql.Error{Reach: cql.Sent, Message: context.Canceled.Error(), Err: context.Canceled}
	return []fault{
		{"no-connection", &cql.Error{Reach: cql.Unsent, Message: "no connection", Err: errors.New("no connection")}, false},
		{"connection-lost", &cql.Error{Reach: cql.Sent, Message: "connection closed", Err: errors.New("EOF")}, true},
		{"deadline", deadline, true},
		{"canceled", canceled, true},
		{"closed", cql.ErrClosed, false},
		{"write-timeout-cas", reply(cql.CodeWriteTimeout, "CAS", "timed out"), true},
		{"write-timeout-batch", reply(cql.CodeWriteTimeout, "BATCH", "timed out"), true},
		{"write-timeout-simple", reply(cql.CodeWriteTimeout, "SIMPLE", "timed out"), true},
		{"read-timeout", reply(cql.CodeReadTimeout, "", "timed out"), true},
		{"cas-unknown", reply(cql.CodeCASUnknown, "", "CAS result unknown"), true},
		{"write-failure", reply(cql.CodeWriteFailure, "CAS", "failure"), true},
		{"server-error", reply(cql.CodeServer, "", "NullPointerException"), true},
		{"unavailable", reply(cql.CodeUnavailable, "", "not enough replicas"), true},
		{"overloaded", reply(cql.CodeOverloaded, "", "overloaded"), false},
		{"bootstrapping", reply(cql.CodeBootstrapping, "", "bootstrapping"), false},
		{"invalid", reply(cql.CodeInvalid, "", "unconfigured table"), false},
		{"unauthorized", reply(cql.CodeUnauthorized, "", "no permission"), false},
	}
}

// kind says what a call is to whoever gets its error.
type kind uint8

const (
	read    kind = iota
	write        // nobody's shard
	owning       // a shard's owner
	history      // immutable, may be repeated
)

// faultCall is a store call that succeeds on a scene whose first run is current
// and whose second lies beside it, with history in the first branch.
type faultCall struct {
	name string
	kind kind
	call func(ctx context.Context, st storetest.Stores, s storetest.Scene) error
}

// inSteps are calls that may be several requests, one after the other, of which
// each leaves something behind that does no harm: whoever calls again finishes it.
var inSteps = []string{"AppendHistoryNodes/new-branch", "DeleteHistoryBranch"}

func faultCalls() []faultCall {
	update := func(mode p.UpdateWorkflowMode, run int) func(context.Context, storetest.Stores, storetest.Scene) error {
		return func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.Update(mode, s.Runs[run]))
		}
	}
	return []faultCall{
		{"GetOrCreateShard", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Shards.GetOrCreateShard(ctx, &p.InternalGetOrCreateShardRequest{ShardID: s.Shard})
			return err
		}},
		{"UpdateShard", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Shards.UpdateShard(ctx, s.Renew())
		}},
		{"AssertShardOwnership", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Shards.AssertShardOwnership(ctx, &p.AssertShardOwnershipRequest{ShardID: s.Shard, RangeID: s.Range})
		}},
		{"CreateWorkflowExecution", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBypassCurrent, s.Runs[2]))
			return err
		}},
		{"UpdateWorkflowExecution", owning, update(p.UpdateWorkflowModeUpdateCurrent, 0)},
		{"UpdateWorkflowExecution/bypass", owning, update(p.UpdateWorkflowModeBypassCurrent, 1)},
		{"UpdateWorkflowExecution/continue-as-new", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.ContinueAsNew(s.Runs[0], s.Runs[2]))
		}},
		{"ConflictResolveWorkflowExecution", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.ConflictResolveWorkflowExecution(ctx, s.ResolveThree(p.ConflictResolveWorkflowModeUpdateCurrent))
		}},
		{"SetWorkflowExecution", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 2))
		}},
		{"DeleteWorkflowExecution", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteWorkflowExecution(ctx, s.Delete(s.Runs[1]))
		}},
		{"DeleteCurrentWorkflowExecution", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteCurrentWorkflowExecution(ctx, s.DeleteCurrent(s.Runs[0]))
		}},
		{"GetCurrentExecution", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.GetCurrentExecution(ctx, s.GetCurrent())
			return err
		}},
		{"GetWorkflowExecution", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.GetWorkflowExecution(ctx, s.Get(s.Runs[0]))
			return err
		}},
		{"ListConcreteExecutions", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.ListConcreteExecutions(ctx, &p.ListConcreteExecutionsRequest{ShardID: s.Shard, PageSize: 10})
			return err
		}},
		{"AddHistoryTasks", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.AddHistoryTasks(ctx, s.AddTasks(900))
		}},
		{"GetHistoryTasks", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.GetHistoryTasks(ctx, s.GetTasks(tasks.CategoryTimer))
			return err
		}},
		{"CompleteHistoryTask", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.CompleteHistoryTask(ctx, s.Complete(tasks.CategoryTransfer, 100, false))
		}},
		{"RangeCompleteHistoryTasks", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.RangeCompleteHistoryTasks(ctx, s.RangeComplete(tasks.CategoryTimer))
		}},
		{"PutReplicationTaskToDLQ", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.PutReplicationTaskToDLQ(ctx, s.PutDLQ(9))
		}},
		{"GetReplicationTasksFromDLQ", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.GetReplicationTasksFromDLQ(ctx, s.GetDLQ())
			return err
		}},
		{"IsReplicationDLQEmpty", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.IsReplicationDLQEmpty(ctx, s.GetDLQ())
			return err
		}},
		{"DeleteReplicationTaskFromDLQ", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteReplicationTaskFromDLQ(ctx, s.DeleteDLQ(4))
		}},
		{"RangeDeleteReplicationTaskFromDLQ", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.RangeDeleteReplicationTaskFromDLQ(ctx, s.RangeDeleteDLQ())
		}},
		{"AppendHistoryNodes", history, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.AppendHistoryNodes(ctx, s.Append(s.Branches[0], 7, 90, false))
		}},
		{"AppendHistoryNodes/new-branch", history, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.AppendHistoryNodes(ctx, s.Append(s.Branches[1], 1, 90, true))
		}},
		{"ReadHistoryBranch", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			token, err := branchToken(st, s)
			if err != nil {
				return err
			}
			_, err = st.Executions.ReadHistoryBranch(ctx, &p.InternalReadHistoryBranchRequest{
				BranchToken: token, BranchID: s.Branches[0], MinNodeID: 1, MaxNodeID: 99, PageSize: 10,
			})
			return err
		}},
		{"ForkHistoryBranch", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.ForkHistoryBranch(ctx, s.Fork())
		}},
		{"DeleteHistoryNodes", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteHistoryNodes(ctx, s.DeleteNode(s.Branches[0], 4, 51))
		}},
		{"DeleteHistoryBranch", write, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.DeleteHistoryBranch(ctx, s.DeleteBranch(s.Branches[0]))
		}},
		{"GetHistoryTreeContainingBranch", read, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			token, err := branchToken(st, s)
			if err != nil {
				return err
			}
			_, err = st.Executions.GetHistoryTreeContainingBranch(ctx, &p.InternalGetHistoryTreeContainingBranchRequest{BranchToken: token})
			return err
		}},
		{"GetAllHistoryTreeBranches", read, func(ctx context.Context, st storetest.Stores, _ storetest.Scene) error {
			_, err := st.Executions.GetAllHistoryTreeBranches(ctx, &p.GetAllHistoryTreeBranchesRequest{PageSize: 5})
			return err
		}},
	}
}

func branchToken(st storetest.Stores, s storetest.Scene) ([]byte, error) {
	return st.Executions.GetHistoryBranchUtil().NewHistoryBranch(s.Namespace, s.Workflow, s.Runs[0], s.Tree, &s.Branches[0], nil, 0, 0, 0)
}

// refusedCalls are refused on the same scene, each for a cause that some dialect
// has to read before it can name it.
func refusedCalls() []faultCall {
	return []faultCall{
		{"an update of a run that is not there", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			return st.Executions.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeIgnoreCurrent, s.Runs[2]))
		}},
		{"an update of a workflow that is not there", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			s.Workflow = "another"
			return st.Executions.UpdateWorkflowExecution(ctx, s.Update(p.UpdateWorkflowModeUpdateCurrent, s.Runs[0]))
		}},
		{"a run that exists", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			_, err := st.Executions.CreateWorkflowExecution(ctx, s.Create(p.CreateWorkflowModeBrandNew, s.Runs[0]))
			return err
		}},
		{"a write by another range", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			s.Range++
			return st.Executions.SetWorkflowExecution(ctx, s.Set(s.Runs[0], 2))
		}},
		{"a shard that is not there", owning, func(ctx context.Context, st storetest.Stores, s storetest.Scene) error {
			s.Shard = -s.Shard
			return st.Executions.AddHistoryTasks(ctx, s.AddTasks(900))
		}},
	}
}

// faultTests is one test for each call: every fault at every request that the
// call makes.
func faultTests() []test {
	var all []test
	for _, c := range faultCalls() {
		all = append(all, test{c.name, func(t *testing.T, db *database) { everyFault(t, db, c) }})
	}
	for _, c := range refusedCalls() {
		all = append(all, test{"refused: " + c.name, func(t *testing.T, db *database) { everyFaultOfARefusal(t, db, c) }})
	}
	return all
}

// heals tells whether a call of this kind may succeed in spite of a fault: an
// owner whose writes have numbers finds out what became of one, and may send it
// again.
func (s *staged) heals(k kind) bool { return s.sequenced && k == owning }

// everyFaultOfARefusal: a fault while the cause of a refusal is looked for is a
// fault. It is never taken for a cause, such as a row that is not there.
func everyFaultOfARefusal(t *testing.T, db *database, c faultCall) {
	s := stage(t, db)
	start := s.rows(t, c.kind)
	s.session.arm(0, before, nil)
	refusal := c.call(t.Context(), s.failing, s.Scene)
	requests := s.session.disarm()
	require.Error(t, refusal)
	require.False(t, p.OperationPossiblySucceeded(refusal), "%T: %v", refusal, refusal)
	for at := 1; at <= requests; at++ {
		for _, f := range faults() {
			for _, w := range []when{before, after} {
				if w == after && !f.after {
					continue
				}
				t.Run(fmt.Sprintf("%s %s request %d", f.name, w, at), func(t *testing.T) {
					s.session.arm(at, w, f.err)
					err := c.call(t.Context(), s.failing, s.Scene)
					s.session.disarm()
					if s.heals(c.kind) && reflect.TypeOf(err) == reflect.TypeOf(refusal) {
						return
					}
					checkFault(t, c.kind, err)
				})
			}
		}
	}
	require.Equal(t, start, s.rows(t, c.kind))
	requireSame(t, refusal, c.call(t.Context(), s.failing, s.Scene))
}

// staged is a scene on which a call succeeds, and a session to fail it.
type staged struct {
	storetest.Scene
	session *faulty
	failing storetest.Stores // over session; the owner
	clean   storetest.Stores // of another process, to look with

	sequenced bool
}

func stage(t *testing.T, db *database) *staged {
	t.Helper()
	s := &staged{Scene: db.scene(), session: &faulty{}, clean: db.stores(t, nil), sequenced: db.sequenced()}
	s.failing = db.stores(t, func(inner cql.Session) cql.Session {
		s.session.Session = inner
		return s.session
	})
	s.Own(t, s.failing.Shards)
	s.CreateBoth(t, s.failing.Executions)
	require.NoError(t, s.failing.Executions.PutReplicationTaskToDLQ(t.Context(), s.PutDLQ(4)))
	return s
}

// rows is what is stored, as far as a call of this kind promises anything about
// it: nodes of history that nothing points at may be left by a write that failed.
func (s *staged) rows(t *testing.T, k kind) string {
	t.Helper()
	if k == owning {
		return s.clean.Now(t, s.Scene)
	}
	return s.clean.Now(t, s.Scene) + s.clean.History(t, s.Scene)
}

func everyFault(t *testing.T, db *database, c faultCall) {
	// A clean run tells how many requests there are, and whether they change anything.
	s := stage(t, db)
	start := s.rows(t, c.kind)
	s.session.arm(0, before, nil)
	require.NoError(t, c.call(t.Context(), s.failing, s.Scene))
	requests := s.session.disarm()
	require.Positive(t, requests)
	require.Equal(t, c.kind == read, start == s.rows(t, c.kind))

	s = stage(t, db)
	start = s.rows(t, c.kind)
	for at := 1; at <= requests; at++ {
		for _, f := range faults() {
			t.Run(fmt.Sprintf("%s before request %d", f.name, at), func(t *testing.T) {
				s.session.arm(at, before, f.err)
				err := c.call(t.Context(), s.failing, s.Scene)
				s.session.disarm()
				if err == nil && s.heals(c.kind) {
					require.NotEqual(t, start, s.rows(t, c.kind), "a call that did nothing is reported as done")
					s = stage(t, db)
					start = s.rows(t, c.kind)
					return
				}
				checkFault(t, c.kind, err)
				if at == 1 && !f.after {
					require.NotContains(t, []string{"*persistence.TimeoutError", "*persistence.AppendHistoryTimeoutError"},
						fmt.Sprintf("%T", err), "the database cannot have done it")
				}
			})
		}
		if at > 1 && slices.Contains(inSteps, c.name) {
			require.NoError(t, c.call(t.Context(), s.failing, s.Scene), "nobody can finish what was left in the middle")
			s = stage(t, db)
			start = s.rows(t, c.kind)
		} else {
			require.Equal(t, start, s.rows(t, c.kind), "a call changed something before the request that failed")
		}
		for _, f := range faults() {
			if !f.after {
				continue
			}
			t.Run(fmt.Sprintf("%s after request %d", f.name, at), func(t *testing.T) {
				s.session.arm(at, after, f.err)
				err := c.call(t.Context(), s.failing, s.Scene)
				s.session.disarm()
				if err == nil && s.heals(c.kind) {
					require.NotEqual(t, start, s.rows(t, c.kind), "a call that did nothing is reported as done")
					s = stage(t, db)
					start = s.rows(t, c.kind)
					return
				}
				checkFault(t, c.kind, err)
				if start == s.rows(t, c.kind) {
					return
				}
				checkUnknown(t, c.kind, err)
				s = stage(t, db)
				start = s.rows(t, c.kind)
			})
		}
	}
	require.NoError(t, c.call(t.Context(), s.failing, s.Scene), "the call works after all faults that changed nothing")
}

// requireSame checks that got is of want's very type, unwrapped.
func requireSame(t *testing.T, want, got error) {
	t.Helper()
	require.Equal(t, reflect.TypeOf(want), reflect.TypeOf(got), "%v", got)
}

// checkFault holds an error to what the server knows.
func checkFault(t *testing.T, k kind, err error) {
	t.Helper()
	switch e := any(err).(type) { // errors of stores are bare: the server does not unwrap them
	case nil:
		t.Fatal("the fault was swallowed")
	case *p.TimeoutError, *serviceerror.Unavailable, *serviceerror.ResourceExhausted, *serviceerror.Canceled:
	case *p.AppendHistoryTimeoutError, *p.InvalidPersistenceRequestError:
		require.NotEqual(t, read, k, "%T of a read", e)
	default:
		t.Fatalf("%T is no error for a fault: %v", e, err)
	}
}

// checkUnknown holds the error of a call that took effect.
func checkUnknown(t *testing.T, k kind, err error) {
	t.Helper()
	switch k {
	case read:
		t.Fatal("a read changed what is stored")
	case history:
		_ = storetest.Bare[*p.AppendHistoryTimeoutError](t, err)
	default:
		// Else a write that took effect is reported as if it had not.
		_ = storetest.Bare[*p.TimeoutError](t, err)
	}
}
