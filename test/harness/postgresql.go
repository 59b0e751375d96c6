package harness

import (
	"context"
	"net"
	"strconv"
)

// PostgreSQL makes a database for visibility with upstream's tool and returns the
// data store block that uses it. The server at host:port trusts user.
func PostgreSQL(ctx context.Context, host string, port int, user, database string) (map[string]any, error) {
	tool, err := StockSQLTool(ctx)
	if err != nil {
		return nil, err
	}
	connect := []string{"--plugin", "postgres12", "--ep", host, "--port", strconv.Itoa(port), "--user", user, "--database", database}
	for _, args := range [][]string{
		{"create-database"},
		{"setup-schema", "--version", "0.0"},
		{"update-schema", "--schema-name", "postgresql/v12/visibility"},
	} {
		if err := run(ctx, tool, append(connect[:len(connect):len(connect)], args...)...); err != nil {
			return nil, err
		}
	}
	return map[string]any{"sql": map[string]any{
		"pluginName": "postgres12", "databaseName": database, "user": user,
		"connectAddr": net.JoinHostPort(host, strconv.Itoa(port)), "connectProtocol": "tcp",
		"maxConns": 10, "maxIdleConns": 10, "maxConnLifetime": "1h",
	}}, nil
}
