package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// encodedQuery is a QUERY frame.
func encodedQuery(t testing.TB, stream int16, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := frame.NewCodec().EncodeFrame(frame.NewFrame(4, stream, query(text)), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bigAnswers(n *node, size int) {
	cell := make([]byte, size)
	n.engine.hook = func(_ context.Context, text string, _ *server.Params) (*server.Result, error) {
		if text == "big" {
			return &server.Result{Kind: server.Rows, Columns: kvColumns[1:], Cells: [][]byte{cell}}, nil
		}
		return nil, nil
	}
}

func TestAClientThatDoesNotReadIsNotReadFromAndBlocksNobody(t *testing.T) {
	const highWater, answer = 1 << 20, 256 << 10
	n := start(t, server.Options{HighWater: highWater, MaxStreams: 4})
	bigAnswers(n, answer)
	lazy := dial(t, n).startup("")
	request := encodedQuery(t, 1, "big")
	asked := make(chan int, 1)
	go func() {
		i := 0
		for {
			if _, err := lazy.conn.Write(request); err != nil {
				break
			}
			i++
		}
		asked <- i
	}()
	other := dial(t, n).startup("")
	// Until the mark is reached, and 500 questions more. Of what is held the system
	// may still take some in between, so not every look finds the mark reached.
	for held := 0; held < 500; {
		if _, ok := other.ask(query(scan)).(*message.RowsResult); !ok {
			t.Fatal("another client was not served")
		}
		// A request that runs when the mark is reached may still answer.
		got := n.Stats().UnreadBytes
		if got > highWater+5*(answer+100) {
			t.Fatalf("%d bytes of answers are held for a client that does not read", got)
		}
		if got >= highWater {
			held++
		}
	}
	lazy.conn.SetWriteDeadline(time.Now()) // it has asked enough
	t.Logf("%d requests written; answers held: %d bytes", <-asked, n.Stats().UnreadBytes)
	// Once it reads, it gets everything, and goes on.
	lazy.conn.SetDeadline(time.Now().Add(patience))
	for range 10 {
		if rows, ok := lazy.read().Body.Message.(*message.RowsResult); !ok || len(rows.Data[0][0]) != answer {
			t.Fatal("an answer is missing")
		}
	}
}

// watched is a listener that hands out its server's ends of connections as well, for
// tests that let deadlines come. A StallTimeout of milliseconds would tell of nothing:
// the server may be kept from its work for longer than that.
type watched struct {
	net.Listener
	conns chan *watchedConn
}

func (l *watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &watchedConn{TCPConn: c.(*net.TCPConn)}
	l.conns <- w
	return w, nil
}

// watchedConn knows the deadlines that were set last.
type watchedConn struct {
	*net.TCPConn
	readBy, writeBy atomic.Pointer[time.Time]
}

func (c *watchedConn) SetReadDeadline(t time.Time) error {
	err := c.TCPConn.SetReadDeadline(t)
	c.readBy.Store(&t)
	return err
}

func (c *watchedConn) SetWriteDeadline(t time.Time) error {
	err := c.TCPConn.SetWriteDeadline(t)
	c.writeBy.Store(&t)
	return err
}

// due waits until a deadline is set that is no more than stall away.
func due(t *testing.T, stall time.Duration, deadline *atomic.Pointer[time.Time]) {
	t.Helper()
	eventually(t, "a deadline is set", func() bool {
		by := deadline.Load()
		return by != nil && !by.IsZero() && time.Until(*by) <= stall
	})
}

var longAgo = time.Unix(1, 0)

func TestAClientThatNeverReadsIsCutOff(t *testing.T) {
	const stall = time.Hour
	for _, tt := range []struct {
		name  string
		opts  server.Options
		comes bool // the deadline of writes
	}{
		{"when a write makes no progress", server.Options{StallTimeout: stall}, true},
		{"when too much waits for it", server.Options{MaxUnread: 3 << 20, HighWater: 1 << 30}, false},
		{"when too much waits for all", server.Options{MaxUnreadSum: 3 << 20, HighWater: 1 << 30}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conns := make(chan *watchedConn, 2)
			n := startOn(t, tt.opts, func(l net.Listener) net.Listener { return &watched{l, conns} })
			bigAnswers(n, 1<<20)
			lazy := dial(t, n).startup("")
			for i := range 40 {
				if _, err := lazy.conn.Write(encodedQuery(t, int16(i), "big")); err != nil {
					break // already cut off
				}
			}
			if tt.comes {
				eventually(t, "its answers wait", func() bool { return n.Stats().UnreadBytes >= 1<<20 })
				c := <-conns
				due(t, stall, &c.writeBy)
				c.TCPConn.SetWriteDeadline(longAgo)
			}
			eventually(t, "the client is cut off", func() bool {
				st := n.Stats()
				return st.SlowClients > 0 && st.Connections == 0 && st.UnreadBytes == 0 && st.InFlight == 0 && st.RequestBytes == 0
			})
			dial(t, n).startup("").ask(query(scan))
		})
	}
}

func TestAnEventForAClientThatDoesNotReadDelaysNobody(t *testing.T) {
	n := start(t, server.Options{HighWater: 1 << 30})
	bigAnswers(n, 8<<20)
	lazy := dial(t, n).startup("")
	lazy.ask(&message.Register{EventTypes: []primitive.EventType{"SCHEMA_CHANGE"}})
	lazy.write(1, query("big"))
	eventually(t, "its answer waits", func() bool { return n.Stats().UnreadBytes > 0 })
	maker := dial(t, n).startup("")
	for range 100 {
		maker.ask(query("CREATE TABLE app.kv (k text PRIMARY KEY)"))
	}
}

func TestAFrameThatIsNotCompletedInTimeEndsItsConnection(t *testing.T) {
	const stall = time.Hour
	conns := make(chan *watchedConn, 4)
	n := startOn(t, server.Options{StallTimeout: stall}, func(l net.Listener) net.Listener { return &watched{l, conns} })
	idle := dial(t, n).startup("")
	idles := <-conns
	for range 3 {
		c := dial(t, n).startup("")
		c.conn.Write(encodedQuery(t, 1, "half of this")[:15])
		its := <-conns
		due(t, stall, &its.readBy)
		its.TCPConn.SetReadDeadline(longAgo)
		c.closed()
	}
	if by := idles.readBy.Load(); by != nil && !by.IsZero() {
		t.Fatalf("between frames there is a limit: %v", *by)
	}
	idle.ask(query(scan))
}

func TestTenThousandIdleConnections(t *testing.T) {
	const count = 10_000
	n := start(t, server.Options{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	conns := make([]net.Conn, 0, count)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range count {
		// Over the pipe: it needs no descriptors, and the server's part is the same.
		c, err := n.pipe.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		newRawQuiet(t, c).startup("")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse) / count
	t.Logf("%d bytes an idle connection, both ends", each)
	if each > 24<<10 {
		t.Errorf("an idle connection costs %d bytes, want at most 24 KiB", each)
	}
	if got := runtime.NumGoroutine() - goroutines; got > count+200 {
		t.Errorf("%d goroutines for %d connections", got, count)
	}
	if _, ok := newRawQuiet(t, conns[count-1]).ask(query(scan)).(*message.RowsResult); !ok {
		t.Fatal("the last one is not served")
	}
	for _, c := range conns {
		c.Close()
	}
	eventually(t, "all are gone", func() bool { return n.Stats().Connections == 0 })
	eventually(t, "their goroutines are gone", func() bool { return runtime.NumGoroutine() < goroutines+200 })
}

// newRawQuiet is newRaw without deadline and clean-up.
func newRawQuiet(t testing.TB, c net.Conn) *rawClient {
	return &rawClient{t: t, conn: c, codec: frame.NewRawCodec(), version: 4}
}

// Random bytes, cut frames and flipped bits, after a good start or at once: the
// server must survive them, answer others, and hold nothing afterwards.
func TestGarbage(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("CQL_TEST_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("seed %d (CQL_TEST_SEED repeats it)", seed)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	n := start(t, server.Options{MaxFrame: 1 << 20, StallTimeout: patience})
	good := dial(t, n).startup("")
	for range 500 {
		c, err := n.pipe.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if r.IntN(2) == 0 {
			newRawQuiet(t, c).startup("")
		}
		var junk []byte
		for range 1 + r.IntN(5) {
			f := encodedQuery(t, int16(r.IntN(100)), insert)
			f[4] = byte(r.IntN(17)) // any opcode
			for range r.IntN(6) {
				f[r.IntN(len(f))] = byte(r.Uint32())
			}
			junk = append(junk, f[:len(f)-r.IntN(2)*r.IntN(len(f))]...)
		}
		c.SetWriteDeadline(time.Now().Add(patience))
		c.Write(junk)
		c.Close()
		if r.IntN(50) == 0 {
			if _, ok := good.ask(query(scan)).(*message.RowsResult); !ok {
				t.Fatal("a well-behaved client was not served")
			}
		}
	}
	eventually(t, "all is given back", func() bool {
		st := n.Stats()
		return st.Connections == 1 && st.InFlight == 0 && st.RequestBytes == 0 && st.UnreadBytes == 0
	})
	if got := n.Stats().Panics; got != 0 {
		t.Fatalf("%d panics", got)
	}
}

// FuzzConnection writes bytes to a connection that was started properly.
func FuzzConnection(f *testing.F) {
	f.Add(encodedQuery(f, 1, scan))
	f.Add(append(encodedQuery(f, 1, "USE app"), encodedQuery(f, 2, insert)...))
	f.Add([]byte{4, 4, 0, 1, byte(wire.OpQuery), 0, 0, 0, 2, 0, 9})
	n := start(f, server.Options{MaxFrame: 1 << 20})
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := n.pipe.Dial(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		newRawQuiet(t, c).startup("")
		c.Write(in)
		c.(interface{ CloseWrite() error }).CloseWrite()
		c.SetReadDeadline(time.Now().Add(patience))
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				if os.IsTimeout(err) {
					t.Fatal("the connection did not end")
				}
				break
			}
		}
		c.Close()
		if n.Stats().Panics != 0 {
			t.Fatal("a request made the server panic")
		}
	})
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	cert, pool := certificate(t)
	secure := func(limit time.Duration) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, server.Options{HandshakeTimeout: limit})
		go n.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}), nil)
		return l.Addr().String()
	}
	addr := secure(patience)
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	c := newRaw(t, conn).startup("lz4")
	if _, ok := c.ask(query(scan)).(*message.RowsResult); !ok {
		t.Fatal("query over TLS failed")
	}
	for _, bad := range []struct {
		name, addr string
		says       []byte
	}{
		{"plain text", addr, encodedQuery(t, 1, scan)},
		// Of a server of its own: no handshake may be sure to end in so short a time.
		{"nothing", secure(20 * time.Millisecond), nil},
	} {
		raw, err := net.Dial("tcp", bad.addr)
		if err != nil {
			t.Fatal(err)
		}
		raw.Write(bad.says)
		t.Log(bad.name)
		newRaw(t, raw).closed()
	}
	if _, ok := c.ask(query(scan)).(*message.RowsResult); !ok {
		t.Fatal("query over TLS failed afterwards")
	}
}

func BenchmarkSelect(b *testing.B) {
	for _, over := range []string{"pipe", "tcp"} {
		for _, conc := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", over, conc), func(b *testing.B) {
				n := start(b, server.Options{})
				cluster := gocqlCluster(n, over == "pipe")
				cluster.WriteCoalesceWaitTime = 0
				s, err := cluster.CreateSession()
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				if err := s.Query(insert, "k", make([]byte, 300)).Exec(); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				var wg sync.WaitGroup
				for i := range conc {
					wg.Go(func() {
						var k string
						var v []byte
						for j := i; j < b.N; j += conc {
							if err := s.Query(read, "k").Scan(&k, &v); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}
