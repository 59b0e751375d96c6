package cqltype

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// LiteralKind says how a literal is spelled; Cassandra decides by it, not by
// the text, which types the literal can have.
type LiteralKind uint8

// The kinds of literals.
const (
	NullLiteral     LiteralKind = iota
	StringLiteral               // Text without its quotes
	IntegerLiteral              // digits with an optional sign
	FloatLiteral                // also NaN, Infinity, -Infinity
	BooleanLiteral              // true or false in any case
	UUIDLiteral                 // 8-4-4-4-12 hex digits
	HexLiteral                  // Text starts with 0x or 0X
	DurationLiteral             // 1y2mo..., P1Y2M..., P2W, P0001-02-...
	ListLiteral                 // Items
	SetLiteral                  // Items; without any also the empty map
	MapLiteral                  // keys and values alternate in Items
	TupleLiteral                // Items
	UDTLiteral                  // Items with Names
)

// String returns the name that Cassandra gives to the kind in its messages.
func (k LiteralKind) String() string {
	return [...]string{
		"NULL", "STRING", "INTEGER", "FLOAT", "BOOLEAN", "UUID", "HEX", "DURATION",
		"list", "set", "map", "tuple", "user type",
	}[k]
}

// Literal is a literal as a parser sees it.
type Literal struct {
	Kind  LiteralKind
	Text  string
	Items []Literal
	Names []string // field names of a UDTLiteral, beside Items
}

// ErrLiteralKind is the cause where a literal's kind does not suit a type, such
// as a string for an int; other errors mean that its text is not a value.
var ErrLiteralKind = errors.New("the literal's kind does not suit the type")

// literalTypes is Cassandra's Constants.Literal.testAssignment.
var literalTypes = map[LiteralKind][]Kind{
	StringLiteral:   {ASCII, Text, Inet, Date, Time, Timestamp},
	IntegerLiteral:  {Bigint, Counter, Date, Decimal, Double, Duration, Float, Int, Smallint, Time, Timestamp, Tinyint, Varint},
	UUIDLiteral:     {UUID, Timeuuid},
	FloatLiteral:    {Decimal, Double, Float},
	BooleanLiteral:  {Boolean},
	HexLiteral:      {Blob},
	DurationLiteral: {Duration},
}

// AcceptsLiteral reports whether a scalar literal of kind k may stand for a
// value of t.
func (t *Type) AcceptsLiteral(k LiteralKind) bool {
	return k == NullLiteral || slices.Contains(literalTypes[k], t.Kind)
}

// FromLiteral returns the binary form of l as a value of t; nil for null. The
// elements of sets and maps are put in order, doubles removed.
func (t *Type) FromLiteral(l Literal) ([]byte, error) { return t.fromLiteral(l, 0) }

func (t *Type) fromLiteral(l Literal, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("a literal is nested deeper than %d", maxDepth)
	}
	if l.Kind == NullLiteral {
		return nil, nil
	}
	switch t.Kind {
	case List, Set, Map:
		return t.collectionLiteral(l, depth)
	case Tuple, UDT:
		return t.tupleLiteral(l, depth)
	default: // one constant
	}
	if !t.AcceptsLiteral(l.Kind) {
		return nil, fmt.Errorf("%w: %s for %s", ErrLiteralKind, l.Kind, t)
	}
	return t.ParseText(l.Text)
}

func (t *Type) collectionLiteral(l Literal, depth int) ([]byte, error) {
	want := map[Kind]LiteralKind{List: ListLiteral, Set: SetLiteral, Map: MapLiteral}[t.Kind]
	emptyMap := t.Kind == Map && l.Kind == SetLiteral && len(l.Items) == 0
	if l.Kind != want && !emptyMap {
		return nil, fmt.Errorf("%w: %s for %s", ErrLiteralKind, l.Kind, t)
	}
	elems := make([][]byte, len(l.Items))
	for i, item := range l.Items {
		e, err := t.Elems[i%len(t.Elems)].fromLiteral(item, depth+1)
		if err != nil {
			return nil, err
		}
		if e == nil {
			return nil, errors.New("null is not supported inside collections")
		}
		elems[i] = e
	}
	return EncodeCollection(t, t.Normalize(elems)), nil
}

// Normalize puts the elements of a set, or the pairs of a map, in order and
// keeps the last of equal ones; lists are returned as they are. It changes
// elems.
func (t *Type) Normalize(elems [][]byte) [][]byte {
	step := len(t.Elems)
	if t.Kind == List || len(elems) <= step {
		return elems
	}
	key := t.Elems[0]
	type pair struct{ k, v []byte }
	pairs := make([]pair, 0, len(elems)/step)
	for i := 0; i+step <= len(elems); i += step {
		pairs = append(pairs, pair{elems[i], elems[i+step-1]})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return key.Compare(a.k, b.k) })
	out := elems[:0]
	for i, p := range pairs {
		if i+1 < len(pairs) && key.Compare(p.k, pairs[i+1].k) == 0 {
			continue
		}
		out = append(out, p.k)
		if step == 2 {
			out = append(out, p.v)
		}
	}
	return out
}

func (t *Type) tupleLiteral(l Literal, depth int) ([]byte, error) {
	fields := make([][]byte, len(t.Elems))
	switch {
	case l.Kind == TupleLiteral && t.Kind == Tuple:
		if len(l.Items) > len(t.Elems) {
			return nil, fmt.Errorf("a tuple literal has %d fields, the type %s %d", len(l.Items), t, len(t.Elems))
		}
		for i, item := range l.Items {
			f, err := t.Elems[i].fromLiteral(item, depth+1)
			if err != nil {
				return nil, err
			}
			fields[i] = f
		}
		fields = fields[:len(l.Items)]
	case l.Kind == UDTLiteral && t.Kind == UDT:
		for i, item := range l.Items {
			at := slices.Index(t.Fields, l.Names[i])
			if at < 0 {
				return nil, fmt.Errorf("unknown field '%s' in value of user defined type %s", l.Names[i], t.Name)
			}
			f, err := t.Elems[at].fromLiteral(item, depth+1)
			if err != nil {
				return nil, err
			}
			fields[at] = f
		}
	default:
		return nil, fmt.Errorf("%w: %s for %s", ErrLiteralKind, l.Kind, t)
	}
	b := EncodeTuple(fields)
	if b == nil {
		b = []byte{}
	}
	return b, nil
}

// ParseText returns the binary form of the value of scalar type t that s
// spells, as Cassandra's AbstractType.fromString does: strings unquoted, blobs
// with or without 0x.
func (t *Type) ParseText(s string) ([]byte, error) {
	switch t.Kind {
	case Text, ASCII:
		b := append(make([]byte, 0, len(s)), s...)
		return b, t.Validate(b)
	case Blob:
		if len(s) >= 2 && (s[:2] == "0x" || s[:2] == "0X") {
			s = s[2:]
		}
		b, err := hex.DecodeString(s)
		if err != nil {
			return nil, fmt.Errorf("'%s' is not a blob: an even number of hex digits is needed", s)
		}
		return b, nil
	case Boolean:
		switch strings.ToLower(s) {
		case "true":
			return []byte{1}, nil
		case "false":
			return []byte{0}, nil
		}
		return nil, fmt.Errorf("unable to make boolean from '%s'", s)
	case Tinyint, Smallint, Int, Bigint, Counter:
		return t.parseInteger(s)
	case Varint:
		v, ok := new(big.Int).SetString(s, 10)
		if !ok || strings.Contains(s, "_") {
			return nil, fmt.Errorf("unable to make int from '%s'", s)
		}
		return EncodeVarint(v), nil
	case Decimal:
		return parseDecimal(s)
	case Float:
		f, err := parseFloat(s, 32)
		if f != f { //nolint:gocritic // NaN: Java has one form of it
			return []byte{0x7f, 0xc0, 0, 0}, err
		}
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(f))), err
	case Double:
		f, err := parseFloat(s, 64)
		if f != f { //nolint:gocritic // NaN: Java has one form of it
			return []byte{0x7f, 0xf8, 0, 0, 0, 0, 0, 0}, err
		}
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), err
	case UUID, Timeuuid:
		return t.parseUUID(s)
	case Inet:
		return parseInet(s)
	case Date:
		return parseDate(s)
	case Time:
		return parseTime(s)
	case Timestamp:
		return parseTimestamp(s)
	case Duration:
		return ParseDuration(s)
	default:
		return nil, fmt.Errorf("a value of type %s cannot be written as a plain literal", t)
	}
}

func (t *Type) parseInteger(s string) ([]byte, error) {
	size := map[Kind]int{Tinyint: 1, Smallint: 2, Int: 4, Bigint: 8, Counter: 8}[t.Kind]
	v, err := strconv.ParseInt(s, 10, size*8)
	if err != nil {
		name := map[Kind]string{Tinyint: "byte", Smallint: "short", Int: "int", Bigint: "long", Counter: "long"}[t.Kind]
		return nil, fmt.Errorf("Unable to make %s from '%s'", name, s) //nolint:staticcheck // the server's own text
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(v))
	return append([]byte(nil), b[8-size:]...), nil
}

func parseFloat(s string, bitSize int) (float64, error) {
	f, err := strconv.ParseFloat(s, bitSize)
	// As in Java, a number that is too large is infinite and one that is too
	// small is zero.
	if err != nil && !errors.Is(err, strconv.ErrRange) || strings.ContainsAny(s, "xX_") {
		return 0, fmt.Errorf("unable to make float from '%s'", s)
	}
	return f, nil
}

func (t *Type) parseUUID(s string) ([]byte, error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, fmt.Errorf("unable to make UUID from '%s'", s)
	}
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return nil, fmt.Errorf("unable to make UUID from '%s'", s)
	}
	return b, t.Validate(b)
}
