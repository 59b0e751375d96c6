package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// userData is the user data of one namespace.
type userData struct {
	store     p.TaskStore
	namespace string
}

// change is an update of one queue's user data, and what was said of it.
type change struct {
	version              int64
	added, removed       []string
	applied, conflicting bool
}

func (u *userData) update(ctx context.Context, changes map[string]*change) error {
	r := &p.InternalUpdateTaskQueueUserDataRequest{
		NamespaceID: u.namespace, Updates: map[string]*p.InternalSingleTaskQueueUserDataUpdate{},
	}
	for queue, c := range changes {
		r.Updates[queue] = &p.InternalSingleTaskQueueUserDataUpdate{
			Version: c.version, UserData: someText("%s %d, write %d", queue, c.version+1, distinct.Add(1)),
			BuildIdsAdded: c.added, BuildIdsRemoved: c.removed, Applied: &c.applied, Conflicting: &c.conflicting,
		}
	}
	return u.store.UpdateTaskQueueUserData(ctx, r)
}

func (u *userData) version(t testing.TB, queue string) int64 {
	t.Helper()
	got, err := u.store.GetTaskQueueUserData(t.Context(), &p.GetTaskQueueUserDataRequest{NamespaceID: u.namespace, TaskQueue: queue})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(got.UserData.Data), fmt.Sprintf("%s %d, ", queue, got.Version)), "%s", got.UserData.Data)
	return got.Version
}

func (u *userData) knowing(t testing.TB, buildID string) []string {
	t.Helper()
	queues, err := u.store.GetTaskQueuesByBuildId(t.Context(), &p.GetTaskQueuesByBuildIdRequest{NamespaceID: u.namespace, BuildID: buildID})
	require.NoError(t, err)
	n, err := u.store.CountTaskQueuesByBuildId(t.Context(), &p.CountTaskQueuesByBuildIdRequest{NamespaceID: u.namespace, BuildID: buildID})
	require.NoError(t, err)
	require.Len(t, queues, n)
	return queues
}

func userDataConflicts(t *testing.T, s p.TaskStore, _ bool) {
	u := &userData{s, uuid.NewString()}
	a, b := &change{added: []string{"1.0"}}, &change{}
	require.NoError(t, u.update(t.Context(), map[string]*change{"a": a, "b": b}))
	require.True(t, a.applied && b.applied)

	tests := []struct {
		name    string
		a, b, c int64
		guilty  string
	}{
		{"another version", 1, 5, 0, "b"},
		{"one that exists", 0, 1, 0, "a"},
		{"one that does not exist", 1, 1, 3, "c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes := map[string]*change{
				"a": {version: tt.a, added: []string{"2.0"}, removed: []string{"1.0"}, applied: true},
				"b": {version: tt.b, applied: true}, "c": {version: tt.c, added: []string{"2.0"}, applied: true},
			}
			err := u.update(t.Context(), changes)
			_ = storetest.Bare[*p.ConditionFailedError](t, err)
			for queue, c := range changes {
				require.False(t, c.applied, "%s was applied", queue)
				require.Equal(t, queue == tt.guilty, c.conflicting, "%s is the guilty one, not %s", tt.guilty, queue)
			}
			require.Equal(t, int64(1), u.version(t, "a"))
			require.Equal(t, int64(1), u.version(t, "b"))
			require.Equal(t, []string{"a"}, u.knowing(t, "1.0"))
			require.Empty(t, u.knowing(t, "2.0"))
		})
	}

	changes := map[string]*change{
		"a": {version: 1, added: []string{"2.0"}, removed: []string{"1.0"}},
		"c": {added: []string{"2.0", "3.0", "3.0"}},
		"b": {version: 1, added: []string{"4.0"}, removed: []string{"4.0"}},
	}
	require.NoError(t, u.update(t.Context(), changes))
	for queue, c := range changes {
		require.True(t, c.applied && !c.conflicting, queue)
	}
	require.Empty(t, u.knowing(t, "1.0"))
	require.Equal(t, []string{"a", "c"}, u.knowing(t, "2.0"))
	require.Equal(t, []string{"c"}, u.knowing(t, "3.0"))
	require.Empty(t, u.knowing(t, "4.0"), "what is added and removed is removed")

	var queues []string
	var token []byte
	for {
		page, err := s.ListTaskQueueUserDataEntries(t.Context(), &p.ListTaskQueueUserDataEntriesRequest{
			NamespaceID: u.namespace, PageSize: 2, NextPageToken: token,
		})
		require.NoError(t, err)
		for _, e := range page.Entries {
			queues = append(queues, e.TaskQueue)
		}
		if token = page.NextPageToken; token == nil {
			break
		}
	}
	require.Equal(t, []string{"a", "b", "c"}, queues, "build ids are not among the queues")
}

// userDataRace has several hosts change two queues at once: each version is
// given once, and both queues always move together.
func userDataRace(t *testing.T, s p.TaskStore, _ bool) {
	u := &userData{s, uuid.NewString()}
	const hosts, changes = 4, 5
	var (
		mu      sync.Mutex
		applied int64
		bad     []error
		wg      sync.WaitGroup
	)
	for range hosts {
		wg.Go(func() {
			for done := 0; done < changes; {
				mu.Lock()
				version := applied
				mu.Unlock()
				a, b := &change{version: version}, &change{version: version}
				err := u.update(t.Context(), map[string]*change{"a": a, "b": b})
				var conflict *p.ConditionFailedError
				mu.Lock()
				switch {
				case err == nil:
					applied = max(applied, version+1)
					done++
				case !errors.As(err, &conflict):
					bad = append(bad, err)
					done = changes
				case !a.conflicting && !b.conflicting:
					// Somebody was faster, but by the time the rows were shown
					// nothing was left to see: an honest answer.
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Empty(t, bad)
	require.Equal(t, int64(hosts*changes), u.version(t, "a"))
	require.Equal(t, int64(hosts*changes), u.version(t, "b"))
}

func sharedUserData(t *testing.T, classic, fair p.TaskStore) {
	namespace := uuid.NewString()
	require.NoError(t, (&userData{classic, namespace}).update(t.Context(), map[string]*change{"a": {}}))
	require.Equal(t, int64(1), (&userData{fair, namespace}).version(t, "a"))
}
