package yugabyte_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// A password changes with the server's restart: the session goes on with what
// its file says by then.
func TestSessionSurvivesARestartWithANewPassword(t *testing.T) {
	dir := t.TempDir()
	theirs, ours := filepath.Join(dir, "server"), filepath.Join(dir, "client")
	write := func(file, password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(theirs, "first-password")
	write(ours, "first-password")
	port, err := childproc.FreePort("127.0.0.1") // free still when the server is started again
	if err != nil {
		t.Fatal(err)
	}
	options := standalone.Options{
		Dialect: parse.YCQL, DataDir: filepath.Join(dir, "data"), Listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
		User: "app", PasswordFile: theirs, Log: env().Logger,
	}
	start := func() *standalone.Node {
		t.Helper()
		n, err := standalone.Start(options)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	stop := func(n *standalone.Node) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	n := start()
	login := map[string]any{"user": "app", "passwordFile": ours}

	a, err := opener(t, yugabyte.New(), n, "none", login).OpenAdmin(t.Context(), env())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`CREATE KEYSPACE ks`, `CREATE TABLE ks.kv (p bigint PRIMARY KEY)`} {
		if err := a.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string]map[string]any{
		"wrong password": {"user": "app", "password": "wrong"}, "no user": nil,
	} {
		conn, err := opener(t, yugabyte.New(), n, "ks", wrong).Open(t.Context(), env())
		if err == nil {
			_ = conn.Session.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "check user and password") || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: Open() = %v", name, err)
		}
	}

	s := open(t, opener(t, yugabyte.New(), n, "ks", login))
	ask := func() error {
		rows, err := s.Query(t.Context(), call(`SELECT p FROM kv`), cql.Page{})
		if err != nil {
			return err
		}
		return rows.Close()
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	stop(n)
	eventually(t, "the loss shows", func() error {
		if ask() == nil {
			return errors.New("queries still succeed")
		}
		return nil
	})
	write(theirs, "other-password")
	write(ours, "other-password")
	n = start()
	eventually(t, "query after the restart", ask)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stop(n)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	n := node(t)
	ks := keyspace(t, n)
	tests := []struct {
		name, keyspace string
		more           map[string]any
		want           []string
	}{
		{"missing keyspace", "no_such_keyspace", nil, []string{`keyspace "no_such_keyspace" does not exist`, "schema create"}},
		{"nobody listens", ks, map[string]any{"hosts": "127.0.0.1:1"}, []string{"127.0.0.1:1", "check hosts"}},
		{"tls where the server speaks none", ks, map[string]any{"tls": map[string]any{"enabled": true}, "connectTimeout": "2s"}, []string{"check"}},
		{"no such data center", ks, map[string]any{"datacenter": "mars"}, []string{n.Addr().IP.String()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := opener(t, yugabyte.New(), n, tt.keyspace, tt.more).Open(t.Context(), env())
			if err == nil {
				_ = conn.Session.Close()
				t.Fatal("Open() succeeded")
			}
			if !containsAll(err.Error(), tt.want...) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
		})
	}
}
