package corpus

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/datastax/go-cassandra-native-protocol/datatype"
	"github.com/datastax/go-cassandra-native-protocol/frame"
	"github.com/datastax/go-cassandra-native-protocol/message"
	"github.com/datastax/go-cassandra-native-protocol/primitive"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// client speaks native protocol v4 one request at a time, with a codec that is not
// ours: what the corpus sees is what a driver would see, metadata and all.
type client struct {
	conn  net.Conn
	codec frame.Codec
	// impatient makes answers of a busy server errors.
	impatient bool
}

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, codec: frame.NewCodec()}
	if _, err := c.call(message.NewStartup()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// call sends a request and returns the answer, an ERROR message included.
func (c *client) call(m message.Message) (message.Message, error) {
	var b bytes.Buffer
	if err := c.codec.EncodeFrame(frame.NewFrame(primitive.ProtocolVersion4, 1, m), &b); err != nil {
		return nil, err
	}
	if err := c.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(b.Bytes()); err != nil {
		return nil, err
	}
	f, err := c.codec.DecodeFrame(c.conn)
	if err != nil {
		return nil, err
	}
	if e, ok := f.Body.Message.(message.Error); ok && c.impatient {
		switch e.GetErrorCode() {
		case primitive.ErrorCodeUnavailable, primitive.ErrorCodeOverloaded, primitive.ErrorCodeIsBootstrapping,
			primitive.ErrorCodeWriteTimeout, primitive.ErrorCodeReadTimeout:
			return nil, fmt.Errorf("%w: %s", errBusy, e.GetErrorMessage())
		default:
		}
	}
	return f.Body.Message, nil
}

func (c *client) query(text string, o *message.QueryOptions) (message.Message, error) {
	return c.call(&message.Query{Query: text, Options: o})
}

// typeOf turns the protocol's description of a type into ours.
func typeOf(d datatype.DataType) (*cqltype.Type, error) {
	switch t := d.(type) {
	case *datatype.List:
		e, err := typeOf(t.ElementType)
		return cqltype.ListOf(e, false), err
	case *datatype.Set:
		e, err := typeOf(t.ElementType)
		return cqltype.SetOf(e, false), err
	case *datatype.Map:
		k, err := typeOf(t.KeyType)
		if err != nil {
			return nil, err
		}
		v, err := typeOf(t.ValueType)
		return cqltype.MapOf(k, v, false), err
	case *datatype.Tuple:
		types, err := typesOf(t.FieldTypes)
		return cqltype.TupleOf(types...), err
	case *datatype.UserDefined:
		types, err := typesOf(t.FieldTypes)
		return cqltype.UDTOf(t.Keyspace, t.Name, t.FieldNames, types, false), err
	case *datatype.Custom:
		if strings.HasSuffix(t.ClassName, "DurationType") {
			return cqltype.Native(cqltype.Duration), nil
		}
		return nil, fmt.Errorf("unknown custom type %s", t.ClassName)
	}
	if t := cqltype.Native(cqltype.Kind(d.Code())); t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("unknown type %s", d)
}

func typesOf(in []datatype.DataType) ([]*cqltype.Type, error) {
	out := make([]*cqltype.Type, len(in))
	for i, d := range in {
		t, err := typeOf(d)
		if err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}
