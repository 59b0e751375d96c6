package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configure a store.
type Options struct {
	// Dir is the data directory; it is made if missing. With Ephemeral it is
	// not used.
	Dir string
	// Ephemeral keeps everything in memory: nothing is synced, all is gone at
	// Close.
	Ephemeral bool
	// CacheBytes bounds the block cache; default 64 MiB.
	CacheBytes int64
	// MemtableBytes is the size of one memtable; default 16 MiB, at most 32.
	// There may be two of them.
	MemtableBytes int
	// MinFreeBytes is the free disk space below which writes are refused;
	// default 64 MiB. Negative turns the check off.
	MinFreeBytes int64
	// Sweep is the time between two looks for expired cells; default 1 s.
	// Negative turns them off; then [Store.Sweep] does it.
	Sweep time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Log gets what an operator should know; default slog.Default().
	Log *slog.Logger
	// OnStop is called, once and from a goroutine of its own, when the store has
	// stopped writing for good while it was open; nil for nobody.
	OnStop func(error)
	// FS is the file system, for tests; default the disk.
	FS vfs.FS
	// UnsafeAckBeforeSync makes tickets wait for nothing. It is the negative
	// control of the crash tests: with it acknowledged commits get lost.
	UnsafeAckBeforeSync bool
}

const (
	defaultCache    = 64 << 20
	defaultMemtable = 16 << 20
	maxMemtable     = 32 << 20
	defaultMinFree  = 64 << 20

	// pebbleFormat is pinned, so that an upgrade of the library does not change
	// the files of existing stores unasked.
	pebbleFormat = pebble.FormatTableFormatV6
)

// Store is an open data directory. It is safe for concurrent use.
type Store struct {
	opts  Options
	db    *pebble.DB
	cache *pebble.Cache
	lock  *dirLock
	fs    vfs.FS
	log   *slog.Logger

	clock  clock
	sync   *groupSync
	stripe [stripes]stripe
	// newest is the ticket of the newest commit of all, total the commits
	// without one.
	newest stripe

	// gate is held shared by transactions, exclusively by what must see none of
	// them: dropping tables, switching one to timestamps.
	gate   sync.RWMutex
	states sync.Map // table ID -> *tableState
	// unnoted: the directory is of a format that does not note strays, so any
	// table may have them.
	unnoted bool

	stopped atomic.Pointer[StoppedError] // writes are refused
	low     atomic.Bool                  // so are they while the disk is nearly full
	counts  counters
	ranges  atomic.Int64 // deletions of ranges since one made the memory table be flushed
	quit    chan struct{}
	loops   sync.WaitGroup
	closed  atomic.Bool
}

// StoppedError says that the store has stopped writing, for good until it is
// opened again. What was acknowledged before is not lost.
type StoppedError struct{ Cause error }

func (e *StoppedError) Error() string {
	return fmt.Sprintf("the store has stopped writing: %v; repair the disk and restart (everything acknowledged is kept)", e.Cause)
}

// Unwrap returns what made it stop.
func (e *StoppedError) Unwrap() error { return e.Cause }

// ErrDiskFull is returned by writes while less than Options.MinFreeBytes are
// free. It passes once there is room again.
var ErrDiskFull = errors.New("the disk of the data directory is nearly full: writes are refused until there is room")

// ErrClosed is returned after Close.
var ErrClosed = errors.New("the store is closed")

// Open opens a store, and makes one if the directory is empty. It fails if
// another process has it open, if the directory was written by a newer version
// or is damaged.
func Open(o Options) (*Store, error) {
	o.defaults()
	s := &Store{opts: o, log: o.Log, fs: o.FS, quit: make(chan struct{})}
	s.clock.wall, s.clock.store = o.Now, s.storeCeiling
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("opening the data directory %s: %w", o.Dir, err)
	}
	s.sync = newGroupSync(func() error { return s.syncLog() }, s.stopWith,
		o.Ephemeral || o.UnsafeAckBeforeSync)
	s.checkSpace()
	s.loops.Add(1)
	go s.spaceLoop()
	if o.Sweep > 0 {
		s.loops.Add(1)
		go s.sweepLoop()
	}
	return s, nil
}

func (o *Options) defaults() {
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = defaultMemtable
	}
	o.MemtableBytes = min(o.MemtableBytes, maxMemtable)
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = defaultMinFree
	}
	if o.Sweep == 0 {
		o.Sweep = time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	switch {
	case o.Ephemeral:
		o.FS, o.Dir = vfs.NewMem(), "memory"
	case o.FS == nil:
		o.FS = vfs.Default
	}
}

func (s *Store) open() (err error) {
	if err = s.fs.MkdirAll(s.opts.Dir, 0o755); err != nil {
		return err
	}
	if s.lock, err = lockDir(s.fs, s.opts.Dir); err != nil {
		return err
	}
	s.cache = pebble.NewCache(s.opts.CacheBytes)
	defer func() {
		if err != nil {
			s.cache.Unref()
			_ = s.lock.release()
		}
	}()
	if s.db, err = pebble.Open(s.opts.Dir, s.pebbleOptions()); err != nil {
		if pebble.IsCorruptionError(err) {
			return fmt.Errorf("its files are damaged, restore it from a backup: %w", err)
		}
		return err
	}
	if err = s.loadMeta(); err != nil {
		_ = s.db.Close()
	}
	return err
}

func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS:                          s.fs,
		Cache:                       s.cache,
		Lock:                        s.lock.pebble,
		FormatMajorVersion:          pebbleFormat,
		MemTableSize:                uint64(s.opts.MemtableBytes),
		MemTableStopWritesThreshold: 2,
		L0StopWritesThreshold:       1000,
		MaxOpenFiles:                500,
		DisableWAL:                  s.opts.Ephemeral,
		Logger:                      pebbleLogger{s},
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	o.EventListener = &pebble.EventListener{
		BackgroundError: s.backgroundError,
		DataCorruption:  func(info pebble.DataCorruptionInfo) { s.stop(fmt.Errorf("a file is damaged: %s", info)) },
	}
	return o
}

// pebbleLogger passes on what an operator should see. Pebble calls Fatalf where
// it cannot go on writing, and must not get control back.
type pebbleLogger struct{ s *Store }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.s.log.Error("embedded store: " + fmt.Sprintf(format, args...))
}

// fatal is thrown by Fatalf through Pebble, and caught where this package
// called Pebble.
type fatal struct{ err error }

func (l pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	l.s.stop(err)
	panic(fatal{err})
}

// guarded runs f, in which Pebble may call Fatalf.
func guarded(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case fatal:
			err = r.err
		default:
			panic(r)
		}
	}()
	return f()
}

func (s *Store) syncLog() error {
	s.counts.syncs.Add(1)
	return guarded(func() error { return s.db.LogData(nil, pebble.Sync) })
}

// backgroundError hears of failed flushes and compactions. Pebble tries again;
// what is acknowledged is in the log. New writes are refused meanwhile if the
// cause is a full disk, and for good if it is another.
func (s *Store) backgroundError(err error) {
	if isDiskFull(err) {
		s.low.Store(true)
		s.log.Error("embedded store: the disk is full, writes are refused until there is room", "dir", s.opts.Dir, "err", err)
		return
	}
	if !errors.Is(err, pebble.ErrClosed) && !errors.Is(err, pebble.ErrCancelledCompaction) {
		s.stop(err)
	}
}

// stop makes all later writes fail. The first cause stays.
func (s *Store) stop(err error) {
	stopped := &StoppedError{Cause: err}
	if s.stopped.CompareAndSwap(nil, stopped) && !s.closed.Load() {
		s.log.Error("embedded store: writing has stopped", "dir", s.opts.Dir, "err", err)
		if s.opts.OnStop != nil {
			go s.opts.OnStop(stopped)
		}
	}
}

// stopWith is stop; it returns the error that stopped the store.
func (s *Store) stopWith(err error) error {
	s.stop(err)
	return s.stopped.Load()
}

// writable reports why a write must be refused, or nil.
func (s *Store) writable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if e := s.stopped.Load(); e != nil {
		return e
	}
	if s.low.Load() {
		return ErrDiskFull
	}
	return nil
}

// Err returns why writes are refused at present, or nil.
func (s *Store) Err() error { return s.writable() }

// readError notes damaged files and passes err on.
func (s *Store) readError(err error) error {
	if err == nil {
		return nil
	}
	if pebble.IsCorruptionError(err) || errors.Is(err, errRowForm) || errors.Is(err, errKeyForm) {
		s.stop(err)
		return fmt.Errorf("reading %s, whose files are damaged (restore it from a backup): %w", s.opts.Dir, err)
	}
	return err
}

// Peek returns a view for exactly one read: a Get, or one iterator. Several
// reads of it may see different states.
func (s *Store) Peek() *View {
	return &View{s: s, r: pebbleReader{s.db}, now: s.clock.seconds()}
}

// Snapshot returns a view that stays as it is. It must be closed.
func (s *Store) Snapshot() *View {
	snap := s.db.NewSnapshot()
	return &View{s: s, r: pebbleReader{snap}, now: s.clock.seconds(), release: func() { _ = snap.Close() }}
}

// latchTicket returns a ticket for everything visible under a latch.
func (s *Store) latchTicket(l Latch) Ticket { return s.ticketOf(&s.stripe[l]) }

// NewestTicket returns a ticket for all that is visible.
func (s *Store) NewestTicket() Ticket { return s.ticketOf(&s.newest) }

// ticketOf: a commit announces itself before it becomes visible and leaves its
// ticket before it signs off. So either it is still announced, and a round
// begun now covers it, or its ticket is there.
func (s *Store) ticketOf(st *stripe) Ticket {
	if st.inflight.Load() != 0 {
		return Ticket{s.sync, s.sync.join()}
	}
	return Ticket{s.sync, st.ticket.Load()}
}

// Close waits for what was committed, and closes the files. All views, iterators
// and transactions must be closed before. Closing twice is harmless.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	close(s.quit)
	s.loops.Wait()
	s.gate.Lock()
	defer s.gate.Unlock()
	err := s.sync.close()
	if e := s.stopped.Load(); e == nil {
		err = errors.Join(err, guarded(s.db.Close))
	} else {
		// Pebble cannot flush any more; the log has all that counts.
		err = errors.Join(e, guarded(s.db.Close))
	}
	s.cache.Unref()
	return errors.Join(err, s.lock.release())
}

// dirLock is held by the process that has the directory open.
type dirLock struct {
	fs     vfs.FS
	pebble *pebble.Lock
	holder string
}

// lockDir locks a data directory and writes down who holds it.
func lockDir(fs vfs.FS, dir string) (*dirLock, error) {
	holder := fs.PathJoin(dir, "HOLDER")
	l, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		who := "another process"
		if b, e := readFile(fs, holder); e == nil && len(b) > 0 {
			who = string(b)
		}
		return nil, fmt.Errorf("it is in use by %s: one process may have it open (%w): stop that one, or give this one a directory of its own", who, err)
	}
	who := fmt.Sprintf("process %d (%s), since %s", os.Getpid(), filepath.Base(os.Args[0]), time.Now().Format(time.RFC3339))
	if err := writeFile(fs, holder, []byte(who)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &dirLock{fs: fs, pebble: l, holder: holder}, nil
}

func (l *dirLock) release() error {
	_ = l.fs.Remove(l.holder)
	return l.pebble.Close()
}
