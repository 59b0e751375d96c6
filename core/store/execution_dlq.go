package store

import (
	"context"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// The replication DLQ: tasks from another cluster that could not be applied,
// by shard and source cluster.
var (
	readDLQ = &plan.Read{
		Name: "GetReplicationTasksFromDLQ", Table: plan.ReplicationDLQ, Eq: 2,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
		Columns: []*plan.Column{plan.DLQTaskID, plan.DLQTask},
	}
	peekDLQ = &plan.Read{
		Name: "IsReplicationDLQEmpty", Table: plan.ReplicationDLQ, Eq: 2,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		Limit:   1,
		Columns: []*plan.Column{plan.DLQTaskID},
	}
)

// PutReplicationTaskToDLQ stores a task. Storing it again replaces it.
func (s *ExecutionStore) PutReplicationTaskToDLQ(ctx context.Context, request *p.PutReplicationTaskToDLQRequest) error {
	blob, err := s.serializer.ReplicationTaskInfoToBlob(request.TaskInfo)
	if err != nil {
		return err
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: "PutReplicationTaskToDLQ", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.ReplicationDLQ, Op: plan.Insert,
			Key:     dlqKey(request.ShardID, request.SourceClusterName, request.TaskInfo.GetTaskId()),
			Effects: []plan.Effect{{Op: plan.Set, Column: plan.DLQTask, Value: toBlob(blob)}},
		}},
	})
	return writeError(err, nil)
}

// GetReplicationTasksFromDLQ returns a page of tasks between the given task IDs.
func (s *ExecutionStore) GetReplicationTasksFromDLQ(
	ctx context.Context, request *p.GetReplicationTasksFromDLQRequest,
) (*p.InternalGetReplicationTasksFromDLQResponse, error) {
	return s.readTasks(ctx, readDLQ, plan.Page{Size: request.BatchSize, Token: request.NextPageToken},
		int64(request.ShardID), request.SourceClusterName,
		request.InclusiveMinTaskKey.TaskID, request.ExclusiveMaxTaskKey.TaskID)
}

// DeleteReplicationTaskFromDLQ deletes one task.
func (s *ExecutionStore) DeleteReplicationTaskFromDLQ(
	ctx context.Context, request *p.DeleteReplicationTaskFromDLQRequest,
) error {
	err := s.ex.Write(ctx, &plan.Write{
		Name: "DeleteReplicationTaskFromDLQ", Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.ReplicationDLQ, Op: plan.Delete,
			Key: dlqKey(request.ShardID, request.SourceClusterName, request.TaskKey.TaskID),
		}},
	})
	return writeError(err, nil)
}

// RangeDeleteReplicationTaskFromDLQ deletes the tasks between the given task IDs.
func (s *ExecutionStore) RangeDeleteReplicationTaskFromDLQ(
	ctx context.Context, request *p.RangeDeleteReplicationTaskFromDLQRequest,
) error {
	return s.deleteRange(ctx, "RangeDeleteReplicationTaskFromDLQ", plan.ReplicationDLQ,
		[]any{int64(request.ShardID), request.SourceClusterName},
		request.InclusiveMinTaskKey.TaskID, request.ExclusiveMaxTaskKey.TaskID)
}

// IsReplicationDLQEmpty tells whether there is no task from the given task ID
// on; the request's upper key does not count.
func (s *ExecutionStore) IsReplicationDLQEmpty(
	ctx context.Context, request *p.GetReplicationTasksFromDLQRequest,
) (bool, error) {
	rows, err := s.ex.Read(ctx, peekDLQ, plan.Page{Size: 1},
		int64(request.ShardID), request.SourceClusterName, request.InclusiveMinTaskKey.TaskID)
	if err != nil {
		return false, readError(err)
	}
	found := rows.Next()
	if err := rows.Close(); err != nil {
		return false, readError(err)
	}
	return !found, nil
}

func dlqKey(shard int32, cluster string, task int64) []any {
	return []any{int64(shard), cluster, task}
}
