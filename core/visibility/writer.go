package visibility

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

const (
	// maxGroup bounds the writes of one commit, and so the time for which other
	// processes cannot write: about 50 ms.
	maxGroup = 256
	// queueLength lets callers hand over the next group while one is committed.
	queueLength = 256
)

type kind uint8

const (
	insert kind = iota
	upsert
	remove
	kinds
)

// write is one write on its way through a writer.
type write struct {
	kind kind
	args []any
	// taken is set by whoever comes first: the writer, which then settles the
	// write, or the caller, which then has given up before anything happened.
	taken atomic.Bool
	done  chan struct{} // closed when rows and err are valid
	rows  int64
	err   error
}

// writer owns the one connection of this process that writes to a file. One
// goroutine runs all statements; do and close are safe for concurrent use.
type writer struct {
	path   string
	dsn    string
	linger time.Duration
	logger log.Logger

	mu     sync.RWMutex // held for reading while a write is handed over
	closed bool
	queue  chan *write
	ended  chan struct{} // closed when the goroutine has ended

	// Of the goroutine alone.
	conn   *connection // nil after an error of the file, until the next group
	failed int         // writes that failed since the last good group
}

// connection is an open file with its prepared statements.
type connection struct {
	db            *sql.DB
	begin, commit *sql.Stmt
	rollback      *sql.Stmt
	writes        [kinds]*sql.Stmt
}

// startWriter takes over conn, which dsn describes.
func startWriter(path, dsn string, linger time.Duration, conn *connection, logger log.Logger) *writer {
	w := &writer{
		path: path, dsn: dsn, linger: linger, logger: logger, conn: conn,
		queue: make(chan *write, queueLength), ended: make(chan struct{}),
	}
	go w.run()
	return w
}

// do runs one write and returns when it is durable, has failed, or ctx is done.
// After ctx is done the write may be stored or not; a write that was still
// waiting is not.
func (w *writer) do(ctx context.Context, k kind, args []any) (sql.Result, error) {
	x := &write{kind: k, args: args, done: make(chan struct{})}
	if err := w.hand(ctx, x); err != nil {
		return nil, err
	}
	select {
	case <-x.done:
	case <-ctx.Done():
		x.taken.Swap(true)
		return nil, ctx.Err()
	}
	if x.err != nil {
		return nil, x.err
	}
	return affected(x.rows), nil
}

func (w *writer) hand(ctx context.Context, x *write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- x:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close stores what was handed over, moves the log into the file, and closes it.
// It must be called once.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	close(w.queue)
	w.mu.Unlock()
	<-w.ended
	if w.conn == nil {
		return nil // an error of the file, which was reported
	}
	// Upstream's pool of readers stays open, so SQLite does not do it by itself.
	_, err := w.conn.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
	if err = errors.Join(err, w.conn.close()); err != nil {
		return describe("close visibility file", w.path, err)
	}
	return nil
}

func (w *writer) run() {
	defer close(w.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	group := make([]*write, 0, maxGroup)
	for x := range w.queue {
		group = w.gather(append(group[:0], x), timer)
		w.settle(group)
		clear(group) // arguments may be large
	}
}

// gather adds to a group what is waiting, and what comes within the linger.
func (w *writer) gather(group []*write, timer *time.Timer) []*write {
	expired := w.linger == 0
	if !expired {
		timer.Reset(w.linger)
	}
	for len(group) < maxGroup {
		var x *write
		var open bool
		if expired {
			select {
			case x, open = <-w.queue:
			default:
				return group
			}
		} else {
			select {
			case x, open = <-w.queue:
			case <-timer.C:
				expired = true
				continue
			}
		}
		if !open {
			return group
		}
		group = append(group, x)
	}
	return group
}

// settle stores a group and tells each caller.
func (w *writer) settle(group []*write) {
	live := group[:0]
	for _, x := range group {
		if !x.taken.Swap(true) {
			live = append(live, x)
		}
	}
	if len(live) == 0 {
		return
	}
	err := w.store(live)
	if err != nil {
		w.drop()
		w.failing(len(live), err)
		err = fileError(w.path, err)
	} else {
		w.working()
	}
	for _, x := range live {
		if err != nil {
			x.rows, x.err = 0, err
		}
		close(x.done)
	}
}

// store commits a group. Its error is one of the file, and then nothing of the
// group counts as stored; errors of single writes are in the writes.
func (w *writer) store(group []*write) error {
	ctx := context.Background() // a caller's must not end the others' transaction
	if w.conn == nil {
		conn, err := openConnection(ctx, w.dsn)
		if err == nil {
			err = conn.prepare(ctx)
		}
		if err != nil {
			return err
		}
		w.conn = conn
	}
	if _, err := w.conn.begin.ExecContext(ctx); err != nil {
		return err
	}
	for _, x := range group {
		res, err := w.conn.writes[x.kind].ExecContext(ctx, x.args...)
		if err == nil {
			x.rows, err = res.RowsAffected()
		}
		if err == nil {
			continue
		}
		if !ownFault(err) {
			_, _ = w.conn.rollback.ExecContext(ctx) // the connection is dropped next
			return err
		}
		x.err = describe("write to visibility file", w.path, err)
	}
	if _, err := w.conn.commit.ExecContext(ctx); err != nil {
		_, _ = w.conn.rollback.ExecContext(ctx) // the same
		return err
	}
	return nil
}

// drop closes a connection whose state is not known after an error of the file.
func (w *writer) drop() {
	if w.conn != nil {
		_ = w.conn.close() // the error before it says more
		w.conn = nil
	}
}

// failing logs the first error of the file in a row.
func (w *writer) failing(writes int, err error) {
	if w.failed == 0 {
		w.logger.Error("Visibility cannot be written; writes are tried again until they succeed.",
			tag.Error(describe("write to visibility file", w.path, err)))
	}
	w.failed += writes
}

func (w *writer) working() {
	if w.failed > 0 {
		w.logger.Info("Visibility can be written again.", tag.NewStringTag("file", w.path), tag.NewInt("refused-writes", w.failed))
	}
	w.failed = 0
}

// openConnection opens the file without touching its schema.
func openConnection(ctx context.Context, dsn string) (*connection, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return &connection{db: db}, nil
}

// prepare makes the statements, for which the schema must be there. It closes
// the connection where it fails.
func (c *connection) prepare(ctx context.Context) error {
	for _, s := range []struct {
		into **sql.Stmt
		text string
	}{
		{&c.begin, "BEGIN IMMEDIATE"},
		{&c.commit, "COMMIT"},
		{&c.rollback, "ROLLBACK"},
		{&c.writes[insert], insertText},
		{&c.writes[upsert], upsertText},
		{&c.writes[remove], deleteText},
	} {
		stmt, err := c.db.PrepareContext(ctx, s.text) //nolint:sqlclosecheck // they are closed with the connection
		if err != nil {
			_ = c.close()
			return fmt.Errorf("prepare %.20q: %w", s.text, err)
		}
		*s.into = stmt
	}
	return nil
}

// writable tries a write that changes nothing: SQLite opens a file that may only
// be read, and begins a transaction on it, without a word.
func (c *connection) writable(ctx context.Context) error {
	if _, err := c.begin.ExecContext(ctx); err != nil {
		return err
	}
	_, err := c.db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
	_, rollback := c.rollback.ExecContext(ctx)
	return errors.Join(err, rollback)
}

// close closes the statements with the connection.
func (c *connection) close() error { return c.db.Close() }

// affected is the result of a write.
type affected int64

func (a affected) RowsAffected() (int64, error) { return int64(a), nil }

func (a affected) LastInsertId() (int64, error) {
	return 0, errors.New("visibility rows have no insert id")
}
