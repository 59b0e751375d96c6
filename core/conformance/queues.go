package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	persistencetests "go.temporal.io/server/common/persistence/persistence-tests"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/tests"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/cql/cqltest"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/store"
	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// queueAreas are the queues of messages, old and new.
func queueAreas() []area {
	return []area{
		{"upstream-queue", []test{{"suite", func(t *testing.T, db *database) {
			s := new(persistencetests.QueuePersistenceSuite)
			s.TestBase = newFixture(t, db).base()
			suite.Run(t, s)
		}}}},
		{"upstream-queue-v2", []test{{"suite", func(t *testing.T, db *database) {
			tests.RunQueueV2TestSuite(t, newQueues(t, db).QueueV2)
		}}}},
		{"upstream-history-task-queues", []test{{"suite", func(t *testing.T, db *database) {
			tests.RunHistoryTaskQueueManagerTestSuite(t, newQueues(t, db).QueueV2)
		}}}},
		{"queue", []test{
			{"messages-enqueued-at-once", enqueueAtOnce},
			{"init-at-once", initAtOnce},
		}},
		{"queue-v2", []test{
			{"each-request-fails", queueV2Faults},
			{"rows-that-make-no-sense", queueV2Corruption},
			{"several-partitions", queueV2Partitions},
			{"messages-enqueued-at-once", queueV2EnqueueAtOnce},
			{"deletions-at-once", queueV2DeleteAtOnce},
			{"reads-begin-at-the-first-message", queueV2ReadsFromFirst},
			{"repeated-deletions", queueV2RepeatedDeletes},
			{"deletions-past-the-end", queueV2DeletesPastTheEnd},
			{"queues-of-another-type", queueV2ListsOneType},
		}},
	}
}

// queues is a store of queues and its fixture. Each queue has its own type, so
// that broken ones do not break the lists of others.
type queues struct {
	*fixture
	p.QueueV2
	kind p.QueueV2Type
}

func newQueues(t testing.TB, db *database) *queues {
	t.Helper()
	f := newFixture(t, db)
	s, err := f.factory.NewQueueV2()
	require.NoError(t, err)
	return &queues{f, s, p.QueueV2Type(db.shards.Add(1) + 10)}
}

const oneQueue = "a queue"

func (q *queues) create(t testing.TB) {
	t.Helper()
	_, err := q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: q.kind, QueueName: oneQueue})
	require.NoError(t, err)
}

func (q *queues) enqueue(ctx context.Context) (int64, error) {
	response, err := q.EnqueueMessage(ctx, &p.InternalEnqueueMessageRequest{
		QueueType: q.kind, QueueName: oneQueue, Blob: someText("message"),
	})
	if err != nil {
		return 0, err
	}
	return response.Metadata.ID, nil
}

// fill creates the queue with a number of messages.
func (q *queues) fill(t testing.TB, messages int) {
	t.Helper()
	q.create(t)
	for want := range messages {
		id, err := q.enqueue(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(want), id)
	}
}

func (q *queues) remove(ctx context.Context, upTo int64) (int64, error) {
	response, err := q.RangeDeleteMessages(ctx, &p.InternalRangeDeleteMessagesRequest{
		QueueType: q.kind, QueueName: oneQueue, InclusiveMaxMessageMetadata: p.MessageMetadata{ID: upTo},
	})
	if err != nil {
		return 0, err
	}
	return response.MessagesDeleted, nil
}

func (q *queues) ids(t testing.TB) []int64 {
	t.Helper()
	response, err := q.read(t.Context())
	require.NoError(t, err)
	ids := []int64{}
	for _, m := range response.Messages {
		ids = append(ids, m.MetaData.ID)
	}
	return ids
}

func (q *queues) read(ctx context.Context) (*p.InternalReadMessagesResponse, error) {
	return q.ReadMessages(ctx, &p.InternalReadMessagesRequest{QueueType: q.kind, QueueName: oneQueue, PageSize: 100})
}

func (q *queues) list(ctx context.Context) (*p.InternalListQueuesResponse, error) {
	return q.ListQueues(ctx, &p.InternalListQueuesRequest{QueueType: q.kind, PageSize: 10})
}

// rows counts the messages that are stored, readable or not.
func (q *queues) rows(t testing.TB) int {
	t.Helper()
	rows, err := q.ex.Read(t.Context(), &plan.Read{
		Name: "CountMessages", Table: plan.QueueV2Messages, Eq: 3, Columns: []*plan.Column{plan.MessageID},
	}, plan.Page{}, int64(q.kind), oneQueue, int64(0))
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		n++
	}
	require.NoError(t, rows.Close())
	return n
}

// store writes the queue's row as it is given.
func (q *queues) store(t testing.TB, metadata plan.Blob) {
	t.Helper()
	require.NoError(t, q.ex.Write(t.Context(), &plan.Write{Name: "StoreQueue", Scope: plan.Atomic, Mutations: []plan.Mutation{{
		Table: plan.QueuesV2, Op: plan.Insert, Key: []any{int64(q.kind), oneQueue},
		Conds: []plan.Cond{{Test: plan.RowAbsent}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.QueueV2Metadata, Value: metadata},
			{Op: plan.Set, Column: plan.QueueV2Version, Value: int64(0)},
		},
	}}}))
}

// queueV2Faults fails each request of each call: the error must name the cause,
// and the call must work when it is made again.
func queueV2Faults(t *testing.T, db *database) {
	calls := []struct {
		name string
		run  func(q *queues) error
	}{
		{"CreateQueue", func(q *queues) error {
			_, err := q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: q.kind, QueueName: "another"})
			return err
		}},
		{"EnqueueMessage", func(q *queues) error { _, err := q.enqueue(t.Context()); return err }},
		{"ReadMessages", func(q *queues) error { _, err := q.read(t.Context()); return err }},
		{"RangeDeleteMessages", func(q *queues) error { _, err := q.remove(t.Context(), 1); return err }},
		{"ListQueues", func(q *queues) error { _, err := q.list(t.Context()); return err }},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			for failing := 0; ; failing++ {
				q := newQueues(t, db)
				q.fill(t, 2)
				n := 0
				q.tap.Before(func(context.Context, cqltest.Request) error {
					if n++; n == failing+1 {
						return &cql.Error{Reach: cql.Unsent, Message: "no connection", Err: errors.New("no connection")}
					}
					return nil
				})
				q.tap.Take()
				err := c.run(q)
				requests := q.tap.Take()
				if n <= failing {
					require.NoError(t, err)
					require.Positive(t, failing, "the call made no request")
					return
				}
				var unavailable *serviceerror.Unavailable
				require.ErrorAs(t, err, &unavailable)
				require.ErrorContains(t, err, "no connection")
				require.ErrorContains(t, err, requests[len(requests)-1].Plan)
				require.NoError(t, c.run(q), "again, after request %d failed", failing+1)
			}
		})
	}
}

func queueV2Corruption(t *testing.T, db *database) {
	proto := enumspb.ENCODING_TYPE_PROTO3.String()
	tests := []struct {
		name string
		give plan.Blob
		want any
	}{
		{"an encoding that nobody knows", plan.Blob{Data: []byte("test"), Encoding: "bad-encoding-type"}, new(*serialization.UnknownEncodingTypeError)},
		{"metadata that is no message", plan.Blob{Data: []byte("bad-payload"), Encoding: proto}, new(*serialization.DeserializationError)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueues(t, db)
			q.store(t, tt.give)
			_, err := q.enqueue(t.Context())
			require.ErrorAs(t, err, tt.want)
			_, err = q.read(t.Context())
			require.ErrorAs(t, err, tt.want)
			_, err = q.remove(t.Context(), 1)
			require.ErrorAs(t, err, tt.want)
			_, err = q.list(t.Context())
			require.ErrorAs(t, err, tt.want)
			require.ErrorContains(t, err, oneQueue)
			require.ErrorContains(t, err, fmt.Sprint(int(q.kind)))
		})
	}
	t.Run("a message in an encoding that nobody knows", func(t *testing.T) {
		q := newQueues(t, db)
		q.fill(t, 1)
		require.NoError(t, q.ex.Write(t.Context(), &plan.Write{Name: "StoreMessage", Scope: plan.Atomic, Mutations: []plan.Mutation{{
			Table: plan.QueueV2Messages, Op: plan.Insert, Key: []any{int64(q.kind), oneQueue, int64(0), int64(1)},
			Conds: []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.MessagePayload, Value: plan.Blob{Data: []byte("test"), Encoding: "bad-encoding-type"}},
			},
		}}}))
		_, err := q.read(t.Context())
		require.ErrorAs(t, err, new(*serialization.UnknownEncodingTypeError))
		require.ErrorContains(t, err, "bad-encoding-type")
	})
}

// queueV2Partitions meets queues of a later server, which have several partitions.
func queueV2Partitions(t *testing.T, db *database) {
	q := newQueues(t, db)
	metadata, err := (&persistencespb.Queue{Partitions: map[int32]*persistencespb.QueuePartition{0: {}, 1: {}}}).Marshal()
	require.NoError(t, err)
	q.store(t, plan.Blob{Data: metadata, Encoding: enumspb.ENCODING_TYPE_PROTO3.String()})
	for name, call := range map[string]func() error{
		"read": func() error { _, err := q.read(t.Context()); return err },
		"list": func() error { _, err := q.list(t.Context()); return err },
		"delete": func() error {
			_, err := q.enqueue(t.Context())
			require.NoError(t, err)
			_, err = q.remove(t.Context(), 1)
			return err
		},
	} {
		require.ErrorContains(t, call(), "partitions", name)
	}
}

// meet lets n requests of a plan begin before any of them goes on.
func (f *fixture) meet(plan string, n int) {
	var arrived atomic.Int64
	together := make(chan struct{})
	f.tap.Before(func(ctx context.Context, r cqltest.Request) error {
		if r.Plan != plan {
			return nil
		}
		if arrived.Add(1) == int64(n) {
			close(together)
			f.tap.Before(nil)
		}
		select {
		case <-together:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func enqueueAtOnce(t *testing.T, db *database) {
	f := newFixture(t, db)
	q, err := f.factory.NewQueue(p.NamespaceReplicationQueueType)
	require.NoError(t, err)
	const writers = 3
	f.meet("EnqueueMessage", writers)
	refused := 0
	for _, err := range atOnce(writers, func(int) error { return q.EnqueueMessage(t.Context(), someText("message")) }) {
		if err != nil {
			_ = storetest.Bare[*p.ConditionFailedError](t, err)
			refused++
		}
	}
	require.Equal(t, writers-1, refused, "one message has the next id")
	messages, err := q.ReadMessages(t.Context(), p.EmptyQueueMessageID, 10)
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Zero(t, messages[0].ID)
}

func initAtOnce(t *testing.T, db *database) {
	f := newFixture(t, db)
	q, err := f.factory.NewQueue(p.NamespaceReplicationQueueType)
	require.NoError(t, err)
	blob, err := serialization.NewSerializer().QueueMetadataToBlob(&persistencespb.QueueMetadata{})
	require.NoError(t, err)
	for _, err := range atOnce(3, func(int) error { return q.Init(t.Context(), blob) }) {
		require.NoError(t, err)
	}
	levels, err := q.GetAckLevels(t.Context())
	require.NoError(t, err)
	require.Zero(t, levels.Version)
	_, err = q.GetDLQAckLevels(t.Context())
	require.NoError(t, err)
}

func queueV2EnqueueAtOnce(t *testing.T, db *database) {
	q := newQueues(t, db)
	q.create(t)
	const writers = 3
	q.meet("EnqueueMessageV2", writers)
	refused := 0
	for _, err := range atOnce(writers, func(int) error { _, err := q.enqueue(t.Context()); return err }) {
		if err != nil {
			require.ErrorIs(t, err, store.ErrEnqueueConflict)
			require.ErrorContains(t, err, oneQueue)
			refused++
		}
	}
	require.Equal(t, writers-1, refused)
	require.Equal(t, []int64{0}, q.ids(t))
}

// queueV2DeleteAtOnce has two deletions meet before they move the queue's
// beginning: whichever is first, the other is refused, and when it is made again
// the queue begins after the longer one.
func queueV2DeleteAtOnce(t *testing.T, db *database) {
	for name, first := range map[string]int64{"the shorter one first": 0, "the longer one first": 1} {
		t.Run(name, func(t *testing.T) {
			q := newQueues(t, db)
			q.fill(t, 3)
			second := 1 - first
			raced := false
			q.tap.Before(func(ctx context.Context, r cqltest.Request) error {
				if r.Plan == "UpdateQueueV2" && !raced {
					raced = true
					_, err := q.remove(ctx, first)
					require.NoError(t, err)
				}
				return nil
			})
			_, err := q.remove(t.Context(), second)
			q.tap.Before(nil)
			require.ErrorIs(t, err, store.ErrQueueUpdateConflict)
			require.ErrorAs(t, err, new(*p.ConditionFailedError))
			require.ErrorContains(t, err, oneQueue)
			_, err = q.remove(t.Context(), second)
			require.NoError(t, err)
			require.Equal(t, []int64{2}, q.ids(t))
			require.Equal(t, 1, q.rows(t))
		})
	}
}

func queueV2ReadsFromFirst(t *testing.T, db *database) {
	q := newQueues(t, db)
	q.fill(t, 2)
	_, err := q.remove(t.Context(), 0)
	require.NoError(t, err)
	q.take()
	require.Equal(t, []int64{1}, q.ids(t))
	for _, e := range q.take() {
		if e.Plan == "ReadQueueV2Messages" {
			require.Equal(t, []any{int64(q.kind), oneQueue, int64(0), int64(1), int64(100)}, e.Args, "it walks over what was deleted")
			return
		}
	}
	t.Fatal("no messages were read")
}

func queueV2RepeatedDeletes(t *testing.T, db *database) {
	q := newQueues(t, db)
	q.fill(t, 3)
	for id := range int64(3) {
		n, err := q.remove(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
	}
	require.Equal(t, 1, q.rows(t), "the last message stays, to tell the next id; those before it go")
	require.Empty(t, q.ids(t))
	n, err := q.remove(t.Context(), 100)
	require.NoError(t, err)
	require.Zero(t, n)
	id, err := q.enqueue(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), id)
	list, err := q.list(t.Context())
	require.NoError(t, err)
	require.Equal(t, []p.QueueInfo{{QueueName: oneQueue, MessageCount: 1, LastMessageID: 3}}, list.Queues)
}

// queueV2DeletesPastTheEnd: a delete may name messages that do not exist yet; they
// are not deleted when they come.
func queueV2DeletesPastTheEnd(t *testing.T, db *database) {
	q := newQueues(t, db)
	q.fill(t, 3)
	n, err := q.remove(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	require.Empty(t, q.ids(t))
	id, err := q.enqueue(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(3), id)
	require.Equal(t, []int64{3}, q.ids(t))
}

func queueV2ListsOneType(t *testing.T, db *database) {
	q, other := newQueues(t, db), newQueues(t, db)
	const many = 7
	for i := range many {
		for _, kind := range []p.QueueV2Type{q.kind, other.kind} {
			_, err := q.CreateQueue(t.Context(), &p.InternalCreateQueueRequest{QueueType: kind, QueueName: fmt.Sprintf("%d of %d", i, kind)})
			require.NoError(t, err)
		}
	}
	seen := map[string]bool{}
	r := &p.InternalListQueuesRequest{QueueType: q.kind, PageSize: 3}
	for {
		page, err := q.ListQueues(t.Context(), r)
		require.NoError(t, err)
		for _, info := range page.Queues {
			require.False(t, seen[info.QueueName], "%s is listed twice", info.QueueName)
			seen[info.QueueName] = true
			require.Equal(t, int64(-1), info.LastMessageID)
		}
		if r.NextPageToken = page.NextPageToken; len(r.NextPageToken) == 0 {
			break
		}
		require.Len(t, page.Queues, 3, "pages are full as long as there is more")
	}
	for i := range many {
		require.True(t, seen[fmt.Sprintf("%d of %d", i, q.kind)])
	}
	require.Len(t, seen, many)
}
