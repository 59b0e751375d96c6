package wire

import (
	"encoding/binary"
	"net"
	"sort"
)

// The kinds of RESULT, section 4.2.5.
const (
	resultVoid         = 1
	resultRows         = 2
	resultSetKeyspace  = 3
	resultPrepared     = 4
	resultSchemaChange = 5
)

// The flags of result metadata.
const (
	metaGlobalSpec = 0x01
	metaMorePages  = 0x02
	metaNoMetadata = 0x04
)

// AppendError appends the body of an ERROR message. Version 3 does not know the
// failures: like Cassandra (ErrorMessage.java), it gets the timeouts and
// "invalid" instead.
func AppendError(b []byte, v Version, e *Error) []byte {
	code := e.Code
	if v < V4 {
		switch code {
		case CodeReadFailure:
			code = CodeReadTimeout
		case CodeWriteFailure:
			code = CodeWriteTimeout
		case CodeFunctionFailure:
			code = CodeInvalid
		default: // is as old as version 3
		}
	}
	b = appendInt(b, int32(code))
	b = appendString(b, e.Message)
	switch code {
	case CodeUnavailable:
		b = appendShort(b, uint16(e.Consistency))
		b = appendInt(b, e.Required)
		b = appendInt(b, e.Received)
	case CodeWriteTimeout, CodeReadTimeout, CodeReadFailure, CodeWriteFailure:
		b = appendShort(b, uint16(e.Consistency))
		b = appendInt(b, e.Received)
		b = appendInt(b, e.Required)
		if code == CodeReadFailure || code == CodeWriteFailure {
			b = appendInt(b, e.Failures)
		}
		if code == CodeWriteTimeout || code == CodeWriteFailure {
			b = appendString(b, e.WriteType)
		} else {
			b = appendBool(b, e.DataPresent)
		}
	case CodeFunctionFailure:
		b = appendString(b, e.Keyspace)
		b = appendString(b, e.Function)
		b = appendStringList(b, e.Args)
	case CodeAlreadyExists:
		b = appendString(b, e.Keyspace)
		b = appendString(b, e.Table)
	case CodeUnprepared:
		b = appendShortBytes(b, e.ID)
	default: // the message is all
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendSupported appends the body of a SUPPORTED message, in the order of the keys.
func AppendSupported(b []byte, options map[string][]string) []byte {
	keys := make([]string, 0, len(options))
	for k := range options {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	b = appendShort(b, uint16(len(keys)))
	for _, k := range keys {
		b = appendString(b, k)
		b = appendStringList(b, options[k])
	}
	return b
}

// AppendAuthenticate appends the body of an AUTHENTICATE message.
func AppendAuthenticate(b []byte, class string) []byte { return appendString(b, class) }

// AppendAuthToken appends the body of an AUTH_SUCCESS or AUTH_CHALLENGE message; a
// nil token is null.
func AppendAuthToken(b, token []byte) []byte { return appendBytes(b, token) }

// AppendVoid appends the body of a RESULT without content.
func AppendVoid(b []byte) []byte { return appendInt(b, resultVoid) }

// AppendSetKeyspace appends the body of the RESULT of USE.
func AppendSetKeyspace(b []byte, keyspace string) []byte {
	return appendString(appendInt(b, resultSetKeyspace), keyspace)
}

// AppendSchemaChange appends the body of the RESULT of a DDL statement.
func AppendSchemaChange(b []byte, c *SchemaChange) []byte {
	return appendChange(appendInt(b, resultSchemaChange), c)
}

func appendChange(b []byte, c *SchemaChange) []byte {
	b = appendString(b, string(c.Kind))
	b = appendString(b, string(c.Target))
	b = appendString(b, c.Keyspace)
	switch c.Target {
	case TargetKeyspace:
	case TargetFunction, TargetAggregate:
		b = appendString(b, c.Name)
		b = appendStringList(b, c.Args)
	default:
		b = appendString(b, c.Name)
	}
	return b
}

// The event types of REGISTER.
const (
	EventTopologyChange = "TOPOLOGY_CHANGE"
	EventStatusChange   = "STATUS_CHANGE"
	EventSchemaChange   = "SCHEMA_CHANGE"
)

// AppendSchemaEvent appends the body of an EVENT about a schema change.
func AppendSchemaEvent(b []byte, c *SchemaChange) []byte {
	return appendChange(appendString(b, EventSchemaChange), c)
}

// AppendNodeEvent appends the body of a TOPOLOGY_CHANGE or STATUS_CHANGE event;
// change is NEW_NODE, REMOVED_NODE, MOVED_NODE, UP or DOWN.
func AppendNodeEvent(b []byte, event, change string, ip net.IP, port int) []byte {
	b = appendString(b, event)
	b = appendString(b, change)
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	b = append(b, byte(len(ip)))
	b = append(b, ip...)
	return appendInt(b, int32(port))
}

// Specs is the encoded form of the columns of a statement, to be made once and
// sent many times.
type Specs struct {
	count  int
	global bool
	b      []byte // global spec if there is one, then the columns
}

// EncodeSpecs encodes cols for version v: with a global keyspace and table if all
// columns have the same, unless perColumn asks for one each.
func EncodeSpecs(v Version, cols []Column, perColumn bool) Specs {
	s := Specs{count: len(cols), global: !perColumn && sameTable(cols)}
	s.b = appendSpecs(nil, v, cols, s.global)
	return s
}

// Size is the memory held, in bytes.
func (s Specs) Size() int { return cap(s.b) }

func sameTable(cols []Column) bool {
	for i := range cols {
		if cols[i].Table != cols[0].Table || cols[i].Keyspace != cols[0].Keyspace {
			return false
		}
	}
	return len(cols) > 0
}

func appendSpecs(b []byte, v Version, cols []Column, global bool) []byte {
	if global {
		b = appendString(b, cols[0].Keyspace)
		b = appendString(b, cols[0].Table)
	}
	for i := range cols {
		if !global {
			b = appendString(b, cols[i].Keyspace)
			b = appendString(b, cols[i].Table)
		}
		b = appendString(b, cols[i].Name)
		b = cols[i].Type.AppendOption(b, byte(v))
	}
	return b
}

// RowsMeta is the metadata of a RESULT with rows.
type RowsMeta struct {
	// Specs are the columns; Skip leaves all but their number out.
	Specs Specs
	Skip  bool
	// PagingState is set if there are more pages.
	PagingState []byte
}

// AppendRows appends the body of a RESULT with rows. cells holds the rows one after
// the other and is a multiple of the number of columns long; nil is null.
func AppendRows(b []byte, m RowsMeta, cells [][]byte) []byte {
	b = appendInt(b, resultRows)
	b = appendRowsMeta(b, m)
	rows := 0
	if m.Specs.count > 0 {
		rows = len(cells) / m.Specs.count
	}
	b = appendInt(b, int32(rows))
	b = growFor(b, cells)
	for _, cell := range cells {
		b = appendBytes(b, cell)
	}
	return b
}

// growFor makes room for all cells at once: a page of rows would else move
// several times while it grows.
func growFor(b []byte, cells [][]byte) []byte {
	need := len(b)
	for _, cell := range cells {
		need += 4 + len(cell)
	}
	if need <= cap(b) {
		return b
	}
	grown := make([]byte, len(b), need)
	copy(grown, b)
	return grown
}

func appendRowsMeta(b []byte, m RowsMeta) []byte {
	flags := int32(0)
	if m.Specs.global && !m.Skip {
		flags |= metaGlobalSpec
	}
	if m.PagingState != nil {
		flags |= metaMorePages
	}
	if m.Skip {
		flags |= metaNoMetadata
	}
	b = appendInt(b, flags)
	b = appendInt(b, int32(m.Specs.count))
	if m.PagingState != nil {
		b = appendBytes(b, m.PagingState)
	}
	if !m.Skip {
		b = append(b, m.Specs.b...)
	}
	return b
}

// AppendPrepared appends the body of the RESULT of a PREPARE. pk is left out in
// version 3. No result columns are said as Cassandra says it (ResultMetadata.EMPTY:
// the flag "no metadata" and a count of 0).
func AppendPrepared(b []byte, v Version, id []byte, binds Specs, pk []uint16, result Specs) []byte {
	b = appendInt(b, resultPrepared)
	b = appendShortBytes(b, id)
	flags := int32(0)
	if binds.global {
		flags |= metaGlobalSpec
	}
	b = appendInt(b, flags)
	b = appendInt(b, int32(binds.count))
	if v >= V4 {
		b = appendInt(b, int32(len(pk)))
		for _, i := range pk {
			b = binary.BigEndian.AppendUint16(b, i)
		}
	}
	b = append(b, binds.b...)
	return appendRowsMeta(b, RowsMeta{Specs: result, Skip: result.count == 0})
}
