package yugabyte_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/engine"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/pipe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
	"github.com/temporal-ycql/temporal-ycql/backends/yugabyte"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// cluster is several servers over one engine, which look like a cluster to a
// client: each has an address of its own, knows the others, and says of each
// tablet which of them leads it. Its addresses exist in this process only.
type cluster struct {
	t      *testing.T
	engine *engine.Engine

	mu     sync.Mutex
	nodes  map[string]*clusterNode // by address
	leader func(table string, start uint16) string
	answer func(node, text string) (*server.Result, error) // in place of the engine's, if not both nil
	texts  map[string]int                                  // how often each was prepared
	asked  map[string]int64                                // by address, statements of users
}

type clusterNode struct {
	cluster *cluster
	address string
	hostID  byte
	server  *server.Server
	pipe    *pipe.Listener
	served  server.Counters
}

// startCluster starts one server for each address. All tablets are led by the first.
func startCluster(t *testing.T, addresses ...string) *cluster {
	t.Helper()
	e, err := engine.Open(engine.Options{Dialect: parse.YCQL, Ephemeral: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, engine: e, nodes: map[string]*clusterNode{}, texts: map[string]int{}, asked: map[string]int64{}}
	c.leader = func(string, uint16) string { return addresses[0] }
	for i, a := range addresses {
		c.start(a, byte(i+1))
	}
	t.Cleanup(func() {
		for _, n := range c.all() {
			c.stop(n.address)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// start starts a server; a host ID that was there before is that server at
// another address.
func (c *cluster) start(address string, hostID byte) {
	c.t.Helper()
	n := &clusterNode{cluster: c, address: address, hostID: hostID}
	var err error
	if n.server, err = server.New(n, server.Options{Personality: server.YCQL}); err != nil {
		c.t.Fatal(err)
	}
	n.pipe = pipe.Listen(&net.TCPAddr{IP: net.ParseIP(address), Port: 9042})
	go func() { _ = n.server.Serve(n.pipe, &n.served) }()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[address] = n
}

// stop ends a server and its connections.
func (c *cluster) stop(address string) {
	c.t.Helper()
	c.mu.Lock()
	n := c.nodes[address]
	delete(c.nodes, address)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.server.Close(ctx); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) all() []*clusterNode {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.nodes), func(a, b *clusterNode) int { return strings.Compare(a.address, b.address) })
}

func (c *cluster) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// requests returns how many statements each server was sent. Those that a driver and
// a session send by themselves, at any time, are not among them.
func (c *cluster) requests() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.asked)
}

func (c *cluster) dial(ctx context.Context, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	n := c.nodes[host]
	c.mu.Unlock()
	if n == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return n.pipe.Dial(ctx)
}

func (c *cluster) opener(t *testing.T, more map[string]any) backend.Opener {
	t.Helper()
	hosts := make([]any, 0, len(c.nodes))
	for _, n := range c.all() {
		hosts = append(hosts, n.address)
	}
	raw := map[string]any{"hosts": hosts, "keyspace": "ks", "connectTimeout": "10s", "timeout": "1m", "maxConns": 1}
	maps.Copy(raw, more)
	o, err := yugabyte.NewWithDial(c.dial).ParseOptions(raw)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// create runs schema changes.
func (c *cluster) create(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if _, err := c.engine.Query(c.t.Context(), "ks", text, &server.Params{}); err != nil {
			c.t.Fatalf("%s: %v", text, err)
		}
	}
}

// Prepare implements server.Engine, as do the next three.
func (n *clusterNode) Prepare(ctx context.Context, keyspace, text string) (*server.Prepared, error) {
	n.cluster.set(func() { n.cluster.texts[text]++ })
	return n.cluster.engine.Prepare(ctx, keyspace, text)
}

func (n *clusterNode) Execute(ctx context.Context, p *server.Prepared, params *server.Params) (*server.Result, error) {
	return n.run(p.Text, func() (*server.Result, error) { return n.cluster.engine.Execute(ctx, p, params) })
}

func (n *clusterNode) Query(ctx context.Context, keyspace, text string, params *server.Params) (*server.Result, error) {
	return n.run(text, func() (*server.Result, error) { return n.cluster.engine.Query(ctx, keyspace, text, params) })
}

func (n *clusterNode) Batch(ctx context.Context, b *server.Batch) (*server.Result, error) {
	text := "BATCH"
	for _, m := range b.Members {
		if m.Prepared != nil {
			text += "\n" + m.Prepared.Text
		} else {
			text += "\n" + m.Text
		}
	}
	return n.run(text, func() (*server.Result, error) { return n.cluster.engine.Batch(ctx, b) })
}

func (n *clusterNode) run(text string, run func() (*server.Result, error)) (*server.Result, error) {
	n.cluster.mu.Lock()
	answer := n.cluster.answer
	if !strings.Contains(text, "system") && !strings.HasPrefix(text, "USE ") {
		n.cluster.asked[n.address]++
	}
	n.cluster.mu.Unlock()
	if answer != nil {
		if res, err := answer(n.address, text); res != nil || err != nil {
			return res, err
		}
	}
	res, err := run()
	if err != nil || res.Kind != server.Rows {
		return res, err
	}
	switch {
	case strings.Contains(text, "system.local"):
		return row(res.Columns, values(res, 0), n.identity()), nil
	case strings.Contains(text, "system.peers"):
		local, err := n.cluster.engine.Query(context.Background(), "", "SELECT * FROM system.local", &server.Params{})
		if err != nil {
			return nil, err
		}
		peers := &server.Result{Kind: server.Rows, Columns: res.Columns}
		for _, other := range n.cluster.all() {
			if other != n {
				peers.Cells = append(peers.Cells, row(res.Columns, values(local, 0), other.identity()).Cells...)
			}
		}
		return peers, nil
	case strings.Contains(text, "system.partitions"):
		tablets := &server.Result{Kind: server.Rows, Columns: res.Columns}
		for i := range res.RowCount() {
			v := values(res, i)
			tablets.Cells = append(tablets.Cells, row(res.Columns, v, n.cluster.replicas(string(v["table_name"]), v["start_key"])).Cells...)
		}
		return tablets, nil
	}
	return res, nil
}

// identity is what the node says of itself in system.local, others in system.peers.
func (n *clusterNode) identity() map[string][]byte {
	id := make([]byte, 16)
	id[15] = n.hostID
	own := map[string][]byte{"host_id": id, "data_center": []byte("dc" + n.address[strings.LastIndexByte(n.address, '.')+1:])}
	for _, name := range []string{"broadcast_address", "listen_address", "rpc_address", "preferred_ip", "peer"} {
		own[name] = net.ParseIP(n.address).To4()
	}
	return own
}

// replicas is the map of a tablet's replicas in the protocol's form.
func (c *cluster) replicas(table string, key []byte) map[string][]byte {
	start := uint16(0)
	if len(key) == 2 {
		start = binary.BigEndian.Uint16(key)
	}
	c.mu.Lock()
	leader := c.leader(table, start)
	c.mu.Unlock()
	var b []byte
	add := func(v []byte) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) }
	nodes := c.all()
	b = binary.BigEndian.AppendUint32(b, uint32(len(nodes)))
	for _, n := range nodes {
		add(net.ParseIP(n.address).To4())
		if n.address == leader {
			add([]byte("LEADER"))
		} else {
			add([]byte("FOLLOWER"))
		}
	}
	return map[string][]byte{"replica_addresses": b}
}

func values(res *server.Result, i int) map[string][]byte {
	v := map[string][]byte{}
	for at, cell := range res.Row(i) {
		v[res.Columns[at].Name] = cell
	}
	return v
}

// row is a result of one row: what own holds, else what from holds.
func row(columns []wire.Column, from, own map[string][]byte) *server.Result {
	res := &server.Result{Kind: server.Rows, Columns: columns}
	for _, c := range columns {
		v, ok := own[c.Name]
		if !ok {
			v = from[c.Name]
		}
		res.Cells = append(res.Cells, v)
	}
	return res
}
