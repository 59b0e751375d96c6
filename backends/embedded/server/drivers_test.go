package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gocql/gocql"
	ybgocql "github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

type pipeHosts struct{ l *pipe.Listener }

func (d pipeHosts) DialHost(ctx context.Context, _ *gocql.HostInfo) (*gocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &gocql.DialedHost{Conn: c, DisableCoalesce: true}, nil
}

type ybPipeHosts struct{ l *pipe.Listener }

func (d ybPipeHosts) DialHost(ctx context.Context, _ *ybgocql.HostInfo) (*ybgocql.DialedHost, error) {
	c, err := d.l.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &ybgocql.DialedHost{Conn: c, DisableCoalesce: true}, nil
}

func gocqlCluster(n *node, overPipe bool) *gocql.ClusterConfig {
	cluster := gocql.NewCluster("127.0.0.1")
	cluster.Timeout, cluster.ConnectTimeout = patience, patience
	cluster.Consistency = gocql.Quorum
	cluster.Keyspace = "app"
	cluster.ReconnectInterval = 0
	if overPipe {
		cluster.HostDialer = pipeHosts{n.pipe}
		return cluster
	}
	cluster.Port = n.tcp.Addr().(*net.TCPAddr).Port
	return cluster
}

func TestGocqlConnectsPreparesQueriesPagesAndBatches(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pipe     bool
		compress gocql.Compressor
		aware    bool
		version  int
	}{
		{name: "over the pipe", pipe: true},
		{name: "over TCP", pipe: false},
		{name: "with snappy", compress: gocql.SnappyCompressor{}},
		{name: "token aware, over the pipe", pipe: true, aware: true},
		{name: "protocol version 3", version: 3},
		{name: "protocol version discovered from 5 down", version: 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t, server.Options{Personality: server.Cassandra})
			cluster := gocqlCluster(n, tt.pipe)
			cluster.Compressor = tt.compress
			cluster.ProtoVersion = tt.version
			if tt.version == 5 {
				cluster.ProtoVersion = 0
			}
			if tt.aware {
				cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
			}
			s, err := cluster.CreateSession()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			useGocql(t, s)
		})
	}
}

func useGocql(t *testing.T, s *gocql.Session) {
	t.Helper()
	big := strings.Repeat("lorem ipsum ", 1000) // worth compressing
	for i := range 25 {
		if err := s.Query("INSERT INTO app.kv (k, v) VALUES (?, ?)", key(i), []byte(big)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	var v []byte
	if err := s.Query("SELECT k, v FROM app.kv WHERE k = ?", key(3)).Scan(new(string), &v); err != nil || string(v) != big {
		t.Fatalf("read %d bytes, %v; want %d", len(v), err, len(big))
	}
	if err := s.Query("SELECT k, v FROM app.kv WHERE k = ?", "absent").Scan(new(string), &v); !errors.Is(err, gocql.ErrNotFound) {
		t.Fatalf("missing row: %v", err)
	}
	pages := 0
	var keys []string
	var state []byte
	for {
		iter := s.Query("SELECT k, v FROM app.kv").PageSize(10).PageState(state).Iter()
		state = iter.PageState()
		var k string
		for iter.Scan(&k, &v) {
			keys = append(keys, k)
		}
		if err := iter.Close(); err != nil {
			t.Fatal(err)
		}
		pages++
		if len(state) == 0 {
			break
		}
	}
	if pages != 3 || len(keys) != 25 || keys[24] != key(24) {
		t.Fatalf("%d pages, %d keys, want 3 and 25", pages, len(keys))
	}
	b := s.NewBatch(gocql.LoggedBatch)
	for i := range 3 {
		b.Query("INSERT INTO app.kv (k, v) VALUES (?, ?)", fmt.Sprint("batch-", i), []byte{byte(i)})
	}
	if err := s.ExecuteBatch(b); err != nil {
		t.Fatal(err)
	}
	cas := s.NewBatch(gocql.LoggedBatch)
	cas.Query("INSERT INTO app.kv (k, v) VALUES (?, ?) IF NOT EXISTS", "batch-0", []byte("n"))
	row := map[string]interface{}{}
	applied, iter, err := s.MapExecuteBatchCAS(cas, row)
	if err != nil || applied || fmt.Sprint(row["k"]) != "x" {
		t.Fatalf("refused batch: applied %v, row %v, %v", applied, row, err)
	}
	if err := iter.Close(); err != nil {
		t.Fatal(err)
	}
	err = s.Query("SELEKT").Exec()
	var re gocql.RequestError
	if !errors.As(err, &re) || re.Code() != gocql.ErrCodeSyntax || !strings.Contains(re.Message(), "no viable alternative") {
		t.Fatalf("bad statement: %v", err)
	}
}

func TestYugabyteGocqlConnectsPreparesQueriesPagesAndRunsBlocks(t *testing.T) {
	for _, tt := range []struct {
		name     string
		pipe     bool
		snappy   bool
		lookup   bool
		policies func() ybgocql.HostSelectionPolicy
	}{
		{name: "over the pipe, default policy", pipe: true, lookup: true},
		{name: "over TCP, default policy", lookup: true},
		{name: "over TCP with snappy, no host lookup", snappy: true},
		{name: "round robin over the pipe", pipe: true, policies: ybgocql.RoundRobinHostPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := start(t, server.Options{Personality: server.YCQL})
			cluster := ybgocql.NewCluster("127.0.0.1")
			cluster.Timeout, cluster.ConnectTimeout = patience, patience
			cluster.Keyspace, cluster.Consistency = "app", ybgocql.Quorum
			cluster.DisableInitialHostLookup = !tt.lookup
			if tt.pipe {
				cluster.HostDialer = ybPipeHosts{n.pipe}
			} else {
				cluster.Port = n.tcp.Addr().(*net.TCPAddr).Port
			}
			if tt.snappy {
				cluster.Compressor = ybgocql.SnappyCompressor{}
			}
			if tt.policies != nil {
				cluster.PoolConfig.HostSelectionPolicy = tt.policies()
			}
			s, err := cluster.CreateSession()
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i := range 25 {
				if err := s.Query("INSERT INTO app.kv (k, v) VALUES (?, ?)", key(i), []byte("v")).Exec(); err != nil {
					t.Fatal(err)
				}
			}
			block := "BEGIN TRANSACTION INSERT INTO app.kv (k, v) VALUES (?, ?); INSERT INTO app.kv (k, v) VALUES (?, ?); END TRANSACTION;"
			if err := s.Query(block, "a", []byte("1"), "b", []byte("2")).Exec(); err != nil {
				t.Fatal(err)
			}
			n.engine.mu.Lock()
			got := string(n.engine.rows["b"])
			n.engine.mu.Unlock()
			if got != "2" {
				t.Fatalf("the block's second row is %q, want 2", got)
			}
			iter := s.Query("SELECT k, v FROM app.kv").PageSize(4).Iter()
			rows := 0
			for iter.Scan(new(string), new([]byte)) {
				rows++
			}
			if err := iter.Close(); err != nil || rows != 27 {
				t.Fatalf("%d rows, %v; want 27", rows, err)
			}
			b := s.NewBatch(ybgocql.UnloggedBatch)
			b.Query("INSERT INTO app.kv (k, v) VALUES (?, ?)", "c", []byte("3"))
			if err := s.ExecuteBatch(b); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestADriverPreparesAgainWhatTheServerForgot(t *testing.T) {
	n := start(t, server.Options{PreparedCache: 1000})
	s, err := gocqlCluster(n, true).CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 20 {
		// Two statements that do not fit into the cache together.
		if err := s.Query("INSERT INTO app.kv (k, v) VALUES (?, ?)", key(i), []byte("v")).Exec(); err != nil {
			t.Fatal(err)
		}
		if err := s.Query("SELECT k, v FROM app.kv WHERE k = ?", key(i)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	st := n.Stats()
	if st.PreparedEvictions == 0 || st.PreparedMisses == 0 || st.PreparedBytes > 1000 {
		t.Fatalf("evictions %d, misses %d, bytes %d: want evictions and misses, and at most 1000 bytes",
			st.PreparedEvictions, st.PreparedMisses, st.PreparedBytes)
	}
}
