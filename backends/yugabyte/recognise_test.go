package yugabyte_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/standalone"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// refused checks that an opener refuses its server with one line that says why,
// whether its keyspace exists or not.
func refused(t *testing.T, o backend.Opener, want ...string) {
	t.Helper()
	conn, err := o.Open(t.Context(), env())
	if err == nil {
		_ = conn.Session.Close()
	}
	admin, adminErr := o.OpenAdmin(t.Context(), env())
	if adminErr == nil {
		_ = admin.Close()
	}
	_, probeErr := o.(backend.Preparer).Prepare(t.Context(), env())
	for _, err := range []error{err, adminErr, probeErr} {
		if err == nil || !containsAll(err.Error(), want...) || strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), "connect to") != 1 {
			t.Errorf("error %v, want one line with %q", err, want)
		}
	}
}

func TestOtherServersAreRefused(t *testing.T) {
	t.Run("Cassandra", func(t *testing.T) {
		n := node(t, func(o *standalone.Options) { o.Dialect = parse.Cassandra })
		for _, keyspace := range []string{"system", "missing"} {
			refused(t, opener(t, yugabyte.New(), n, keyspace, nil), "the server is Apache Cassandra", "use the cassandra backend")
		}
	})
	for name, tt := range map[string]struct {
		own map[string][]byte // of system.local
		why string
	}{
		"Amazon Keyspaces": {map[string][]byte{"cluster_name": []byte("Amazon Keyspaces"), "release_version": []byte("3.11.2")}, "cannot be conditional"},
		"Azure Cosmos DB":  {map[string][]byte{"cluster_name": []byte("CosmosDB"), "release_version": []byte("3.11.0")}, "not atomic"},
		"ScyllaDB":         {nil, "use the cassandra backend"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, n1)
			c.create(`CREATE KEYSPACE ks`)
			c.set(func() {
				c.answer = func(_, text string) (*server.Result, error) {
					switch {
					case strings.Contains(text, "system.local"):
						res, err := c.engine.Query(context.Background(), "", "SELECT * FROM system.local", &server.Params{})
						if err != nil {
							return nil, err
						}
						own := c.all()[0].identity()
						for k, v := range tt.own {
							own[k] = v
						}
						return row(res.Columns, values(res, 0), own), nil
					case strings.Contains(text, "system_schema.tables"):
						res, err := c.engine.Query(context.Background(), "", text, &server.Params{})
						if err != nil {
							return nil, err
						}
						return row(res.Columns, nil, map[string][]byte{"table_name": []byte("scylla_local")}), nil
					}
					return nil, nil
				}
			})
			refused(t, c.opener(t, nil), "the server is "+name, tt.why)
		})
	}
	t.Run("a service that answers no more", func(t *testing.T) {
		c := startCluster(t, n1)
		c.create(`CREATE KEYSPACE ks`)
		c.rejects("system_schema", wire.CodeServerError, "Internal Failure")
		conn, err := c.opener(t, nil).Open(t.Context(), env())
		if err == nil {
			_ = conn.Session.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "ask the server for its tables") || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Open() = %v", err)
		}
	})
}
