package store

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

const queueV2Name = "q"

func newQueueV2(t testing.TB, ex exec.Executor) *QueueV2 {
	t.Helper()
	q, err := NewQueueV2(ex)
	require.NoError(t, err)
	return q
}

func createQueueV2(t testing.TB, q *QueueV2) {
	t.Helper()
	_, err := q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name})
	require.NoError(t, err)
}

func enqueueV2(t testing.TB, q *QueueV2) (int64, error) {
	t.Helper()
	response, err := q.EnqueueMessage(t.Context(), &p.InternalEnqueueMessageRequest{
		QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name, Blob: blob("m"),
	})
	if err != nil {
		return 0, err
	}
	return response.Metadata.ID, nil
}

func readV2(size int, token []byte) *p.InternalReadMessagesRequest {
	return &p.InternalReadMessagesRequest{
		QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name, PageSize: size, NextPageToken: token,
	}
}

func rangeDelete(upTo int64) *p.InternalRangeDeleteMessagesRequest {
	return &p.InternalRangeDeleteMessagesRequest{
		QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name,
		InclusiveMaxMessageMetadata: p.MessageMetadata{ID: upTo},
	}
}

func listV2(size int) *p.InternalListQueuesRequest {
	return &p.InternalListQueuesRequest{QueueType: p.QueueTypeHistoryDLQ, PageSize: size}
}

func TestQueueV2Plans(t *testing.T) {
	r := newRecorder(cql.Traits{})
	q := newQueueV2(t, r)
	createQueueV2(t, q)
	for range 3 {
		_, err := enqueueV2(t, q)
		require.NoError(t, err)
	}
	_, err := q.ReadMessages(t.Context(), readV2(5, nil))
	require.NoError(t, err)
	_, err = q.RangeDeleteMessages(t.Context(), rangeDelete(1))
	require.NoError(t, err)
	_, err = q.ListQueues(t.Context(), listV2(5))
	require.NoError(t, err)
	r.golden(t, "queuev2/calls")
}

func TestQueueV2IDsAreNeverGivenTwice(t *testing.T) {
	state := memory.NewState()
	q := newQueueV2(t, memory.NewExecutor(state, cql.Traits{}))
	createQueueV2(t, q)
	for want := range int64(4) {
		if want == 2 {
			for _, wantDeleted := range []int64{2, 0} {
				got, err := q.RangeDeleteMessages(t.Context(), rangeDelete(100))
				require.NoError(t, err)
				require.Equal(t, wantDeleted, got.MessagesDeleted)
			}
			require.Equal(t, 1, state.Len(plan.QueueV2Messages), "the last message stays, to tell the next id")
			page, err := q.ReadMessages(t.Context(), readV2(10, nil))
			require.NoError(t, err)
			require.Empty(t, page.Messages)
		}
		got, err := enqueueV2(t, q)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	list, err := q.ListQueues(t.Context(), listV2(1))
	require.NoError(t, err)
	require.Equal(t, []p.QueueInfo{{QueueName: queueV2Name, MessageCount: 2, LastMessageID: 3}}, list.Queues)
}

func TestQueueV2Races(t *testing.T) {
	state := memory.NewState()
	tap := cqltest.NewTap(memory.NewSession(state))
	q := newQueueV2(t, exec.New(tap, memory.NewDialect(cql.Traits{}), nil))
	other := newQueueV2(t, memory.NewExecutor(state, cql.Traits{}))
	createQueueV2(t, q)
	var failed *p.ConditionFailedError

	raceFor("EnqueueMessageV2", tap, func() { _, err := enqueueV2(t, other); require.NoError(t, err) })
	_, err := enqueueV2(t, q)
	require.ErrorIs(t, err, ErrEnqueueConflict)
	require.ErrorAs(t, err, &failed)
	id, err := enqueueV2(t, q)
	require.NoError(t, err)
	require.Equal(t, int64(1), id)

	raceFor("UpdateQueueV2", tap, func() { _, err := other.RangeDeleteMessages(t.Context(), rangeDelete(0)); require.NoError(t, err) })
	_, err = q.RangeDeleteMessages(t.Context(), rangeDelete(1))
	require.ErrorIs(t, err, ErrQueueUpdateConflict)
	require.ErrorAs(t, err, &failed)
	_, err = q.RangeDeleteMessages(t.Context(), rangeDelete(1))
	require.NoError(t, err)
	page, err := q.ReadMessages(t.Context(), readV2(10, nil))
	require.NoError(t, err)
	require.Empty(t, page.Messages)
}

func TestQueueV2RequestsThatMakeNoSense(t *testing.T) {
	q := newQueueV2(t, memory.NewExecutor(memory.NewState(), cql.Traits{}))
	var absent *serviceerror.NotFound
	_, err := enqueueV2(t, q)
	require.ErrorAs(t, err, &absent)
	createQueueV2(t, q)

	_, err = q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name})
	require.ErrorIs(t, err, p.ErrQueueAlreadyExists)
	_, err = q.ReadMessages(t.Context(), readV2(0, nil))
	require.ErrorIs(t, err, p.ErrNonPositiveReadQueueMessagesPageSize)
	_, err = q.ReadMessages(t.Context(), readV2(1, []byte("no token")))
	require.ErrorIs(t, err, p.ErrInvalidReadQueueMessagesNextPageToken)
	_, err = q.RangeDeleteMessages(t.Context(), rangeDelete(-1))
	require.ErrorIs(t, err, p.ErrInvalidQueueRangeDeleteMaxMessageID)
	_, err = q.ListQueues(t.Context(), listV2(0))
	require.ErrorIs(t, err, p.ErrNonPositiveListQueuesPageSize)
}

func TestQueueV2RowsThatMakeNoSense(t *testing.T) {
	proto := enumspb.ENCODING_TYPE_PROTO3.String()
	none, err := (&persistencespb.Queue{}).Marshal()
	require.NoError(t, err)
	tests := []struct {
		name  string
		give  plan.Blob
		check func(t *testing.T, err error)
	}{
		{"an encoding that nobody knows", plan.Blob{Data: none, Encoding: "other"}, func(t *testing.T, err error) {
			var unknown *serialization.UnknownEncodingTypeError
			require.ErrorAs(t, err, &unknown)
		}},
		{"metadata that is no message", plan.Blob{Data: []byte("?"), Encoding: proto}, func(t *testing.T, err error) {
			var undecoded *serialization.DeserializationError
			require.ErrorAs(t, err, &undecoded)
		}},
		{"a number of partitions that nobody writes yet", plan.Blob{Data: none, Encoding: proto}, func(t *testing.T, err error) {
			var internal *serviceerror.Internal
			require.ErrorAs(t, err, &internal)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
			q := newQueueV2(t, ex)
			createQueueV2(t, q)
			_, err := enqueueV2(t, q)
			require.NoError(t, err)
			require.NoError(t, ex.Write(t.Context(), &plan.Write{Name: "break", Scope: plan.Atomic, Mutations: []plan.Mutation{{
				Table: plan.QueuesV2, Op: plan.Update, Key: queueV2ID{p.QueueTypeHistoryDLQ, queueV2Name}.key(),
				Effects: []plan.Effect{{Op: plan.Set, Column: plan.QueueV2Metadata, Value: tt.give}},
			}}}))
			_, err = q.ReadMessages(t.Context(), readV2(1, nil))
			tt.check(t, err)
			_, err = q.RangeDeleteMessages(t.Context(), rangeDelete(0))
			tt.check(t, err)
			_, err = q.ListQueues(t.Context(), listV2(1))
			tt.check(t, err)
			require.ErrorContains(t, err, queueV2Name)
		})
	}
	t.Run("a message in an encoding that nobody knows", func(t *testing.T) {
		q := newQueueV2(t, memory.NewExecutor(memory.NewState(), cql.Traits{}))
		createQueueV2(t, q)
		_, err := q.EnqueueMessage(t.Context(), &p.InternalEnqueueMessageRequest{
			QueueType: p.QueueTypeHistoryDLQ, QueueName: queueV2Name,
			Blob: &commonpb.DataBlob{Data: []byte("m"), EncodingType: -1},
		})
		require.NoError(t, err)
		_, err = q.ReadMessages(t.Context(), readV2(1, nil))
		var unknown *serialization.UnknownEncodingTypeError
		require.ErrorAs(t, err, &unknown)
	})
}

// TestQueueV2Faults fails each request of each call.
func TestQueueV2Faults(t *testing.T) {
	tests := []struct {
		call  string
		plans []string
		run   func(q *QueueV2) error
	}{
		{"CreateQueue", []string{"CreateQueue"}, func(q *QueueV2) error {
			_, err := q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: p.QueueTypeHistoryDLQ, QueueName: "other"})
			return err
		}},
		{"EnqueueMessage", []string{"GetQueueV2", "GetLastQueueV2Message", "EnqueueMessageV2"}, func(q *QueueV2) error {
			_, err := enqueueV2(t, q)
			return err
		}},
		{"ReadMessages", []string{"GetQueueV2", "ReadQueueV2Messages"}, func(q *QueueV2) error {
			_, err := q.ReadMessages(t.Context(), readV2(1, nil))
			return err
		}},
		{"RangeDeleteMessages", []string{"GetQueueV2", "GetLastQueueV2Message", "RangeDeleteMessages", "UpdateQueueV2"}, func(q *QueueV2) error {
			_, err := q.RangeDeleteMessages(t.Context(), rangeDelete(0))
			return err
		}},
		{"ListQueues", []string{"ListQueuesV2", "GetLastQueueV2Message"}, func(q *QueueV2) error {
			_, err := q.ListQueues(t.Context(), listV2(1))
			return err
		}},
	}
	for _, tt := range tests {
		for _, name := range tt.plans {
			t.Run(tt.call+" with a failing "+name, func(t *testing.T) {
				tap := cqltest.NewTap(memory.NewSession(memory.NewState()))
				q := newQueueV2(t, exec.New(tap, memory.NewDialect(cql.Traits{}), nil))
				createQueueV2(t, q)
				_, err := enqueueV2(t, q)
				require.NoError(t, err)

				tap.Before(cqltest.FailPlan(name, &cql.Error{Reach: cql.Unsent, Message: "no connection"}))
				var unavailable *serviceerror.Unavailable
				err = tt.run(q)
				require.ErrorAs(t, err, &unavailable)
				require.ErrorContains(t, err, "no connection")

				tap.Before(cqltest.FailPlan(name, &cql.Error{Reach: cql.Sent, Message: "no answer"}))
				err = tt.run(q)
				require.ErrorContains(t, err, "no answer")
				if requests := tap.Take(); requests[len(requests)-1].Write {
					_ = storetest.Bare[*p.TimeoutError](t, err)
				} else {
					require.ErrorAs(t, err, &unavailable)
				}
				tap.Before(nil)
				require.NoError(t, tt.run(q))
			})
		}
	}
}
