package server_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// fakeEngine knows one table, app.kv (k text PRIMARY KEY, v blob), a handful of
// statements on it by their text, and as much of the system tables as drivers ask
// for. It has the conversation of an engine, not its brains.
type fakeEngine struct {
	personality server.Personality

	mu   sync.Mutex
	rows map[string][]byte
	// hook, if set, is asked first with each text that runs; it may block.
	hook func(ctx context.Context, text string, p *server.Params) (*server.Result, error)

	prepares, executes, queries atomic.Int64
}

func newFake(p server.Personality) *fakeEngine {
	return &fakeEngine{personality: p, rows: map[string][]byte{}}
}

var (
	text  = cqltype.Native(cqltype.Text)
	blob  = cqltype.Native(cqltype.Blob)
	inet  = cqltype.Native(cqltype.Inet)
	uuid  = cqltype.Native(cqltype.UUID)
	cint  = cqltype.Native(cqltype.Int)
	boole = cqltype.Native(cqltype.Boolean)
)

func kvColumn(name string, t *cqltype.Type) wire.Column {
	return wire.Column{Keyspace: "app", Table: "kv", Name: name, Type: t}
}

var (
	kvColumns  = []wire.Column{kvColumn("k", text), kvColumn("v", blob)}
	casColumns = []wire.Column{kvColumn("[applied]", boole), kvColumn("k", text), kvColumn("v", blob)}
)

func (f *fakeEngine) Prepare(_ context.Context, _, stmt string) (*server.Prepared, error) {
	f.prepares.Add(1)
	p := &server.Prepared{Plan: stmt, Size: len(stmt)}
	switch {
	case strings.HasPrefix(stmt, "INSERT INTO app.kv (k, v) VALUES (?, ?)"):
		p.Binds, p.PKIndices = kvColumns, []uint16{0}
	case stmt == "SELECT k, v FROM app.kv WHERE k = ?":
		p.Binds, p.PKIndices, p.Columns = kvColumns[:1], []uint16{0}, kvColumns
	case stmt == "SELECT k, v FROM app.kv":
		p.Columns = kvColumns
	case strings.HasPrefix(stmt, "BEGIN TRANSACTION"):
		p.Binds = []wire.Column{kvColumn("k", text), kvColumn("v", blob), kvColumn("k", text), kvColumn("v", blob)}
		p.PKIndices, p.NoGlobalSpec = []uint16{0}, true
	case strings.HasPrefix(stmt, "SELECT * FROM system"), strings.HasPrefix(stmt, "CREATE "):
	default:
		if cols := f.system(stmt); cols != nil {
			p.Columns = cols.Columns
			break
		}
		return nil, wire.Errorf(wire.CodeSyntaxError, "line 1:0 no viable alternative at input '%s'", stmt)
	}
	return p, nil
}

func (f *fakeEngine) Execute(ctx context.Context, p *server.Prepared, params *server.Params) (*server.Result, error) {
	f.executes.Add(1)
	return f.run(ctx, p.Plan.(string), params)
}

func (f *fakeEngine) Query(ctx context.Context, _, stmt string, params *server.Params) (*server.Result, error) {
	f.queries.Add(1)
	return f.run(ctx, stmt, params)
}

func (f *fakeEngine) Batch(ctx context.Context, b *server.Batch) (*server.Result, error) {
	applied := true
	for _, m := range b.Members {
		stmt := m.Text
		if m.Prepared != nil {
			stmt = m.Prepared.Plan.(string)
		}
		res, err := f.run(ctx, stmt, &server.Params{Values: m.Values})
		if err != nil {
			return nil, err
		}
		if res.Kind == server.Rows && res.Cells[0][0] == 0 {
			applied = false
		}
	}
	if !applied {
		return &server.Result{Kind: server.Rows, Columns: casColumns, Cells: [][]byte{{0}, []byte("x"), []byte("old")}}, nil
	}
	return &server.Result{Cost: server.Cost{Rounds: 1, Statements: len(b.Members)}}, nil
}

func (f *fakeEngine) run(ctx context.Context, stmt string, p *server.Params) (*server.Result, error) {
	f.mu.Lock()
	hook := f.hook
	f.mu.Unlock()
	if hook != nil {
		if res, err := hook(ctx, stmt, p); res != nil || err != nil {
			return res, err
		}
	}
	if res := f.system(stmt); res != nil {
		return res, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	one := server.Cost{Rounds: 1, Statements: 1}
	switch {
	case strings.HasPrefix(stmt, "INSERT INTO app.kv (k, v) VALUES (?, ?)"):
		if len(p.Values) != 2 {
			return nil, wire.Errorf(wire.CodeInvalid, "Invalid amount of bind variables")
		}
		k := string(p.Values[0].Data)
		if strings.HasSuffix(stmt, "IF NOT EXISTS") {
			if old, ok := f.rows[k]; ok {
				return &server.Result{Kind: server.Rows, Columns: casColumns, Cells: [][]byte{{0}, []byte(k), old}, Cost: one}, nil
			}
			f.rows[k] = append([]byte{}, p.Values[1].Data...)
			return &server.Result{Kind: server.Rows, Columns: casColumns[:1], Cells: [][]byte{{1}}, Cost: one}, nil
		}
		if !p.Values[1].Unset {
			f.rows[k] = append([]byte{}, p.Values[1].Data...)
		}
		return &server.Result{Cost: one}, nil
	case stmt == "SELECT k, v FROM app.kv WHERE k = ?":
		res := &server.Result{Kind: server.Rows, Columns: kvColumns, Cost: one}
		if v, ok := f.rows[string(p.Values[0].Data)]; ok {
			res.Cells = [][]byte{append([]byte{}, p.Values[0].Data...), v}
		}
		return res, nil
	case stmt == "SELECT k, v FROM app.kv":
		return f.page(p), nil
	case strings.HasPrefix(stmt, "BEGIN TRANSACTION"):
		if len(p.Values) != 4 {
			return nil, wire.Errorf(wire.CodeInvalid, "block got %d values", len(p.Values))
		}
		for i := 0; i < 4; i += 2 {
			f.rows[string(p.Values[i].Data)] = append([]byte{}, p.Values[i+1].Data...)
		}
		return &server.Result{Cost: server.Cost{Rounds: 2, Commits: 1, Statements: 2}}, nil
	case strings.HasPrefix(stmt, "USE "):
		return &server.Result{Kind: server.SetKeyspace, Keyspace: strings.Trim(stmt[4:], ` "`)}, nil
	case strings.HasPrefix(stmt, "CREATE TABLE"):
		return &server.Result{Kind: server.SchemaChanged, Change: &wire.SchemaChange{
			Kind: wire.Created, Target: wire.TargetTable, Keyspace: "app", Name: "kv",
		}}, nil
	}
	return nil, wire.Errorf(wire.CodeSyntaxError, "line 1:0 no viable alternative at input '%s'", stmt)
}

// page pages over the table in the order of keys; the paging state is the last key.
func (f *fakeEngine) page(p *server.Params) *server.Result {
	keys := make([]string, 0, len(f.rows))
	for k := range f.rows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	res := &server.Result{Kind: server.Rows, Columns: kvColumns, Cost: server.Cost{Rounds: 1, Statements: 1}}
	for _, k := range keys {
		if p.PagingState != nil && k <= string(p.PagingState) {
			continue
		}
		if p.PageSize > 0 && res.RowCount() == int(p.PageSize) {
			res.PagingState = append([]byte{}, res.Row(res.RowCount() - 1)[0]...)
			break
		}
		res.Cells = append(res.Cells, []byte(k), f.rows[k])
	}
	return res
}

var hostID = []byte("0123456789abcdef")

func (f *fakeEngine) system(stmt string) *server.Result {
	stmt = strings.Join(strings.Fields(strings.TrimRight(stmt, "; ")), " ")
	release := "5.0.6"
	if f.personality == server.YCQL {
		release = "3.9-SNAPSHOT"
	}
	addr := []byte{127, 0, 0, 1}
	table := func(name string, cols string, types []*cqltype.Type, cells ...[]byte) *server.Result {
		keyspace, name, _ := strings.Cut(name, ".")
		res := &server.Result{Kind: server.Rows, Cells: cells}
		for i, c := range strings.Fields(cols) {
			res.Columns = append(res.Columns, wire.Column{Keyspace: keyspace, Table: name, Name: c, Type: types[i]})
		}
		return res
	}
	switch {
	case stmt == "SELECT schema_version FROM system.local WHERE key='local'":
		return table("system.local", "schema_version", []*cqltype.Type{uuid}, hostID)
	case strings.HasPrefix(stmt, "SELECT * FROM system.local"):
		return table("system.local", "key data_center rack host_id release_version partitioner rpc_address broadcast_address schema_version tokens",
			[]*cqltype.Type{text, text, text, uuid, text, text, inet, inet, uuid, cqltype.SetOf(text, false)},
			[]byte("local"), []byte("dc1"), []byte("rack1"), hostID, []byte(release),
			[]byte("org.apache.cassandra.dht.Murmur3Partitioner"), addr, addr, hostID,
			cqltype.EncodeCollection(cqltype.SetOf(text, false), [][]byte{[]byte("0")}))
	case strings.HasPrefix(stmt, "SELECT * FROM system.peers_v2") && f.personality == server.Cassandra,
		stmt == "SELECT * FROM system.peers":
		return table("system.peers", "peer schema_version", []*cqltype.Type{inet, uuid})
	case stmt == "SELECT * FROM system.partitions":
		replicas := cqltype.MapOf(inet, text, false)
		return table("system.partitions", "keyspace_name table_name start_key end_key id replica_addresses",
			[]*cqltype.Type{text, text, blob, blob, uuid, replicas},
			[]byte("app"), []byte("kv"), []byte{}, []byte{}, hostID,
			cqltype.EncodeCollection(replicas, [][]byte{addr, []byte("LEADER")}))
	case strings.Contains(stmt, "FROM system_schema.keyspaces"):
		replication := cqltype.MapOf(text, text, false)
		if strings.HasPrefix(stmt, "SELECT durable_writes, replication") {
			return table("system_schema.keyspaces", "durable_writes replication", []*cqltype.Type{boole, replication},
				[]byte{1}, cqltype.EncodeCollection(replication, [][]byte{
					[]byte("class"), []byte("org.apache.cassandra.locator.SimpleStrategy"), []byte("replication_factor"), []byte("1"),
				}))
		}
		return table("system_schema.keyspaces", "keyspace_name durable_writes replication", []*cqltype.Type{text, boole, replication})
	case strings.Contains(stmt, "FROM system_schema.tables"):
		return table("system_schema.tables", "table_name", []*cqltype.Type{text}, []byte("kv"))
	case strings.Contains(stmt, "FROM system_schema.views"):
		return table("system_schema.views", "view_name", []*cqltype.Type{text})
	case strings.Contains(stmt, "FROM system_schema.columns"):
		pos := binary.BigEndian.AppendUint32(nil, 0)
		return table("system_schema.columns", "table_name column_name clustering_order type kind position",
			[]*cqltype.Type{text, text, text, text, text, cint},
			[]byte("kv"), []byte("k"), []byte("none"), []byte("text"), []byte("partition_key"), pos,
			[]byte("kv"), []byte("v"), []byte("none"), []byte("blob"), []byte("regular"), binary.BigEndian.AppendUint32(nil, 0xffffffff))
	}
	return nil
}

// node is a server with a fake engine, reachable over TCP and over a pipe.
type node struct {
	*server.Server
	engine   *fakeEngine
	tcp      net.Listener
	pipe     *pipe.Listener
	counters *server.Counters // of the pipe
}

func start(t testing.TB, opts server.Options) *node {
	t.Helper()
	return startOn(t, opts, func(l net.Listener) net.Listener { return l })
}

// startOn has the server accept TCP connections from what wrap makes of the listener.
func startOn(t testing.TB, opts server.Options, wrap func(net.Listener) net.Listener) *node {
	t.Helper()
	if opts.Personality == "" {
		opts.Personality = server.Cassandra
	}
	n := &node{engine: newFake(opts.Personality), counters: &server.Counters{}}
	var err error
	if n.Server, err = server.New(n.engine, opts); err != nil {
		t.Fatal(err)
	}
	if n.tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	n.pipe = pipe.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9042})
	var serving sync.WaitGroup
	serving.Go(func() { n.Serve(wrap(n.tcp), nil) })
	serving.Go(func() { n.Serve(n.pipe, n.counters) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("Close() = %v", err)
		}
		serving.Wait()
	})
	return n
}

// eventually polls until ok, or fails the test when its patience ends.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen in time: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func key(i int) string { return fmt.Sprintf("key-%05d", i) }
