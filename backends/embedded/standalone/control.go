package standalone

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/storage"
)

// A node with a data directory listens on a Unix socket in it, so that commands of
// the same user can reach the running process. One request and one answer for each
// connection: a command and its argument, quoted, in a line; the answer is JSON.

// socketName is short: the whole path has to fit into about 100 bytes.
const socketName = "ctl.sock"

// controlTimeout bounds how long a client may take to ask.
const controlTimeout = 10 * time.Second

type control struct {
	node *Node
	log  *slog.Logger
	l    net.Listener
	wg   sync.WaitGroup
}

type controlAnswer struct {
	Error  string        `json:"error,omitempty"`
	Status *server.Stats `json:"status,omitempty"`
}

// newControl is called with the directory's lock held: a socket that is there was
// left behind by a process that is gone.
func newControl(dir string, n *Node, log *slog.Logger) (*control, error) {
	path := filepath.Join(dir, socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old control socket: %w", err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
	if err != nil {
		// A path that is too long, or a file system without sockets: backups of the
		// running process are not possible then, all else is.
		log.Warn("no control socket: this node cannot be backed up while it runs", "error", err)
		return &control{}, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the control socket: %w", err), l.Close())
	}
	c := &control{node: n, log: log, l: l}
	c.wg.Go(c.serve)
	return c, nil
}

func (c *control) close() {
	if c.l != nil {
		c.l.Close()
		c.wg.Wait()
	}
}

func (c *control) serve() {
	for {
		conn, err := c.l.Accept()
		if err != nil {
			return
		}
		c.wg.Go(func() { c.answer(conn) })
	}
}

func (c *control) answer(conn net.Conn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(controlTimeout)) //nolint:errcheck // the read fails then
	line, err := bufio.NewReaderSize(conn, 8<<10).ReadString('\n')
	if err != nil {
		return
	}
	var out controlAnswer
	if err := c.run(strings.TrimSuffix(line, "\n"), &out); err != nil {
		out.Error = err.Error()
	}
	if err := json.NewEncoder(conn).Encode(out); err != nil {
		c.log.Warn("answering on the control socket", "error", err)
	}
}

func (c *control) run(line string, out *controlAnswer) error {
	command, arg, _ := strings.Cut(line, " ")
	switch command {
	case "backup":
		dir, err := strconv.Unquote(arg)
		if err != nil || !filepath.IsAbs(dir) {
			return fmt.Errorf("backup needs an absolute path, not %s", arg)
		}
		c.log.Info("backup started", "to", dir)
		if err := c.node.Backup(dir); err != nil {
			return err
		}
		c.log.Info("backup done", "to", dir)
		return nil
	case "status":
		st := c.node.server.Stats()
		out.Status = &st
		return nil
	}
	return fmt.Errorf("unknown command %q", command)
}

// errNotRunning means that no process serves the directory.
var errNotRunning = errors.New("no process serves this data directory")

// ask sends one command to the process that serves dir.
func ask(dir, command, arg string) (controlAnswer, error) {
	var out controlAnswer
	conn, err := new(net.Dialer).DialContext(context.Background(), "unix", filepath.Join(dir, socketName))
	if err != nil {
		return out, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s %s\n", command, strconv.Quote(arg)); err != nil {
		return out, fmt.Errorf("ask the running process: %w", err)
	}
	if err := json.NewDecoder(conn).Decode(&out); err != nil {
		return out, fmt.Errorf("answer of the running process: %w", err)
	}
	if out.Error != "" {
		return out, errors.New(out.Error)
	}
	return out, nil
}

// Backup writes a consistent copy of the data in dir to dest, which must not exist:
// through the process that serves dir, or directly if there is none.
func Backup(dir, dest string) error {
	dest, err := filepath.Abs(dest)
	if err != nil {
		return err
	}
	if _, err := ask(dir, "backup", dest); !errors.Is(err, errNotRunning) {
		return err
	}
	// Opening would make a store where there is none.
	if found, err := filepath.Glob(filepath.Join(dir, "MANIFEST-*")); err != nil || len(found) == 0 {
		return fmt.Errorf("backup: %s is not a data directory", dir)
	}
	s, err := storage.Open(storage.Options{Dir: dir, Sweep: -1})
	if err != nil {
		return err
	}
	return errors.Join(s.Checkpoint(dest), s.Close())
}

// Restore makes a data directory from a backup.
func Restore(backup, dir string) error { return storage.Restore(backup, dir) }

// Status reads the metrics of the process that serves dir.
func Status(dir string) (server.Stats, error) {
	out, err := ask(dir, "status", "")
	if err != nil {
		return server.Stats{}, err
	}
	if out.Status == nil {
		return server.Stats{}, errors.New("answer of the running process: it has no status")
	}
	return *out.Status, nil
}
