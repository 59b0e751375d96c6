package cassandra

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// A YugabyteDB is refused with one line, whether the keyspace exists or not. How
// other products are told apart is tested where that is.
func TestYugabyteDBIsRefused(t *testing.T) {
	n, err := standalone.Start(standalone.Options{Dialect: parse.YCQL, Ephemeral: true, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = n.Close(ctx)
	}()
	env := backend.Env{Logger: slog.New(slog.DiscardHandler)}
	for _, keyspace := range []string{"system", "missing"} {
		o, err := New().ParseOptions(map[string]any{"hosts": "127.0.0.1", "port": n.Addr().Port, "keyspace": keyspace, "connectTimeout": "1m"})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := o.Open(t.Context(), env)
		if err == nil {
			_ = conn.Session.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "the server is YugabyteDB") || !strings.Contains(err.Error(), "use the yugabyte backend") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Open() = %v", err)
		}
	}
}
