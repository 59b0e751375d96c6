// Package mariadbtest runs a real MariaDB for a test: it speaks MySQL's protocol and
// takes upstream's schema for MySQL 8, and comes from Maven Central, so that nothing
// needs to be installed but Maven.
package mariadbtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // Temporal's driver, to ask whether it is ready

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

const serverFile = "bin/mariadbd"

// DB is a running MariaDB that lets everybody in. It ends with its test.
type DB struct {
	Host string
	Port int
	User string
}

// Addr is host:port.
func (db *DB) Addr() string { return net.JoinHostPort(db.Host, strconv.Itoa(db.Port)) }

// startLimit is ample: a busy machine takes some 10 s.
const startLimit = 10 * time.Minute

// Start runs an empty MariaDB on a free port. Where it cannot be had the test is
// skipped or, in CI, fails (package needs).
func Start(t testing.TB) *DB {
	t.Helper()
	home, err := findDistribution(t.Context())
	if errors.Is(err, errNotInstalled) {
		needs.Missing(t, fmt.Sprintf("MariaDB (%v)", err), "install Debian's package maven")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	// Root may run it if it says so.
	common := []string{
		"--no-defaults", "--basedir=" + home, "--datadir=" + data, "--lc-messages-dir=" + filepath.Join(home, "share"), "--user=root",
		"--skip-ssl", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--innodb-flush-log-at-trx-commit=0",
	}
	if err := bootstrap(t.Context(), home, common); err != nil {
		t.Fatal(err)
	}
	db := &DB{Host: "127.0.0.1", User: "temporal"}
	if db.Port, err = childproc.FreePort(db.Host); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "mariadb.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// Paths of sockets are short, those of tests are not.
	cmd := exec.Command(filepath.Join(home, serverFile), append(common,
		"--bind-address="+db.Host, "--port="+strconv.Itoa(db.Port), "--socket=../s", "--pid-file=../pid", "--skip-grant-tables")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = data, log, log
	p, err := childproc.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Kill(); err != nil { // there is nothing that must outlive it
			t.Errorf("stop MariaDB: %v", err)
		}
	})
	db.await(t, p, log.Name())
	return db
}

// bootstrap makes the system tables.
func bootstrap(ctx context.Context, home string, common []string) error {
	script := []byte("create database mysql;\nuse mysql;\n")
	for _, name := range []string{"mariadb_system_tables.sql", "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql"} {
		text, err := os.ReadFile(filepath.Join(home, "share", name))
		if err != nil {
			return fmt.Errorf("read MariaDB's system tables: %w", err)
		}
		script = append(script, text...)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(home, serverFile), append(common, "--bootstrap")...)
	cmd.Stdin = bytes.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make MariaDB's system tables: %w: %s", err, out)
	}
	return nil
}

// await returns when the server takes connections.
func (db *DB) await(t testing.TB, p *childproc.Process, logFile string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	pool, err := sql.Open("mysql", db.User+"@tcp("+db.Addr()+")/")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close() //nolint:errcheck // nothing is left to be said
	for {
		err := pool.PingContext(ctx)
		if err == nil {
			return
		}
		if !p.Running() || ctx.Err() != nil {
			text, _ := os.ReadFile(logFile) // an empty log says as much
			t.Fatalf("MariaDB does not answer (%v); its log:\n%s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
