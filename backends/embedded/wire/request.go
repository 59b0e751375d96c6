package wire

// The query flags of section 4.1.4; those above are of later versions.
const (
	flagValues            = 0x01
	flagSkipMetadata      = 0x02
	flagPageSize          = 0x04
	flagPagingState       = 0x08
	flagSerialConsistency = 0x10
	flagTimestamp         = 0x20
	flagNames             = 0x40
	flagsKnown            = 0x7F
)

// Body takes off the front of a request's body what any request may carry there,
// a custom payload, which is ignored as the specification asks for.
func Body(h Header, body []byte) ([]byte, error) {
	if h.Flags&FlagCustomPayload == 0 || h.Version < V4 {
		return body, nil
	}
	c := cursor{b: body}
	c.skipBytesMap("custom payload")
	return c.b, c.err
}

// DecodeStartup reads the options of a STARTUP message.
func DecodeStartup(body []byte) (map[string]string, error) {
	c := cursor{b: body}
	m := c.stringMap("STARTUP options")
	return m, c.err
}

// DecodeRegister reads the event types of a REGISTER message.
func DecodeRegister(body []byte) ([]string, error) {
	c := cursor{b: body}
	n := int(c.short("event types"))
	if n > len(c.b)/2 {
		c.fail("event types: more than the body can hold")
	}
	var list []string
	for range n {
		list = append(list, c.string("event type"))
		if c.err != nil {
			return nil, c.err
		}
	}
	return list, c.err
}

// DecodeAuthResponse reads the token of an AUTH_RESPONSE message; it aliases body.
func DecodeAuthResponse(body []byte) ([]byte, error) {
	c := cursor{b: body}
	token := c.bytes("token")
	return token, c.err
}

// DecodePrepare reads the text of a PREPARE message.
func DecodePrepare(body []byte) (string, error) {
	c := cursor{b: body}
	text := c.longString("query text")
	return text, c.err
}

// Options are what follows the text of a QUERY and the id of an EXECUTE. All
// slices but Names and Values themselves alias the body. Decoding into used
// Options keeps their memory.
type Options struct {
	Consistency       Consistency
	Values            []Value
	Names             []string // nil, or one for each of Values
	SkipMetadata      bool
	PageSize          int32 // 0: not sent
	PagingState       []byte
	SerialConsistency Consistency // 0: not sent
	Timestamp         int64       // microseconds
	HasTimestamp      bool
}

// Reset empties o but keeps its memory.
func (o *Options) Reset() {
	clear(o.Values) // let go of the body that they alias
	*o = Options{Values: o.Values[:0]}
}

// DecodeQuery reads a QUERY message into o and returns its text.
func DecodeQuery(v Version, body []byte, o *Options) (text string, err error) {
	c := cursor{b: body}
	text = c.longString("query text")
	o.decode(v, &c)
	return text, c.err
}

// DecodeExecute reads an EXECUTE message into o and returns the statement's id,
// which aliases body.
func DecodeExecute(v Version, body []byte, o *Options) (id []byte, err error) {
	c := cursor{b: body}
	id = c.shortBytes("statement id")
	o.decode(v, &c)
	return id, c.err
}

func (o *Options) decode(v Version, c *cursor) {
	o.Reset()
	o.Consistency = decodeConsistency(c)
	flags := c.byte("query flags")
	if flags&^flagsKnown != 0 {
		c.fail("query flags of a later protocol version")
	}
	if flags&flagValues != 0 {
		o.decodeValues(v, c, flags&flagNames != 0)
	} else if flags&flagNames != 0 {
		c.fail("names for values, but no values")
	}
	o.SkipMetadata = flags&flagSkipMetadata != 0
	if flags&flagPageSize != 0 {
		// Cassandra takes sizes below 1 for "no paging" (QueryOptions).
		o.PageSize = max(c.int("page size"), 0)
	}
	if flags&flagPagingState != 0 {
		o.PagingState = c.bytes("paging state")
	}
	if flags&flagSerialConsistency != 0 {
		o.SerialConsistency = decodeSerial(c)
	}
	if flags&flagTimestamp != 0 {
		o.Timestamp, o.HasTimestamp = c.long("timestamp"), true
	}
}

func (o *Options) decodeValues(v Version, c *cursor, named bool) {
	n := int(c.short("number of values"))
	least := 4
	if named {
		least = 6
	}
	if n > len(c.b)/least {
		c.fail("more values than the body can hold")
		return
	}
	if named {
		o.Names = make([]string, 0, n)
	}
	o.Values = sizedValues(o.Values, n)
	for i := range n {
		if named {
			o.Names = append(o.Names, c.string("name of a value"))
		}
		o.Values[i] = c.value(v)
	}
}

func sizedValues(v []Value, n int) []Value {
	if cap(v) < n {
		return make([]Value, n)
	}
	return v[:n]
}

func decodeConsistency(c *cursor) Consistency {
	cl := Consistency(c.short("consistency"))
	if !cl.Valid() && c.err == nil {
		c.err = Errorf(CodeProtocolError, "Unknown code %d for a consistency level", uint16(cl))
	}
	return cl
}

func decodeSerial(c *cursor) Consistency {
	cl := decodeConsistency(c)
	if cl != Serial && cl != LocalSerial && c.err == nil {
		c.err = Errorf(CodeInvalid,
			"Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL, not %s", cl)
	}
	return cl
}

// BatchMember is one statement of a BATCH message: an id (of a prepared statement)
// or a text. ID and the values' data alias the body.
type BatchMember struct {
	ID     []byte // nil if the member is a text
	Text   string
	Values []Value
}

// Batch is a BATCH message. Decoding into a used Batch keeps its memory.
type Batch struct {
	Type              BatchType
	Members           []BatchMember
	Consistency       Consistency
	SerialConsistency Consistency // 0: not sent
	Timestamp         int64
	HasTimestamp      bool

	values []Value // of all members
	counts []int   // values of each member
}

// Reset empties b but keeps its memory.
func (b *Batch) Reset() {
	clear(b.Members)
	clear(b.values)
	*b = Batch{Members: b.Members[:0], values: b.values[:0], counts: b.counts[:0]}
}

// Decode reads a BATCH message.
func (b *Batch) Decode(v Version, body []byte) error {
	b.Reset()
	c := cursor{b: body}
	b.Type = BatchType(c.byte("batch type"))
	if b.Type > CounterBatch {
		c.fail("unknown batch type")
	}
	n := int(c.short("number of statements"))
	if n > len(c.b)/5 { // kind, an empty id, no values
		c.fail("more statements than the body can hold")
		return c.err
	}
	for range n {
		b.decodeMember(v, &c)
		if c.err != nil {
			return c.err
		}
	}
	b.shareValues()
	b.Consistency = decodeConsistency(&c)
	flags := c.byte("batch flags")
	switch {
	case flags&flagNames != 0:
		// The specification's own defect, CASSANDRA-10246: names precede what
		// would be needed to read them.
		c.fail("named values are not possible in a batch")
	case flags&^(flagSerialConsistency|flagTimestamp) != 0:
		c.fail("batch flags of a later protocol version")
	}
	if flags&flagSerialConsistency != 0 {
		b.SerialConsistency = decodeSerial(&c)
	}
	if flags&flagTimestamp != 0 {
		b.Timestamp, b.HasTimestamp = c.long("timestamp"), true
	}
	return c.err
}

func (b *Batch) decodeMember(v Version, c *cursor) {
	var m BatchMember
	switch kind := c.byte("kind of a statement"); kind {
	case 0:
		m.Text = c.longString("query text")
	case 1:
		m.ID = c.shortBytes("statement id")
	default:
		c.fail("unknown kind of statement")
	}
	n := int(c.short("number of values"))
	if n > len(c.b)/4 {
		c.fail("more values than the body can hold")
	}
	if c.err != nil {
		return
	}
	for range n {
		b.values = append(b.values, c.value(v))
	}
	b.Members = append(b.Members, m)
	b.counts = append(b.counts, n)
}

// shareValues hands out the values, once their slice has stopped moving.
func (b *Batch) shareValues() {
	at := 0
	for i, n := range b.counts {
		b.Members[i].Values = b.values[at : at+n : at+n]
		at += n
	}
}
