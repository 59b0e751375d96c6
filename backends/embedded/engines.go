package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/sim"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// closeTime is how long requests that still run may take when an engine is
// closed. Whoever sent them has closed its connection: there should be none.
const closeTime = 10 * time.Second

// engines are those that are open, by data directory; the one in memory has the
// key "". It is safe for concurrent use.
type engines struct {
	// mu is held while an engine is opened or closed, so that whoever asks for
	// the same data next finds it open, or its directory free.
	mu   sync.Mutex
	open map[string]*shared
}

// shared is an open engine with its uses.
type shared struct {
	owner   *engines
	key     string
	options Options
	node    *standalone.Node
	pipe    *pipe.Listener
	uses    int
}

// errNotHeld is the cause when data in memory is asked for and there is none.
var errNotHeld = errors.New("data in memory exists only inside of a server that runs, which makes keyspace and tables by itself: give dataDir for data that commands can reach")

// errNoData is the cause when what must exist does not.
var errNoData = errors.New("there is none yet: a server makes it when it starts, and so does \"schema create\"")

// acquire returns a use of the engine for o, which is opened if it is not. One
// in memory is opened only for somebody who holds it: else all that is written
// would be gone with the connection that wrote it.
func (e *engines) acquire(o Options, env backend.Env, hold bool) (*lease, error) {
	key, err := e.key(o, env.Existing)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.open[key]
	switch {
	case s != nil && (s.options.Dialect != o.Dialect || s.options.CacheBytes != o.CacheBytes):
		return nil, fmt.Errorf("it is open in this process with dialect %s and cacheBytes %d: give the same", s.options.Dialect, s.options.CacheBytes)
	case s != nil && s.options.RoundLatency != o.RoundLatency:
		return nil, fmt.Errorf("it is open in this process with roundLatency %s: give the same", s.options.RoundLatency)
	case s == nil && o.Ephemeral && !hold:
		return nil, errNotHeld
	case s == nil:
		if s, err = start(key, o, env); err != nil {
			return nil, err
		}
		s.owner = e
		e.open[key] = s
	}
	s.uses++
	return &lease{of: s}, nil
}

func (e *engines) release(s *shared) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s.uses--; s.uses > 0 {
		return nil
	}
	delete(e.open, s.key)
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := s.node.Close(ctx); err != nil {
		return fmt.Errorf("close the embedded database: %w", err)
	}
	return nil
}

// compactions are those that the storage of the open engine has ended; false if none
// is open.
func (e *engines) compactions(o Options) (n int64, open bool) {
	key, err := e.key(o, true)
	if err != nil {
		return 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.open[key]
	if s == nil {
		return 0, false
	}
	return s.node.Engine().Store().Metrics().Compactions, true
}

// counts are the serial rounds and commits of the open engine; false if none is.
func (e *engines) counts(o Options) (rounds, commits int64, open bool) {
	key, err := e.key(o, true)
	if err != nil {
		return 0, 0, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.open[key]
	if s == nil {
		return 0, 0, false
	}
	c := s.node.Server().Stats().Counts
	return c.Rounds, c.Commits, true
}

// key makes the data directory, unless it must exist, and returns its one true name.
func (e *engines) key(o Options, existing bool) (string, error) {
	if o.Ephemeral {
		return "", nil
	}
	if existing && !holdsData(o.DataDir) {
		return "", errNoData
	}
	if err := os.MkdirAll(o.DataDir, 0o750); err != nil {
		return "", fmt.Errorf("%w: give a dataDir that can be made and written", err)
	}
	dir, err := filepath.EvalSymlinks(o.DataDir)
	if err != nil {
		return "", err
	}
	return filepath.Abs(dir)
}

func start(dir string, o Options, env backend.Env) (*shared, error) {
	if !o.Ephemeral {
		if err := mayHoldData(dir); err != nil {
			return nil, err
		}
	}
	n, err := standalone.Start(nodeOptions(dir, o, env))
	if err != nil {
		return nil, err
	}
	return &shared{key: dir, options: o, node: n, pipe: n.Pipe(nil)}, nil
}

func nodeOptions(dir string, o Options, env backend.Env) standalone.Options {
	var simulate *sim.Options
	if o.RoundLatency > 0 {
		simulate = &sim.Options{Round: o.RoundLatency, Commit: o.RoundLatency}
	}
	return standalone.Options{
		Simulation: simulate,
		Dialect:    variants[o.Dialect].engine,
		DataDir:    dir, Ephemeral: o.Ephemeral,
		Storage: storage.Options{CacheBytes: o.CacheBytes, OnStop: env.Broken},
		Log:     env.Logger,
	}
}

// holdsData tells whether a store was made in a directory.
func holdsData(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, isManifest)
}

func isManifest(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "MANIFEST-") }

// leftovers match what a process that was killed before it had made a store may
// have left.
var leftovers = []string{"LOCK", "HOLDER", "ctl.sock", "marker.*", "OPTIONS-*"}

// mayHoldData refuses a directory that holds files and no store: a path that was
// mistyped would be filled with ours.
func mayHoldData(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := ""
	for _, entry := range entries {
		name := entry.Name()
		if isManifest(entry) {
			return nil
		}
		if !slices.ContainsFunc(leftovers, func(pattern string) bool {
			ok, err := filepath.Match(pattern, name)
			return ok && err == nil
		}) {
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("the directory is no database and not empty (it holds %s): name a new one", foreign)
	}
	return nil
}
