package standalone_test

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/internal/pythonenv"
)

// Clients that were not written with this server in mind.
var pythonPackages = []string{"cassandra-driver==3.30.1", "cqlsh==6.2.2"}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(name), err, out)
	}
	return string(out)
}

func TestThePythonDriver(t *testing.T) {
	bin := pythonenv.Make(t, pythonPackages...)
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(start(t, standalone.Options{Dialect: d, Listen: "127.0.0.1:0"}).TCPAddr().String())
			out := run(t, filepath.Join(bin, "python"), filepath.Join("testdata", "driver.py"), port)
			if !strings.HasSuffix(out, "all is well\n") {
				t.Fatalf("output:\n%s", out)
			}
		})
	}
}

var dialects = map[string]parse.Dialect{"cassandra": parse.Cassandra, "ycql": parse.YCQL}

func TestCqlsh(t *testing.T) {
	bin := pythonenv.Make(t, pythonPackages...)
	home := t.TempDir() // cqlsh keeps its history there
	t.Setenv("HOME", home)
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			cert, key := keyPair(t)
			n := start(t, standalone.Options{
				Dialect: d, Listen: "127.0.0.1:0", TLSCert: cert, TLSKey: key, User: "ann", PasswordFile: passwordFile(t, "s3cret"),
				Server: server.Options{HandshakeTimeout: patience},
			})
			_, port, _ := net.SplitHostPort(n.TCPAddr().String())
			t.Setenv("SSL_CERTFILE", cert)
			out := run(t, filepath.Join(bin, "cqlsh"), "127.0.0.1", port, "--connect-timeout", "60", "--request-timeout", "60", "--ssl", "-u", "ann", "-p", "s3cret", "-f", filepath.Join("testdata", "shell.cql"))
			for _, want := range []string{"1 | one | {'a': 1} | {'x', 'y'}", "(1 rows)", "Native protocol v4"} {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "shell.cql:") {
				t.Errorf("a statement failed:\n%s", out)
			}
			if d != parse.Cassandra {
				return // DESCRIBE is not YCQL's
			}
			out = run(t, filepath.Join(bin, "cqlsh"), "127.0.0.1", port, "--connect-timeout", "60", "--request-timeout", "60", "--ssl", "-u", "ann", "-p", "s3cret", "-e", "DESCRIBE KEYSPACES; DESCRIBE TABLE system.local")
			for _, want := range []string{"system_schema", "CREATE TABLE system.local", "key text PRIMARY KEY"} {
				if !strings.Contains(out, want) {
					t.Errorf("output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}
