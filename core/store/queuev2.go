package store

import (
	"bytes"
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// firstPartition is the only partition that queues have so far.
const firstPartition int64 = 0

// The causes inside the errors of writes that met another one. Callers find
// them with errors.Is, or as *persistence.ConditionFailedError with errors.As.
var (
	// ErrEnqueueConflict: somebody else has just appended a message. Ids are
	// taken one after the other from the last stored message, so that they
	// become visible in order and without gaps.
	ErrEnqueueConflict = &p.ConditionFailedError{Msg: "a message was appended at the same time, try again"}
	// ErrQueueUpdateConflict: somebody else has just changed the queue's row.
	ErrQueueUpdateConflict = &p.ConditionFailedError{Msg: "the queue was changed at the same time, try again"}
)

var (
	readQueueV2 = &plan.Read{
		Name: "GetQueueV2", Table: plan.QueuesV2, Eq: 2,
		Columns: []*plan.Column{plan.QueueV2Metadata, plan.QueueV2Version},
	}
	listQueuesV2 = &plan.Read{
		Name: "ListQueuesV2", Table: plan.QueuesV2, Eq: 1,
		Columns: []*plan.Column{plan.QueueV2Name, plan.QueueV2Metadata, plan.QueueV2Version},
	}
	readLastMessageV2 = &plan.Read{
		Name: "GetLastQueueV2Message", Table: plan.QueueV2Messages, Eq: 3, Desc: true, Limit: 1,
		Columns: []*plan.Column{plan.MessageID},
	}
	readMessagesV2 = &plan.Read{
		Name: "ReadQueueV2Messages", Table: plan.QueueV2Messages, Eq: 3, Limit: plan.LimitArg,
		Columns: []*plan.Column{plan.MessageID, plan.MessagePayload},
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
	}
)

// QueueV2 implements persistence.QueueV2: named queues of messages with ids that
// are dense from 0 and never given twice. To that end the last message of a queue
// is never deleted; the queue's row says from which message on it is read. It is
// safe for concurrent use.
type QueueV2 struct {
	ex exec.Executor
}

var _ p.QueueV2 = (*QueueV2)(nil)

// NewQueueV2 returns a store over ex, which it does not own.
func NewQueueV2(ex exec.Executor) (*QueueV2, error) {
	if err := ex.Compile(readQueueV2, listQueuesV2, readLastMessageV2, readMessagesV2); err != nil {
		return nil, err
	}
	return &QueueV2{ex: ex}, nil
}

// queueV2ID names a queue.
type queueV2ID struct {
	kind p.QueueV2Type
	name string
}

func (id queueV2ID) key() []any { return []any{int64(id.kind), id.name} }

func (id queueV2ID) messages() []any { return []any{int64(id.kind), id.name, firstPartition} }

func (id queueV2ID) String() string {
	return fmt.Sprintf("queue type %v and name %v", id.kind, id.name)
}

// queueV2Row is what is stored of a queue.
type queueV2Row struct {
	metadata *persistencespb.Queue
	version  int64
}

// CreateQueue creates a queue, or returns an error around
// persistence.ErrQueueAlreadyExists.
func (q *QueueV2) CreateQueue(
	ctx context.Context, request *p.InternalCreateQueueRequest,
) (*p.InternalCreateQueueResponse, error) {
	id := queueV2ID{request.QueueType, request.QueueName}
	metadata, err := queueV2Blob(&persistencespb.Queue{
		Partitions: map[int32]*persistencespb.QueuePartition{
			int32(firstPartition): {MinMessageId: p.FirstQueueMessageID},
		},
	})
	if err != nil {
		return nil, err
	}
	err = q.ex.Write(ctx, &plan.Write{
		Name: "CreateQueue", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueuesV2, Op: plan.Insert, Key: id.key(),
			Conds: []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueV2Metadata, Value: metadata},
				{Op: plan.Set, Column: plan.QueueV2Version, Value: int64(0)},
			},
		}},
	})
	if err != nil {
		return nil, writeError(err, func(*plan.Conflict) error {
			return fmt.Errorf("%w: %v", p.ErrQueueAlreadyExists, id)
		})
	}
	return &p.InternalCreateQueueResponse{}, nil
}

// EnqueueMessage appends a message to a queue, which must exist. The error is
// one around ErrEnqueueConflict if somebody else was faster.
func (q *QueueV2) EnqueueMessage(
	ctx context.Context, request *p.InternalEnqueueMessageRequest,
) (*p.InternalEnqueueMessageResponse, error) {
	id := queueV2ID{request.QueueType, request.QueueName}
	if _, err := q.get(ctx, id); err != nil {
		return nil, err
	}
	last, _, err := q.last(ctx, id)
	if err != nil {
		return nil, err
	}
	next := last + 1
	err = q.ex.Write(ctx, &plan.Write{
		Name: "EnqueueMessageV2", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueueV2Messages, Op: plan.Insert, Key: append(id.messages(), next),
			Conds:   []plan.Cond{{Test: plan.RowAbsent}},
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.MessagePayload, Value: toBlob(request.Blob)}},
		}},
	})
	if err != nil {
		return nil, writeError(err, func(*plan.Conflict) error {
			return fmt.Errorf("%w: %v already has a message with ID %v", ErrEnqueueConflict, id, next)
		})
	}
	return &p.InternalEnqueueMessageResponse{Metadata: p.MessageMetadata{ID: next}}, nil
}

// ReadMessages returns up to PageSize messages, from the queue's first one or
// after the last one of the page that NextPageToken came with. There is a token
// as long as there were messages.
func (q *QueueV2) ReadMessages(
	ctx context.Context, request *p.InternalReadMessagesRequest,
) (*p.InternalReadMessagesResponse, error) {
	id := queueV2ID{request.QueueType, request.QueueName}
	row, err := q.get(ctx, id)
	if err != nil {
		return nil, err
	}
	if request.PageSize <= 0 {
		return nil, p.ErrNonPositiveReadQueueMessagesPageSize
	}
	from, err := p.GetMinMessageIDToReadForQueueV2(id.kind, id.name, request.NextPageToken, row.metadata)
	if err != nil {
		return nil, err
	}
	var messages []p.QueueV2Message
	page := plan.Page{Size: request.PageSize}
	for {
		some, token, err := q.read(ctx, id, page, from, int64(request.PageSize))
		if err != nil {
			return nil, err
		}
		messages = append(messages, some...)
		if len(messages) >= request.PageSize || token == nil {
			break
		}
		page.Token = token // the server cut the page short
	}
	return &p.InternalReadMessagesResponse{
		Messages: messages, NextPageToken: p.GetNextPageTokenForReadMessages(messages),
	}, nil
}

func (q *QueueV2) read(
	ctx context.Context, id queueV2ID, page plan.Page, from, limit int64,
) (messages []p.QueueV2Message, token []byte, _ error) {
	rows, err := q.ex.Read(ctx, readMessagesV2, page, append(id.messages(), from, limit)...)
	if err != nil {
		return nil, nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		payload := rows.Blob(1)
		encoding, err := enumspb.EncodingTypeFromString(payload.Encoding)
		if err != nil {
			return nil, nil, serialization.NewUnknownEncodingTypeError(payload.Encoding)
		}
		messages = append(messages, p.QueueV2Message{
			MetaData: p.MessageMetadata{ID: rows.Int(0)},
			Data:     &commonpb.DataBlob{EncodingType: encoding, Data: payload.Data},
		})
	}
	token = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, nil, readError(err)
	}
	return messages, token, nil
}

// RangeDeleteMessages deletes the messages up to and with an id. Cut short, or
// beaten by another (an error around ErrQueueUpdateConflict), it may have deleted
// messages without moving on where the queue begins: the same call again does.
func (q *QueueV2) RangeDeleteMessages(
	ctx context.Context, request *p.InternalRangeDeleteMessagesRequest,
) (*p.InternalRangeDeleteMessagesResponse, error) {
	upTo := request.InclusiveMaxMessageMetadata.ID
	if upTo < p.FirstQueueMessageID {
		return nil, fmt.Errorf("%w: id is %d but must be >= %d", p.ErrInvalidQueueRangeDeleteMaxMessageID, upTo, p.FirstQueueMessageID)
	}
	id := queueV2ID{request.QueueType, request.QueueName}
	row, err := q.get(ctx, id)
	if err != nil {
		return nil, err
	}
	partition, err := p.GetPartitionForQueueV2(id.kind, id.name, row.metadata)
	if err != nil {
		return nil, err
	}
	last, found, err := q.last(ctx, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return &p.InternalRangeDeleteMessagesResponse{}, nil
	}
	span, some := p.GetDeleteRange(p.DeleteRequest{
		LastIDToDeleteInclusive: upTo,
		ExistingMessageRange:    p.InclusiveMessageRange{MinMessageID: partition.MinMessageId, MaxMessageID: last},
	})
	if !some {
		return &p.InternalRangeDeleteMessagesResponse{}, nil
	}
	if err := q.deleteMessages(ctx, id, span); err != nil {
		return nil, err
	}
	partition.MinMessageId = span.NewMinMessageID
	if err := q.update(ctx, id, row); err != nil {
		return nil, err
	}
	return &p.InternalRangeDeleteMessagesResponse{MessagesDeleted: span.MessagesToDelete}, nil
}

func (q *QueueV2) deleteMessages(ctx context.Context, id queueV2ID, span p.DeleteRange) error {
	err := q.ex.Write(ctx, &plan.Write{
		Name: "RangeDeleteMessages", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueueV2Messages, Op: plan.DeleteRange, Key: id.messages(),
			From: plan.Bound{Compare: plan.GreaterOrEqual, Values: []any{span.MinMessageID}},
			To:   plan.Bound{Compare: plan.LessOrEqual, Values: []any{span.MaxMessageID}},
		}},
	})
	return writeError(err, nil)
}

// update stores the queue's row if it still has the version that was read.
func (q *QueueV2) update(ctx context.Context, id queueV2ID, row *queueV2Row) error {
	metadata, err := queueV2Blob(row.metadata)
	if err != nil {
		return err
	}
	err = q.ex.Write(ctx, &plan.Write{
		Name: "UpdateQueueV2", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.QueuesV2, Op: plan.Update, Key: id.key(),
			Conds: []plan.Cond{{Test: plan.Equal, Column: plan.QueueV2Version, Value: row.version}},
			Effects: []plan.Effect{
				{Op: plan.Set, Column: plan.QueueV2Metadata, Value: metadata},
				{Op: plan.Set, Column: plan.QueueV2Version, Value: row.version + 1},
			},
		}},
	})
	return writeError(err, func(*plan.Conflict) error {
		return fmt.Errorf("%w: %v", ErrQueueUpdateConflict, id)
	})
}

// endOfQueues is the token of the empty page after a full one. A full page always
// has a token, so that a caller who sends on what it got (as Temporal's suite
// does) never begins again.
var endOfQueues = []byte("end")

// ListQueues returns one page of the queues of a type, in no particular order,
// each with how many messages it has and the id of the last one (-1: none ever).
func (q *QueueV2) ListQueues(
	ctx context.Context, request *p.InternalListQueuesRequest,
) (*p.InternalListQueuesResponse, error) {
	if request.PageSize <= 0 {
		return nil, p.ErrNonPositiveListQueuesPageSize
	}
	response := &p.InternalListQueuesResponse{}
	if bytes.Equal(request.NextPageToken, endOfQueues) {
		return response, nil
	}
	page := plan.Page{Token: request.NextPageToken}
	for {
		// A server that has to look at the queues of every type may give fewer
		// rows than were asked for, or none, before it has looked at all.
		page.Size = request.PageSize - len(response.Queues)
		var err error
		if page.Token, err = q.list(ctx, request.QueueType, page, response); err != nil {
			return nil, err
		}
		switch full := len(response.Queues) >= request.PageSize; {
		case full && page.Token == nil:
			response.NextPageToken = endOfQueues
			return response, nil
		case full || page.Token == nil:
			response.NextPageToken = page.Token
			return response, nil
		}
	}
}

func (q *QueueV2) list(
	ctx context.Context, kind p.QueueV2Type, page plan.Page, response *p.InternalListQueuesResponse,
) (token []byte, _ error) {
	rows, err := q.ex.Read(ctx, listQueuesV2, page, int64(kind))
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		id := queueV2ID{kind, rows.Text(0)}
		row, err := decodeQueueV2(id, rows.Blob(1), rows.Int(2))
		if err != nil {
			return nil, err
		}
		partition, err := p.GetPartitionForQueueV2(id.kind, id.name, row.metadata)
		if err != nil {
			return nil, err
		}
		last, found, err := q.last(ctx, id)
		if err != nil {
			return nil, err
		}
		info := p.QueueInfo{QueueName: id.name, LastMessageID: last}
		if found {
			info.MessageCount = last - partition.MinMessageId + 1
		}
		response.Queues = append(response.Queues, info)
	}
	token = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return token, nil
}

// get reads a queue's row, or returns persistence.NewQueueNotFoundError.
func (q *QueueV2) get(ctx context.Context, id queueV2ID) (*queueV2Row, error) {
	row, found, err := exec.One(ctx, q.ex, readQueueV2, id.key()...)
	if err != nil {
		return nil, readError(err)
	}
	if !found {
		return nil, p.NewQueueNotFoundError(id.kind, id.name)
	}
	return decodeQueueV2(id, row.Blob(0), row.Int(1))
}

// last returns the id of the last message; without any, -1 and false.
func (q *QueueV2) last(ctx context.Context, id queueV2ID) (last int64, found bool, _ error) {
	row, found, err := exec.One(ctx, q.ex, readLastMessageV2, id.messages()...)
	if err != nil {
		return 0, false, readError(err)
	}
	if !found {
		return p.FirstQueueMessageID - 1, false, nil
	}
	return row.Int(0), true, nil
}

func decodeQueueV2(id queueV2ID, blob plan.Blob, version int64) (*queueV2Row, error) {
	if blob.Encoding != enumspb.ENCODING_TYPE_PROTO3.String() {
		return nil, fmt.Errorf("%w: metadata of %v",
			serialization.NewUnknownEncodingTypeError(blob.Encoding, enumspb.ENCODING_TYPE_PROTO3), id)
	}
	metadata := &persistencespb.Queue{}
	if err := metadata.Unmarshal(blob.Data); err != nil {
		return nil, serialization.NewDeserializationError(enumspb.ENCODING_TYPE_PROTO3,
			fmt.Errorf("%w: metadata of %v", err, id))
	}
	return &queueV2Row{metadata: metadata, version: version}, nil
}

func queueV2Blob(metadata *persistencespb.Queue) (plan.Blob, error) {
	data, err := metadata.Marshal()
	if err != nil {
		return plan.Blob{}, serialization.NewSerializationError(enumspb.ENCODING_TYPE_PROTO3, err)
	}
	return plan.Blob{Data: data, Encoding: enumspb.ENCODING_TYPE_PROTO3.String()}, nil
}
