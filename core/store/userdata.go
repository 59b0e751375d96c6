package store

import (
	"context"
	"maps"
	"slices"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

var (
	readUserData = &plan.Read{
		Name: "GetTaskQueueUserData", Table: plan.UserData, Eq: 2,
		Columns: []*plan.Column{plan.UserDataBlob, plan.UserDataVersion},
	}
	listUserData = &plan.Read{
		Name: "ListTaskQueueUserDataEntries", Table: plan.UserData, Eq: 1,
		Columns: []*plan.Column{plan.QueueName, plan.UserDataBlob, plan.UserDataVersion},
	}
	readBuildID = &plan.Read{
		Name: "GetTaskQueuesByBuildId", Table: plan.BuildIDs, Eq: 2,
		Columns: []*plan.Column{plan.QueueName},
	}
	countBuildID = &plan.Read{
		Name: "CountTaskQueuesByBuildId", Table: plan.BuildIDs, Eq: 2, Count: true,
	}

	userDataReads = []*plan.Read{readUserData, listUserData, readBuildID, countBuildID}
)

// userDataStore is the part of a TaskStore that does not depend on its kind:
// versioning data of task queues, and which queues know a build id.
type userDataStore struct {
	ex exec.Executor
}

// GetTaskQueueUserData returns a queue's user data, or *serviceerror.NotFound.
func (s *userDataStore) GetTaskQueueUserData(
	ctx context.Context, request *p.GetTaskQueueUserDataRequest,
) (*p.InternalGetTaskQueueUserDataResponse, error) {
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return nil, invalid("GetTaskQueueUserData", err)
	}
	key := []any{namespace, request.TaskQueue}
	row, found, err := exec.One(ctx, s.ex, readUserData, key...)
	switch {
	case err != nil:
		return nil, readError(err)
	case !found:
		return nil, notFound("GetTaskQueueUserData", rowKey(plan.UserData, key))
	case row.Null(0) || row.Null(1):
		return nil, malformed("GetTaskQueueUserData", rowKey(plan.UserData, key), "has no data or no version")
	}
	return &p.InternalGetTaskQueueUserDataResponse{UserData: fromBlob(row.Blob(0)), Version: row.Int(1)}, nil
}

// UpdateTaskQueueUserData stores the user data of several queues and their build
// ids, all or nothing: each queue must have the version that its update names (0:
// none yet), and gets the next one. Otherwise it returns
// *persistence.ConditionFailedError, and Conflicting is set for those queues
// that are known to have another version, and for no other. Applied is always
// set: true means that the update was certainly stored.
func (s *userDataStore) UpdateTaskQueueUserData(
	ctx context.Context, request *p.InternalUpdateTaskQueueUserDataRequest,
) error {
	applied := false
	defer func() {
		for _, update := range request.Updates {
			if update.Applied != nil {
				*update.Applied = applied
			}
		}
	}()
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return invalid("UpdateTaskQueueUserData", err)
	}
	w := &plan.Write{Name: "UpdateTaskQueueUserData", Scope: plan.Atomic}
	queues := slices.Sorted(maps.Keys(request.Updates))
	for _, queue := range queues {
		w.Mutations = append(w.Mutations, userDataMutation(namespace, queue, request.Updates[queue]))
	}
	for _, queue := range queues {
		w.Mutations = append(w.Mutations, buildIDMutations(namespace, queue, request.Updates[queue])...)
	}
	if err := s.ex.Write(ctx, w); err != nil {
		if c := refusedBy(err); c != nil {
			flagConflicts(c, queues, request.Updates)
		}
		return writeError(err, nil)
	}
	applied = true
	return nil
}

func userDataMutation(namespace [16]byte, queue string, update *p.InternalSingleTaskQueueUserDataUpdate) plan.Mutation {
	m := plan.Mutation{
		Table: plan.UserData, Op: plan.Update, Key: []any{namespace, queue},
		Conds: []plan.Cond{{Test: plan.Equal, Column: plan.UserDataVersion, Value: update.Version}},
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.UserDataBlob, Value: toBlob(update.UserData)},
			{Op: plan.Set, Column: plan.UserDataVersion, Value: update.Version + 1},
		},
	}
	if update.Version == 0 {
		m.Op = plan.Insert
		m.Conds = []plan.Cond{{Test: plan.RowAbsent}}
		m.Show = []*plan.Column{plan.UserDataVersion}
	}
	return m
}

// buildIDMutations changes the index. A build id that is both added and removed
// ends up removed, as with the server's own stores.
func buildIDMutations(namespace [16]byte, queue string, update *p.InternalSingleTaskQueueUserDataUpdate) []plan.Mutation {
	ops := make(map[string]plan.Op, len(update.BuildIdsAdded)+len(update.BuildIdsRemoved))
	for _, id := range update.BuildIdsAdded {
		ops[id] = plan.Insert
	}
	for _, id := range update.BuildIdsRemoved {
		ops[id] = plan.Delete
	}
	mutations := make([]plan.Mutation, 0, len(ops))
	for _, id := range slices.Sorted(maps.Keys(ops)) {
		mutations = append(mutations, plan.Mutation{Table: plan.BuildIDs, Op: ops[id], Key: []any{namespace, id, queue}})
	}
	return mutations
}

// flagConflicts marks the updates whose row was seen with another version than
// they expect. Mutation i of the write is that of queues[i].
func flagConflicts(c *plan.Conflict, queues []string, updates map[string]*p.InternalSingleTaskQueueUserDataUpdate) {
	for i, queue := range queues {
		update := updates[queue]
		if update.Conflicting == nil {
			continue
		}
		switch seen := c.Seen[i]; seen.Sight {
		case plan.Missing:
			*update.Conflicting = update.Version != 0
		case plan.Found:
			version, shown := seen.Values[plan.UserDataVersion]
			*update.Conflicting = update.Version == 0 || shown && version != update.Version
		case plan.Unseen: // nothing is known of it
		}
	}
}

// ListTaskQueueUserDataEntries returns one page of a namespace's user data, by
// queue name.
func (s *userDataStore) ListTaskQueueUserDataEntries(
	ctx context.Context, request *p.ListTaskQueueUserDataEntriesRequest,
) (*p.InternalListTaskQueueUserDataEntriesResponse, error) {
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return nil, invalid("ListTaskQueueUserDataEntries", err)
	}
	rows, err := s.ex.Read(ctx, listUserData, plan.Page{Size: request.PageSize, Token: request.NextPageToken}, namespace)
	if err != nil {
		return nil, readError(err)
	}
	defer func() { _ = rows.Close() }()
	response := &p.InternalListTaskQueueUserDataEntriesResponse{}
	for rows.Next() {
		if rows.Null(1) || rows.Null(2) {
			key := rowKey(plan.UserData, []any{namespace, rows.Text(0)})
			return nil, malformed("ListTaskQueueUserDataEntries", key, "has no data or no version")
		}
		response.Entries = append(response.Entries, p.InternalTaskQueueUserDataEntry{
			TaskQueue: rows.Text(0), Data: fromBlob(rows.Blob(1)), Version: rows.Int(2),
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	return response, nil
}

// GetTaskQueuesByBuildId returns all queues of a namespace that know a build id.
func (s *userDataStore) GetTaskQueuesByBuildId(
	ctx context.Context, request *p.GetTaskQueuesByBuildIdRequest,
) ([]string, error) {
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return nil, invalid("GetTaskQueuesByBuildId", err)
	}
	var queues []string
	var page plan.Page
	for {
		rows, err := s.ex.Read(ctx, readBuildID, page, namespace, request.BuildID)
		if err != nil {
			return nil, readError(err)
		}
		for rows.Next() {
			queues = append(queues, rows.Text(0))
		}
		page.Token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, readError(err)
		}
		if page.Token == nil {
			return queues, nil
		}
	}
}

// CountTaskQueuesByBuildId returns how many queues of a namespace know a build id.
func (s *userDataStore) CountTaskQueuesByBuildId(
	ctx context.Context, request *p.CountTaskQueuesByBuildIdRequest,
) (int, error) {
	namespace, err := parseUUID("namespace ID", request.NamespaceID)
	if err != nil {
		return 0, invalid("CountTaskQueuesByBuildId", err)
	}
	row, found, err := exec.One(ctx, s.ex, countBuildID, namespace, request.BuildID)
	if err != nil {
		return 0, readError(err)
	}
	if !found {
		return 0, nil
	}
	return int(row.Int(0)), nil
}
