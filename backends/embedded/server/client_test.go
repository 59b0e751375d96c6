package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/datastax/go-cassandra-native-protocol/compression/lz4"
	"github.com/datastax/go-cassandra-native-protocol/compression/snappy"
	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"
)

// rawClient speaks the protocol frame by frame with a codec that is not ours.
type rawClient struct {
	t       testing.TB
	conn    net.Conn
	codec   frame.RawCodec
	packs   bool
	version primitive.ProtocolVersion
}

func dial(t testing.TB, n *node) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", n.tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, conn)
}

// patience is how long a test waits for what should happen at once: so long that
// only what never happens is missed, however slow the machine.
const patience = 2 * time.Minute

func newRaw(t testing.TB, conn net.Conn) *rawClient {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return &rawClient{t: t, conn: conn, codec: frame.NewRawCodec(), version: primitive.ProtocolVersion4}
}

func (c *rawClient) write(stream int16, msg message.Message) {
	c.t.Helper()
	if _, err := c.conn.Write(c.encode(stream, msg)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) encode(stream int16, msg message.Message) []byte {
	c.t.Helper()
	f := frame.NewFrame(c.version, stream, msg)
	f.SetCompress(c.packs)
	var b bytes.Buffer
	if err := c.codec.EncodeFrame(f, &b); err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}

func (c *rawClient) read() *frame.Frame {
	c.t.Helper()
	f, err := c.codec.DecodeFrame(c.conn)
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

func (c *rawClient) ask(msg message.Message) message.Message {
	c.t.Helper()
	c.write(7, msg)
	f := c.read()
	if f.Header.StreamId != 7 {
		c.t.Fatalf("answer on stream %d, want 7", f.Header.StreamId)
	}
	return f.Body.Message
}

func (c *rawClient) startup(compression string) *rawClient {
	c.t.Helper()
	options := map[string]string{"CQL_VERSION": "3.0.0"}
	if compression != "" {
		options["COMPRESSION"] = compression
	}
	if got, ok := c.ask(&message.Startup{Options: options}).(*message.Ready); !ok {
		c.t.Fatalf("STARTUP answered with %v", got)
	}
	c.packs = compression != ""
	switch compression {
	case "lz4":
		c.codec = frame.NewRawCodecWithCompression(lz4.Compressor{})
	case "snappy":
		c.codec = frame.NewRawCodecWithCompression(snappy.Compressor{})
	}
	return c
}

func query(text string, values ...[]byte) *message.Query {
	q := &message.Query{Query: text, Options: &message.QueryOptions{Consistency: primitive.ConsistencyLevelQuorum}}
	for _, v := range values {
		q.Options.PositionalValues = append(q.Options.PositionalValues, primitive.NewValue(v))
	}
	return q
}

// closed waits until the server has closed the connection.
func (c *rawClient) closed() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c.conn); err != nil {
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			c.t.Fatal("the server did not close the connection")
		}
	}
}
