package store

import (
	"context"
	"fmt"
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readLastMessage = &plan.Read{
		Name: "GetLastQueueMessage", Table: plan.QueueMessages, Eq: 1, Desc: true, Limit: 1,
		Columns: []*plan.Column{plan.MessageID},
	}
	readMessages = &plan.Read{
		Name: "ReadQueueMessages", Table: plan.QueueMessages, Eq: 1, Limit: plan.LimitArg,
		Columns: []*plan.Column{plan.MessageID, plan.MessagePayload},
		From:    plan.RangeEnd{Compare: plan.Greater, Width: 1},
	}
	readDLQMessages = &plan.Read{
		Name: "ReadDLQMessages", Table: plan.QueueMessages, Eq: 1,
		Columns: []*plan.Column{plan.MessageID, plan.MessagePayload},
		From:    plan.RangeEnd{Compare: plan.Greater, Width: 1},
		To:      plan.RangeEnd{Compare: plan.LessOrEqual, Width: 1},
	}
	readQueueMetadata = &plan.Read{
		Name: "GetQueueMetadata", Table: plan.QueueMetadata, Eq: 1,
		Columns: []*plan.Column{plan.QueueClusterAckLevel, plan.QueueMetadataBlob, plan.QueueMetadataVersion},
	}
)

// Queue implements persistence.Queue: one queue of messages with dense ids from
// 0, and the queue of those that could not be handled, which has the negative
// type. It is safe for concurrent use.
type Queue struct {
	ex         exec.Executor
	queue, dlq int64 // types
	serializer serialization.Serializer
}

var _ p.Queue = (*Queue)(nil)

// NewQueue returns the queue of a type, which must be positive, over ex, which
// it does not own.
func NewQueue(ex exec.Executor, queueType p.QueueType, serializer serialization.Serializer) (*Queue, error) {
	if queueType <= 0 {
		return nil, fmt.Errorf("queue type %d: queue types are positive, negative ones are their dead letter queues", queueType)
	}
	if err := ex.Compile(readLastMessage, readMessages, readDLQMessages, readQueueMetadata); err != nil {
		return nil, err
	}
	return &Queue{ex: ex, queue: int64(queueType), dlq: -int64(queueType), serializer: serializer}, nil
}

// Close does nothing: the session belongs to the factory.
func (q *Queue) Close() {}

// Init stores blob as the metadata of the queue and of its dead letter queue,
// where there is none. It may be called any number of times.
func (q *Queue) Init(ctx context.Context, blob *commonpb.DataBlob) error {
	for _, queue := range []int64{q.queue, q.dlq} {
		if err := q.init(ctx, queue, blob); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) init(ctx context.Context, queue int64, blob *commonpb.DataBlob) error {
	switch _, found, err := exec.One(ctx, q.ex, readQueueMetadata, queue); {
	case err != nil:
		return readError(err)
	case found:
		return nil
	}
	err := q.ex.Write(ctx, &plan.Write{
		Name: "InitQueue", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueueMetadata, Op: plan.Insert, Key: []any{queue},
			Conds: []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueClusterAckLevel, Value: []plan.TextIntEntry{}},
				{Op: plan.Set, Column: plan.QueueMetadataBlob, Value: toBlob(blob)},
				{Op: plan.Set, Column: plan.QueueMetadataVersion, Value: int64(0)},
			},
		}},
	})
	if exists(err) {
		return nil // somebody else was first
	}
	return writeError(err, nil)
}

// EnqueueMessage appends a message. If somebody else appends at the same time it
// returns *persistence.ConditionFailedError: worth another attempt. (Ids that
// were reserved before would become visible out of order, and readers skip them.)
func (q *Queue) EnqueueMessage(ctx context.Context, blob *commonpb.DataBlob) error {
	_, err := q.enqueue(ctx, "EnqueueMessage", q.queue, blob)
	return err
}

// EnqueueMessageToDLQ is EnqueueMessage for the dead letter queue. It returns
// the message's id.
func (q *Queue) EnqueueMessageToDLQ(ctx context.Context, blob *commonpb.DataBlob) (int64, error) {
	return q.enqueue(ctx, "EnqueueMessageToDLQ", q.dlq, blob)
}

func (q *Queue) enqueue(ctx context.Context, op string, queue int64, blob *commonpb.DataBlob) (int64, error) {
	id := p.EmptyQueueMessageID
	switch last, found, err := exec.One(ctx, q.ex, readLastMessage, queue); {
	case err != nil:
		return p.EmptyQueueMessageID, readError(err)
	case found:
		id = last.Int(0)
	}
	id++
	err := q.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueueMessages, Op: plan.Insert, Key: []any{queue, id},
			Conds:   []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.MessagePayload, Value: toBlob(blob)}},
		}},
	})
	if err != nil {
		return p.EmptyQueueMessageID, writeError(err, nil)
	}
	return id, nil
}

// ReadMessages returns up to maxCount messages after lastMessageID.
func (q *Queue) ReadMessages(ctx context.Context, lastMessageID int64, maxCount int) ([]*p.QueueMessage, error) {
	if maxCount <= 0 {
		return nil, invalid("ReadMessages", fmt.Errorf("the count is %d, it must be positive", maxCount))
	}
	var all []*p.QueueMessage
	page := plan.Page{Size: maxCount}
	for {
		some, token, err := q.read(ctx, readMessages, page, q.queue, lastMessageID, int64(maxCount))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(all) >= maxCount || token == nil {
			return all, nil
		}
		page.Token = token // the server cut the page short
	}
}

// ReadMessagesFromDLQ returns one page of the messages after firstMessageID, up
// to and with lastMessageID.
func (q *Queue) ReadMessagesFromDLQ(
	ctx context.Context, firstMessageID, lastMessageID int64, pageSize int, pageToken []byte,
) ([]*p.QueueMessage, []byte, error) {
	return q.read(ctx, readDLQMessages, plan.Page{Size: pageSize, Token: pageToken}, q.dlq, firstMessageID, lastMessageID)
}

func (q *Queue) read(
	ctx context.Context, read *plan.Read, page plan.Page, args ...any,
) (messages []*p.QueueMessage, token []byte, _ error) {
	rows, err := q.ex.Read(ctx, read, page, args...)
	if err != nil {
		return nil, nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if rows.Null(1) {
			return nil, nil, malformed(read.Name, rowKey(plan.QueueMessages, []any{args[0], rows.Int(0)}), "has no payload")
		}
		payload := rows.Blob(1)
		if payload.Encoding == "" {
			payload.Encoding = enumspb.ENCODING_TYPE_PROTO3.String() // rows older than the column
		}
		messages = append(messages, &p.QueueMessage{
			QueueType: p.QueueType(q.queue), ID: rows.Int(0), Data: payload.Data, Encoding: payload.Encoding,
		})
	}
	token = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, nil, readError(err)
	}
	return messages, token, nil
}

// DeleteMessagesBefore deletes the messages with ids less than messageID.
func (q *Queue) DeleteMessagesBefore(ctx context.Context, messageID int64) error {
	return q.delete(ctx, "DeleteMessagesBefore", plan.Mutation{
		Op: plan.DeleteRange, Key: []any{q.queue},
		To: plan.Bound{Compare: plan.Less, Values: []any{messageID}},
	})
}

// DeleteMessageFromDLQ deletes one message of the dead letter queue.
func (q *Queue) DeleteMessageFromDLQ(ctx context.Context, messageID int64) error {
	return q.delete(ctx, "DeleteMessageFromDLQ", plan.Mutation{Op: plan.Delete, Key: []any{q.dlq, messageID}})
}

// RangeDeleteMessagesFromDLQ deletes the messages after firstMessageID, up to
// and with lastMessageID.
func (q *Queue) RangeDeleteMessagesFromDLQ(ctx context.Context, firstMessageID, lastMessageID int64) error {
	return q.delete(ctx, "RangeDeleteMessagesFromDLQ", plan.Mutation{
		Op: plan.DeleteRange, Key: []any{q.dlq},
		From: plan.Bound{Compare: plan.Greater, Values: []any{firstMessageID}},
		To:   plan.Bound{Compare: plan.LessOrEqual, Values: []any{lastMessageID}},
	})
}

func (q *Queue) delete(ctx context.Context, op string, m plan.Mutation) error {
	m.Table = plan.QueueMessages
	return writeError(q.ex.Write(ctx, &plan.Write{Name: op, Scope: plan.Atomic, Mutations: []plan.Mutation{m}}), nil)
}

// UpdateAckLevel stores the queue's metadata if the stored version is that of
// the request, else it returns *persistence.ConditionFailedError.
func (q *Queue) UpdateAckLevel(ctx context.Context, metadata *p.InternalQueueMetadata) error {
	return q.updateMetadata(ctx, "UpdateAckLevel", q.queue, metadata)
}

// UpdateDLQAckLevel is UpdateAckLevel for the dead letter queue.
func (q *Queue) UpdateDLQAckLevel(ctx context.Context, metadata *p.InternalQueueMetadata) error {
	return q.updateMetadata(ctx, "UpdateDLQAckLevel", q.dlq, metadata)
}

// updateMetadata also writes the levels one by one into a column of their own:
// the server's Cassandra store reads that and nothing else.
func (q *Queue) updateMetadata(ctx context.Context, op string, queue int64, metadata *p.InternalQueueMetadata) error {
	decoded, err := q.serializer.QueueMetadataFromBlob(metadata.Blob)
	if err != nil {
		return err
	}
	levels := make([]plan.TextIntEntry, 0, len(decoded.GetClusterAckLevels()))
	for _, cluster := range slices.Sorted(maps.Keys(decoded.GetClusterAckLevels())) {
		levels = append(levels, plan.TextIntEntry{Key: cluster, Value: decoded.GetClusterAckLevels()[cluster]})
	}
	err = q.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueueMetadata, Op: plan.Update, Key: []any{queue},
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueMetadataVersion, Value: metadata.Version}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueClusterAckLevel, Value: levels},
				{Op: plan.Set, Column: plan.QueueMetadataBlob, Value: toBlob(metadata.Blob)},
				{Op: plan.Set, Column: plan.QueueMetadataVersion, Value: metadata.Version + 1},
			},
		}},
	})
	return writeError(err, nil)
}

// GetAckLevels returns the queue's metadata, or *serviceerror.NotFound.
func (q *Queue) GetAckLevels(ctx context.Context) (*p.InternalQueueMetadata, error) {
	return q.metadata(ctx, "GetAckLevels", q.queue)
}

// GetDLQAckLevels returns the dead letter queue's metadata, or
// *serviceerror.NotFound.
func (q *Queue) GetDLQAckLevels(ctx context.Context) (*p.InternalQueueMetadata, error) {
	return q.metadata(ctx, "GetDLQAckLevels", q.dlq)
}

func (q *Queue) metadata(ctx context.Context, op string, queue int64) (*p.InternalQueueMetadata, error) {
	row, found, err := exec.One(ctx, q.ex, readQueueMetadata, queue)
	key := rowKey(plan.QueueMetadata, []any{queue})
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, notFound(op, key)
	case row.Null(2):
		return nil, malformed(op, key, "has no version")
	}
	blob := fromBlob(row.Blob(1))
	if entries := row.TextInt(0); len(entries) > 0 || row.Null(1) {
		levels := make(map[string]int64, len(entries))
		for _, e := range entries {
			levels[e.Key] = e.Value
		}
		if blob, err = q.serializer.QueueMetadataToBlob(&persistencespb.QueueMetadata{ClusterAckLevels: levels}); err != nil {
			return nil, err
		}
	}
	return &p.InternalQueueMetadata{Blob: blob, Version: row.Int(2)}, nil
}
