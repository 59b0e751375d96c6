// Package cqltype is the type system of the embedded CQL engine: types and
// their names, the binary form of values (protocol v3 and later), their order,
// an encoding into keys that keeps that order, literals, and the two partition
// hashes.
//
// A value is its binary form, a []byte. A nil slice is null; an empty one is
// the empty value, which text, blob and (as in Cassandra) most fixed-size
// types have. The package does not keep or change slices that it is given, and
// everything in it is safe for concurrent use.
package cqltype

import "strings"

// Kind is a type's option id in the native protocol, v4.
type Kind uint16

// The option ids of the native protocol, version 4, section 4.2.5.2. Duration
// has an id in version 5 only; version 4 names its class instead.
const (
	Custom    Kind = 0x0000
	ASCII     Kind = 0x0001
	Bigint    Kind = 0x0002
	Blob      Kind = 0x0003
	Boolean   Kind = 0x0004
	Counter   Kind = 0x0005
	Decimal   Kind = 0x0006
	Double    Kind = 0x0007
	Float     Kind = 0x0008
	Int       Kind = 0x0009
	Timestamp Kind = 0x000B
	UUID      Kind = 0x000C
	Text      Kind = 0x000D
	Varint    Kind = 0x000E
	Timeuuid  Kind = 0x000F
	Inet      Kind = 0x0010
	Date      Kind = 0x0011
	Time      Kind = 0x0012
	Smallint  Kind = 0x0013
	Tinyint   Kind = 0x0014
	Duration  Kind = 0x0015
	List      Kind = 0x0020
	Map       Kind = 0x0021
	Set       Kind = 0x0022
	UDT       Kind = 0x0030
	Tuple     Kind = 0x0031
)

// Type is one CQL type. Treat it as immutable: types are shared.
type Type struct {
	Kind Kind
	// Elems holds the element type of a list or set, key and value type of a
	// map, the fields of a tuple or UDT.
	Elems []*Type
	// Frozen says that a collection or UDT is stored as one value. Tuples are
	// always frozen and leave it false.
	Frozen bool
	// Keyspace, Name and Fields describe a UDT; Fields runs beside Elems.
	Keyspace, Name string
	Fields         []string
}

var natives = map[string]*Type{
	"ascii": {Kind: ASCII}, "bigint": {Kind: Bigint}, "blob": {Kind: Blob}, "boolean": {Kind: Boolean},
	"counter": {Kind: Counter}, "date": {Kind: Date}, "decimal": {Kind: Decimal}, "double": {Kind: Double},
	"duration": {Kind: Duration}, "float": {Kind: Float}, "inet": {Kind: Inet}, "int": {Kind: Int},
	"smallint": {Kind: Smallint}, "text": {Kind: Text}, "time": {Kind: Time}, "timestamp": {Kind: Timestamp},
	"timeuuid": {Kind: Timeuuid}, "tinyint": {Kind: Tinyint}, "uuid": {Kind: UUID}, "varint": {Kind: Varint},
}

var nativeNames = func() map[Kind]string {
	names := make(map[Kind]string, len(natives))
	for name, t := range natives {
		names[t.Kind] = name
	}
	return names
}()

// Native returns the native type of kind k, or nil if k is not a native type.
// The same pointer is returned each time.
func Native(k Kind) *Type { return natives[nativeNames[k]] }

// ByName returns the native type of that name in lower case; varchar is text.
func ByName(name string) (*Type, bool) {
	if name == "varchar" {
		name = "text"
	}
	t, ok := natives[name]
	return t, ok
}

// ListOf makes a list type.
func ListOf(elem *Type, frozen bool) *Type {
	return &Type{Kind: List, Elems: []*Type{elem}, Frozen: frozen}
}

// SetOf makes a set type.
func SetOf(elem *Type, frozen bool) *Type {
	return &Type{Kind: Set, Elems: []*Type{elem}, Frozen: frozen}
}

// MapOf makes a map type.
func MapOf(key, value *Type, frozen bool) *Type {
	return &Type{Kind: Map, Elems: []*Type{key, value}, Frozen: frozen}
}

// TupleOf makes a tuple type.
func TupleOf(fields ...*Type) *Type { return &Type{Kind: Tuple, Elems: fields} }

// UDTOf makes a user-defined type; names and types run side by side.
func UDTOf(keyspace, name string, names []string, types []*Type, frozen bool) *Type {
	return &Type{Kind: UDT, Keyspace: keyspace, Name: name, Fields: names, Elems: types, Frozen: frozen}
}

// Freeze returns t frozen, with everything in it frozen too, as Cassandra does.
// Types that cannot be frozen are returned as they are.
func (t *Type) Freeze() *Type {
	switch t.Kind {
	case List, Map, Set, UDT, Tuple:
	default:
		return t
	}
	elems := make([]*Type, len(t.Elems))
	for i, e := range t.Elems {
		elems[i] = e.Freeze()
	}
	f := *t
	f.Elems = elems
	f.Frozen = t.Kind != Tuple
	return &f
}

// IsCollection reports whether t is a list, map or set, frozen or not.
func (t *Type) IsCollection() bool { return t.Kind == List || t.Kind == Map || t.Kind == Set }

// IsMultiCell reports whether each element of a column of type t is stored and
// expires on its own: unfrozen collections and unfrozen UDTs.
func (t *Type) IsMultiCell() bool { return (t.IsCollection() || t.Kind == UDT) && !t.Frozen }

// IsNumeric reports whether t is a number type.
func (t *Type) IsNumeric() bool {
	return t.IsInteger() || t.Kind == Float || t.Kind == Double || t.Kind == Decimal
}

// IsInteger reports whether t holds whole numbers; counter is one of them.
func (t *Type) IsInteger() bool {
	switch t.Kind {
	case Tinyint, Smallint, Int, Bigint, Varint, Counter:
		return true
	default:
		return false
	}
}

// Contains reports whether t is of kind k or has an element that contains it.
func (t *Type) Contains(k Kind) bool {
	if t.Kind == k {
		return true
	}
	for _, e := range t.Elems {
		if e.Contains(k) {
			return true
		}
	}
	return false
}

// Equal reports whether t and o are the same type, frozenness included.
func (t *Type) Equal(o *Type) bool { return t.equal(o, true) }

// SameValues reports whether values of t and o have the same form: as Equal,
// but a frozen type equals its unfrozen twin.
func (t *Type) SameValues(o *Type) bool { return t.equal(o, false) }

func (t *Type) equal(o *Type, frozen bool) bool {
	if t == o {
		return true
	}
	if t == nil || o == nil || t.Kind != o.Kind || len(t.Elems) != len(o.Elems) ||
		t.Keyspace != o.Keyspace || t.Name != o.Name || len(t.Fields) != len(o.Fields) ||
		frozen && t.Frozen != o.Frozen {
		return false
	}
	for i := range t.Elems {
		if !t.Elems[i].equal(o.Elems[i], frozen) {
			return false
		}
	}
	for i := range t.Fields {
		if t.Fields[i] != o.Fields[i] {
			return false
		}
	}
	return true
}

// String returns the type's CQL name as system_schema.columns shows it, e.g.
// "map<text, frozen<list<int>>>". A UDT is shown without its keyspace.
func (t *Type) String() string {
	var b strings.Builder
	t.writeName(&b)
	return b.String()
}

func (t *Type) writeName(b *strings.Builder) {
	if n, ok := nativeNames[t.Kind]; ok {
		b.WriteString(n)
		return
	}
	frozen := t.Frozen || t.Kind == Tuple
	if frozen {
		b.WriteString("frozen<")
	}
	switch t.Kind {
	case UDT:
		b.WriteString(QuoteIdent(t.Name))
	default:
		b.WriteString(map[Kind]string{List: "list", Map: "map", Set: "set", Tuple: "tuple"}[t.Kind])
		b.WriteByte('<')
		for i, e := range t.Elems {
			if i > 0 {
				b.WriteString(", ")
			}
			e.writeName(b)
		}
		b.WriteByte('>')
	}
	if frozen {
		b.WriteByte('>')
	}
}

// QuoteIdent quotes an identifier where CQL needs it: unless it starts with a
// lower-case letter and holds lower-case letters, digits and underscores only.
// Reserved words are not looked at.
func QuoteIdent(s string) string {
	plain := s != ""
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= 'a' && c <= 'z' || i > 0 && (c >= '0' && c <= '9' || c == '_')
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}
