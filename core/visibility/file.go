package visibility

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
)

// file is an open file and the number of stores on it.
type file struct {
	key     string
	path    string
	options options
	writer  *writer
	readers int // see type readers
	stores  int
}

// open returns the file that cfg names, opened once for all stores.
func (p *plugin) open(cfg *config.SQL, logger log.Logger) (*file, error) {
	o, err := parseOptions(cfg)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.files[o.key(cfg.DatabaseName)]; ok {
		if !f.options.same(&o) {
			return nil, fmt.Errorf("visibility file %s is open with other connectAttributes: two data stores name it, make them equal", f.path)
		}
		f.stores++
		return f, nil
	}
	f, err := openFile(o, logger)
	if err != nil {
		return nil, err
	}
	f.key = o.key(cfg.DatabaseName)
	f.readers = p.seen.number(f.path)
	f.stores = 1
	p.files[f.key] = f
	return f, nil
}

// release takes one store off a file and closes the file after the last one.
// Who opens the file meanwhile waits for that.
func (p *plugin) release(f *file) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.stores--; f.stores > 0 {
		return nil
	}
	delete(p.files, f.key)
	err := f.writer.close()
	if f.options.ephemeral {
		err = errors.Join(err, discard(f.path))
	}
	return err
}

// openFile opens or makes the file, brings its schema up to date and starts its
// writer.
func openFile(o options, logger log.Logger) (f *file, err error) {
	path := o.path
	if o.ephemeral {
		if path, err = temporary(); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				_ = discard(path)
			}
		}()
	}
	ctx := context.Background()
	dsn := writerDSN(path, &o)
	conn, err := openConnection(ctx, dsn)
	if err != nil {
		return nil, describe("open visibility file", path, err)
	}
	if err := ensureSchema(ctx, conn.db, path, logger); err != nil {
		_ = conn.close()
		return nil, err
	}
	if err := conn.prepare(ctx); err != nil {
		return nil, describe("open visibility file", path, err)
	}
	if err := conn.writable(ctx); err != nil {
		_ = conn.close()
		return nil, describe("open visibility file", path, err)
	}
	return &file{path: path, options: o, writer: startWriter(path, dsn, o.linger, conn, logger)}, nil
}

// writerDSN describes the writer's connection. Times are written as upstream
// writes them.
func writerDSN(path string, o *options) string {
	q := url.Values{"mode": {"rwc"}, "_time_format": {"sqlite"}}
	pragmas := o.connection()
	if pragmas["temp_store"] == "" {
		// In memory: SQLite notes how to undo each statement of a group, which costs
		// a tenth of the writer's time where it goes to a file.
		pragmas["temp_store"] = "2"
	}
	for name, value := range pragmas {
		q.Add("_pragma", name+"="+value)
	}
	return "file:" + uriPath(path) + "?" + q.Encode()
}

// readerConfig is the configuration for upstream's plugin, which reads.
func (f *file) readerConfig(cfg *config.SQL) *config.SQL {
	c := *cfg
	c.PluginName = sqlite.PluginName
	c.DatabaseName = uriPath(f.path)
	c.ConnectAttributes = f.options.connection()
	c.ConnectAttributes["mode"] = "rw"
	if f.readers > 0 {
		// SQLite ignores pragmas that it does not know.
		c.ConnectAttributes["temporal_ycql_readers"] = strconv.Itoa(f.readers)
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultReaders
	}
	if c.MaxIdleConns == 0 {
		c.MaxIdleConns = c.MaxConns
	}
	return &c
}

// readers numbers the files that were read under one name. Upstream's plugin
// keeps its connections by their text for as long as the process lives, after
// the file was removed and made anew, too: a new file needs a new text.
type readers map[string][]os.FileInfo

func (r readers) number(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return len(r[path]) // opening it will say what is wrong
	}
	if n := len(r[path]); n > 0 && os.SameFile(r[path][n-1], info) {
		return n - 1
	}
	r[path] = append(r[path], info)
	return len(r[path]) - 1
}

// temporary makes an empty file for data that need not last. Only the writer
// could see a database in memory, so it is a file that is never synced.
func temporary() (string, error) {
	f, err := os.CreateTemp("", "temporal-visibility-*.db")
	if err != nil {
		return "", fmt.Errorf("make a temporary visibility file (TMPDIR names the directory): %w", err)
	}
	return f.Name(), f.Close()
}

// discard removes a file. Upstream's readers still have it open, so it is emptied
// first to give its space back.
func discard(path string) error {
	var faults []error
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if !strings.HasSuffix(name, "-shm") { // it is mapped into memory
			_ = os.Truncate(name, 0) // it may be gone already
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
