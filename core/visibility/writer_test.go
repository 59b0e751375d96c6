package visibility

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

// newIdleWriter is a writer on a new file whose goroutine does not run, so that
// a test decides what is in a group.
func newIdleWriter(t *testing.T) *writer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "v.db")
	o := options{path: path, busyTimeout: time.Second, pragmas: map[string]string{}}
	dsn := writerDSN(path, &o)
	conn, err := openConnection(t.Context(), dsn)
	require.NoError(t, err)
	require.NoError(t, ensureSchema(t.Context(), conn.db, path, log.NewNoopLogger()))
	require.NoError(t, conn.prepare(t.Context()))
	w := &writer{
		path: path, dsn: dsn, conn: conn, logger: log.NewNoopLogger(),
		queue: make(chan *write, 2*maxGroup), ended: make(chan struct{}),
	}
	t.Cleanup(w.drop)
	return w
}

func testRow(run string, version int64) *sqlplugin.VisibilityRow {
	now := time.Now().UTC()
	return &sqlplugin.VisibilityRow{
		NamespaceID: "ns", RunID: run, WorkflowID: "w", WorkflowTypeName: "t", StartTime: now, ExecutionTime: now,
		Status: 1, Encoding: "e", TaskQueue: "q", Version: version,
	}
}

func newWrite(t *testing.T, k kind, row *sqlplugin.VisibilityRow) *write {
	t.Helper()
	args, err := rowArgs(row)
	require.NoError(t, err)
	if k == remove {
		args = []any{row.NamespaceID, row.RunID}
	}
	return &write{kind: k, args: args, done: make(chan struct{})}
}

func count(t *testing.T, w *writer) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", w.dsn)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func TestGatherTakesAllThatWaits(t *testing.T) {
	w := newIdleWriter(t)
	for i := range maxGroup + 10 {
		w.queue <- &write{args: []any{i}}
	}
	group := w.gather([]*write{<-w.queue}, time.NewTimer(time.Hour))
	require.Len(t, group, maxGroup)
	require.Len(t, w.gather(nil, time.NewTimer(time.Hour)), 10)

	w.queue <- &write{}
	close(w.queue)
	w.linger = time.Hour // closing ends the wait
	require.Len(t, w.gather(nil, time.NewTimer(time.Hour)), 1)
}

func TestResultsOfWrites(t *testing.T) {
	w := newIdleWriter(t)
	tests := []struct {
		name    string
		kind    kind
		version int64
		want    int64
	}{
		{"a new row is inserted", insert, 5, 1},
		{"an insert leaves the row alone", insert, 9, 0},
		{"an older version is ignored", upsert, 4, 0},
		{"so is the same version", upsert, 5, 0},
		{"a newer version replaces the row", upsert, 6, 1},
		{"a row is removed", remove, 0, 1},
		{"once", remove, 0, 0},
		{"an upsert inserts", upsert, 1, 1},
	}
	var group []*write
	for _, tt := range tests {
		group = append(group, newWrite(t, tt.kind, testRow("r", tt.version)))
	}
	w.settle(group)
	for i, tt := range tests {
		<-group[i].done
		require.NoError(t, group[i].err, tt.name)
		require.Equal(t, tt.want, group[i].rows, tt.name)
	}
}

func TestFaultyWriteDoesNotHarmItsGroup(t *testing.T) {
	w := newIdleWriter(t)
	good, bad := newWrite(t, insert, testRow("good", 1)), newWrite(t, insert, testRow("bad", 1))
	odd, last := newWrite(t, insert, testRow("odd", 1)), newWrite(t, upsert, testRow("last", 1))
	bad.args[2] = nil               // workflow_type_name is NOT NULL
	odd.args[2] = make(chan string) // nothing that a database could store
	w.settle([]*write{good, bad, odd, last})
	require.NoError(t, good.err)
	require.NoError(t, last.err)
	require.ErrorContains(t, bad.err, "NOT NULL constraint failed")
	require.ErrorContains(t, odd.err, "unsupported type")
	require.Equal(t, 2, count(t, w))
}

func TestFullFileFailsTheGroupAndRecovers(t *testing.T) {
	w := newIdleWriter(t)
	first := newWrite(t, insert, testRow("first", 1))
	w.settle([]*write{first})
	require.NoError(t, first.err)

	_, err := w.conn.db.ExecContext(t.Context(), "PRAGMA max_page_count = 1") // the size it has
	require.NoError(t, err)
	small, large := newWrite(t, insert, testRow("small", 1)), newWrite(t, insert, testRow("large", 1))
	large.args[12] = make([]byte, 1<<20) // memo
	w.settle([]*write{small, large})
	for _, x := range []*write{small, large} {
		<-x.done
		var exhausted *serviceerror.ResourceExhausted
		require.ErrorAs(t, x.err, &exhausted, "Temporal must retry it without limit")
		require.Equal(t, enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT, exhausted.Cause)
		require.ErrorContains(t, x.err, "write to visibility file "+w.path)
		require.ErrorContains(t, x.err, "the disk is full, free some space")
		require.NotContains(t, x.err.Error(), "\n")
	}
	require.Equal(t, 1, count(t, w), "nothing of a failed group is there")

	again := newWrite(t, insert, testRow("small", 1)) // on a new connection, which has no such limit
	w.settle([]*write{again})
	require.NoError(t, again.err)
	require.Equal(t, int64(1), again.rows)
	require.Equal(t, 2, count(t, w))
}

func TestBusyFileFailsTheGroupAndRecovers(t *testing.T) {
	w := newIdleWriter(t)
	_, err := w.conn.db.ExecContext(t.Context(), "PRAGMA busy_timeout = 1")
	require.NoError(t, err)
	other, err := openConnection(t.Context(), w.dsn)
	require.NoError(t, err)
	require.NoError(t, other.prepare(t.Context()))
	defer func() { require.NoError(t, other.close()) }()
	_, err = other.begin.ExecContext(t.Context())
	require.NoError(t, err)

	x := newWrite(t, insert, testRow("r", 1))
	w.settle([]*write{x})
	require.ErrorContains(t, x.err, "another process writes to the file")
	var exhausted *serviceerror.ResourceExhausted
	require.ErrorAs(t, x.err, &exhausted)

	_, err = other.rollback.ExecContext(t.Context())
	require.NoError(t, err)
	again := newWrite(t, insert, testRow("r", 1))
	w.settle([]*write{again})
	require.NoError(t, again.err)
}

func TestCancelledCallerGetsOut(t *testing.T) {
	w := newIdleWriter(t) // nobody takes anything from the queue
	args, err := rowArgs(testRow("r", 1))
	require.NoError(t, err)

	ctx, cancel := context.WithCancelCause(t.Context())
	var group sync.WaitGroup
	for range cap(w.queue) + 20 { // the last of them wait for room
		group.Go(func() {
			_, err := w.do(ctx, insert, args)
			require.ErrorIs(t, err, context.Canceled)
		})
	}
	require.Eventually(t, func() bool { return len(w.queue) == cap(w.queue) }, time.Minute, time.Millisecond)
	cancel(nil)
	group.Wait()

	_, err = w.do(ctx, insert, args)
	require.ErrorIs(t, err, context.Canceled)

	w.closed = true
	close(w.queue)
	w.run()
	require.Zero(t, count(t, w), "a write that was given up while it waited is not stored")
}

func TestDeadlineWhileWaiting(t *testing.T) {
	w := newIdleWriter(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(time.Millisecond))
	defer cancel()
	args, err := rowArgs(testRow("r", 1))
	require.NoError(t, err)
	_, err = w.do(ctx, insert, args)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCloseStoresWhatWasHandedOver(t *testing.T) {
	idle := newIdleWriter(t)
	w := startWriter(idle.path, idle.dsn, maxLinger, idle.conn, log.NewNoopLogger())
	idle.conn = nil
	const writes = 300
	errs := make(chan error, writes)
	for i := range writes {
		args, err := rowArgs(testRow(fmt.Sprint(i), 1))
		require.NoError(t, err)
		go func() {
			_, err := w.do(t.Context(), insert, args)
			errs <- err
		}()
	}
	require.NoError(t, w.close())
	stored := 0
	for range writes {
		if err := <-errs; err == nil {
			stored++
		} else {
			require.ErrorIs(t, err, errClosed)
		}
	}
	require.Equal(t, stored, count(t, w))
	_, err := w.do(t.Context(), insert, nil)
	require.ErrorIs(t, err, errClosed)
}

func TestWriterIsDurable(t *testing.T) {
	w := newIdleWriter(t)
	var journal string
	var synchronous int
	require.NoError(t, w.conn.db.QueryRowContext(t.Context(), "SELECT (SELECT * FROM pragma_journal_mode), (SELECT * FROM pragma_synchronous)").Scan(&journal, &synchronous))
	require.Equal(t, "wal", journal)
	require.Equal(t, 2, synchronous, "FULL: the log is synced at each commit")
}
