// Package postgrestest runs a real PostgreSQL of the machine for a test.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// DB is a running PostgreSQL that trusts every connection. It ends with its test.
type DB struct {
	Host string
	Port int
	User string // a superuser
}

// Start runs an empty PostgreSQL on a free port. Where none is installed the test is
// skipped or, in CI, fails (package needs).
func Start(t testing.TB) *DB {
	t.Helper()
	bin, err := findBin()
	if err != nil {
		needs.Missing(t, fmt.Sprintf("PostgreSQL (%v)", err), "install Debian's package postgresql")
	}
	// Not t.TempDir: another user must be able to enter it.
	dir, err := os.MkdirTemp("", "temporal-ycql-postgresql-") //nolint:usetesting // see above
	if err != nil {
		t.Fatalf("make PostgreSQL's directory: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove PostgreSQL's directory: %v", err)
		}
	})
	owner, err := ownerOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	db := &DB{Host: "127.0.0.1", User: "temporal"}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata", data, "--username", db.User,
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, owner
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	if db.Port, err = childproc.FreePort(db.Host); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "postgresql.log"))
	if err != nil {
		t.Fatalf("make PostgreSQL's log: %v", err)
	}
	defer log.Close()
	// No socket in a directory: paths of sockets are short, those of temporary ones may
	// be long.
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", db.Host, "-p", strconv.Itoa(db.Port),
		"-c", "unix_socket_directories=", "-c", "fsync=off")
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, log, log, owner
	p, err := childproc.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// SIGQUIT ends it and its children at once.
		if err := errors.Join(p.Signal(syscall.SIGQUIT), ignoreExit(p.Wait())); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
	})
	db.await(t, bin, p, log.Name())
	return db
}

// startLimit is ample: a free machine takes less than a second.
const startLimit = 5 * time.Minute

// await returns when the server takes connections.
func (db *DB) await(t testing.TB, bin string, p *childproc.Process, logFile string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	for {
		ready := exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "--quiet", "--host", db.Host, "--port", strconv.Itoa(db.Port))
		err := ready.Run()
		if err == nil {
			return
		}
		if !p.Running() || ctx.Err() != nil {
			text, _ := os.ReadFile(logFile) // an empty log says as much
			t.Fatalf("PostgreSQL does not answer (%v); its log:\n%s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// findBin returns the directory of the newest PostgreSQL's programs.
func findBin() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	// Debian keeps them off the path, by version.
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", fmt.Errorf("look for PostgreSQL: %w", err)
	}
	if len(found) == 0 {
		return "", errors.New("no initdb found")
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return major(a) - major(b) })
	return filepath.Dir(newest), nil
}

func major(path string) int {
	n, err := strconv.Atoi(strings.Split(path, "/")[4])
	if err != nil {
		return 0
	}
	return n
}

// ownerOf returns who must run the server in dir, which then is theirs: PostgreSQL
// refuses to be root.
func ownerOf(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the id of user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the group of user %s: %w", name, err)
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, fmt.Errorf("give PostgreSQL its directory: %w", err)
		}
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root and there is no user postgres or nobody")
}

// ignoreExit drops what a child says about how it was ended.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
