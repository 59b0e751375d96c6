package store

import (
	"context"
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

func newQueue(t testing.TB, ex exec.Executor) *Queue {
	t.Helper()
	q, err := NewQueue(ex, p.NamespaceReplicationQueueType, serialization.NewSerializer())
	require.NoError(t, err)
	return q
}

func ackLevels(t testing.TB, levels map[string]int64) *commonpb.DataBlob {
	t.Helper()
	b, err := serialization.NewSerializer().QueueMetadataToBlob(&persistencespb.QueueMetadata{ClusterAckLevels: levels})
	require.NoError(t, err)
	return b
}

// levelsText is metadata whose bytes are the same in every build; the
// serializer's are not.
func levelsText(text string) *commonpb.DataBlob {
	return &commonpb.DataBlob{Data: []byte(text), EncodingType: enumspb.ENCODING_TYPE_JSON}
}

func TestQueuePlans(t *testing.T) {
	r := newRecorder(cql.Traits{})
	q := newQueue(t, r)
	ctx := t.Context()
	require.NoError(t, q.Init(ctx, levelsText(`{}`)))
	for range 2 {
		require.NoError(t, q.EnqueueMessage(ctx, blob("message")))
	}
	_, err := q.EnqueueMessageToDLQ(ctx, blob("bad message"))
	require.NoError(t, err)
	_, err = q.ReadMessages(ctx, p.EmptyQueueMessageID, 5)
	require.NoError(t, err)
	_, _, err = q.ReadMessagesFromDLQ(ctx, -1, 7, 5, nil)
	require.NoError(t, err)
	require.NoError(t, q.DeleteMessagesBefore(ctx, 1))
	require.NoError(t, q.DeleteMessageFromDLQ(ctx, 0))
	require.NoError(t, q.RangeDeleteMessagesFromDLQ(ctx, -1, 7))
	require.NoError(t, q.UpdateAckLevel(ctx, &p.InternalQueueMetadata{Blob: levelsText(`{"clusterAckLevels":{"b":"2","a":"1"}}`)}))
	require.NoError(t, q.UpdateDLQAckLevel(ctx, &p.InternalQueueMetadata{Blob: levelsText(`{"clusterAckLevels":{"a":"3"}}`)}))
	_, err = q.GetAckLevels(ctx)
	require.NoError(t, err)
	_, err = q.GetDLQAckLevels(ctx)
	require.NoError(t, err)
	r.golden(t, "queue/calls")
}

func TestQueue(t *testing.T) {
	ctx := t.Context()
	state := memory.NewState()
	q := newQueue(t, memory.NewExecutor(state, cql.Traits{}))
	_, err := q.GetAckLevels(ctx)
	var absent *serviceerror.NotFound
	require.ErrorAs(t, err, &absent)

	require.NoError(t, q.Init(ctx, ackLevels(t, nil)))
	require.NoError(t, q.UpdateAckLevel(ctx, &p.InternalQueueMetadata{Blob: ackLevels(t, map[string]int64{"a": 1})}))
	was := state.Dump()
	require.NoError(t, q.Init(ctx, ackLevels(t, nil)), "init is idempotent")
	require.Equal(t, was, state.Dump())
	stale := q.UpdateAckLevel(ctx, &p.InternalQueueMetadata{Blob: ackLevels(t, map[string]int64{"a": 9})})
	_ = storetest.Bare[*p.ConditionFailedError](t, stale)
	got, err := q.GetAckLevels(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), got.Version)
	decoded, err := serialization.NewSerializer().QueueMetadataFromBlob(got.Blob)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"a": 1}, decoded.ClusterAckLevels)

	for range 4 {
		require.NoError(t, q.EnqueueMessage(ctx, blob("m")))
	}
	id, err := q.EnqueueMessageToDLQ(ctx, blob("bad"))
	require.NoError(t, err)
	require.Zero(t, id, "the dead letter queue has ids of its own")

	ids := func(last int64, count int) []int64 {
		messages, err := q.ReadMessages(ctx, last, count)
		require.NoError(t, err)
		var ids []int64
		for _, m := range messages {
			ids = append(ids, m.ID)
		}
		return ids
	}
	require.Equal(t, []int64{0, 1, 2}, ids(p.EmptyQueueMessageID, 3))
	require.Equal(t, []int64{2, 3}, ids(1, 3), "after the last one that was read")
	require.NoError(t, q.DeleteMessagesBefore(ctx, 2))
	require.Equal(t, []int64{2, 3}, ids(p.EmptyQueueMessageID, 10))
	messages, token, err := q.ReadMessagesFromDLQ(ctx, -1, 0, 10, nil)
	require.NoError(t, err)
	require.Nil(t, token)
	require.Len(t, messages, 1, "the queue's deletion does not touch its dead letters")
	require.Equal(t, "bad", string(messages[0].Data))
	require.NoError(t, q.RangeDeleteMessagesFromDLQ(ctx, 0, 5))
	messages, _, err = q.ReadMessagesFromDLQ(ctx, -1, 0, 10, nil)
	require.NoError(t, err)
	require.Len(t, messages, 1, "the first one is not part of the range")
}

// TestEnqueueAtOnce lets somebody append between the look at the last message
// and the insert.
func TestEnqueueAtOnce(t *testing.T) {
	state := memory.NewState()
	tap := cqltest.NewTap(memory.NewSession(state))
	q := newQueue(t, exec.New(tap, memory.NewDialect(cql.Traits{}), nil))
	other := newQueue(t, memory.NewExecutor(state, cql.Traits{}))
	raceFor("EnqueueMessage", tap, func() { require.NoError(t, other.EnqueueMessage(t.Context(), blob("other"))) })
	_ = storetest.Bare[*p.ConditionFailedError](t, q.EnqueueMessage(t.Context(), blob("mine")))
	require.NoError(t, q.EnqueueMessage(t.Context(), blob("mine")))
	messages, err := q.ReadMessages(t.Context(), p.EmptyQueueMessageID, 10)
	require.NoError(t, err)
	require.Len(t, messages, 2)
	require.Equal(t, "other", string(messages[0].Data))
	require.Equal(t, "mine", string(messages[1].Data))
}

func TestInitAtOnce(t *testing.T) {
	state := memory.NewState()
	tap := cqltest.NewTap(memory.NewSession(state))
	q := newQueue(t, exec.New(tap, memory.NewDialect(cql.Traits{}), nil))
	other := newQueue(t, memory.NewExecutor(state, cql.Traits{}))
	raceFor("InitQueue", tap, func() { require.NoError(t, other.Init(t.Context(), ackLevels(t, nil))) })
	require.NoError(t, q.Init(t.Context(), ackLevels(t, nil)))
}

func TestAckLevelsOfOtherWriters(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
	q := newQueue(t, ex)
	write := func(effects ...plan.Effect) {
		t.Helper()
		effects = append(effects, plan.Effect{Op: plan.Set, Column: plan.QueueMetadataVersion, Value: int64(3)})
		require.NoError(t, ex.Write(context.Background(), &plan.Write{Name: "other", Scope: plan.Atomic, Mutations: []plan.Mutation{
			{Table: plan.QueueMetadata, Op: plan.Insert, Key: []any{int64(1)}, Effects: effects},
		}}))
	}
	levels := func() map[string]int64 {
		t.Helper()
		got, err := q.GetAckLevels(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(3), got.Version)
		decoded, err := serialization.NewSerializer().QueueMetadataFromBlob(got.Blob)
		require.NoError(t, err)
		return decoded.ClusterAckLevels
	}
	write(plan.Effect{Op: plan.Set, Column: plan.QueueClusterAckLevel, Value: []plan.TextIntEntry{{Key: "a", Value: 4}}})
	require.Equal(t, map[string]int64{"a": 4}, levels(), "a row without the blob")
	write(plan.Effect{Op: plan.Set, Column: plan.QueueMetadataBlob, Value: toBlob(ackLevels(t, map[string]int64{"a": 1}))})
	require.Equal(t, map[string]int64{"a": 4}, levels(), "the column of levels is what stock servers read and write")
	write(plan.Effect{Op: plan.Set, Column: plan.QueueClusterAckLevel, Value: []plan.TextIntEntry{}})
	require.Equal(t, map[string]int64{"a": 1}, levels(), "a row without levels")
}

func TestQueueRequestsThatMakeNoSense(t *testing.T) {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{})
	_, err := NewQueue(ex, -1, serialization.NewSerializer())
	require.ErrorContains(t, err, "queue type -1")
	_, err = newQueue(t, ex).ReadMessages(t.Context(), 0, 0)
	_ = storetest.Bare[*p.InvalidPersistenceRequestError](t, err)
}
