package wire

import (
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// Consistency is a consistency level as the protocol numbers it.
type Consistency uint16

// The consistency levels of protocol v4, section 3.
const (
	Any         Consistency = 0x0000
	One         Consistency = 0x0001
	Two         Consistency = 0x0002
	Three       Consistency = 0x0003
	Quorum      Consistency = 0x0004
	All         Consistency = 0x0005
	LocalQuorum Consistency = 0x0006
	EachQuorum  Consistency = 0x0007
	Serial      Consistency = 0x0008
	LocalSerial Consistency = 0x0009
	LocalOne    Consistency = 0x000A
)

var consistencyNames = [...]string{
	"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE",
}

// Valid reports whether the protocol knows c.
func (c Consistency) Valid() bool { return int(c) < len(consistencyNames) }

func (c Consistency) String() string {
	if c.Valid() {
		return consistencyNames[c]
	}
	return fmt.Sprintf("UNKNOWN(%#04x)", uint16(c))
}

// BatchType is the kind of a native batch.
type BatchType uint8

// The kinds of batches.
const (
	LoggedBatch   BatchType = 0
	UnloggedBatch BatchType = 1
	CounterBatch  BatchType = 2
)

// Value is one bound value in the encoding of its type. It has three states:
// a value (Data not nil, perhaps empty), null (Data nil) and unset.
type Value struct {
	Data  []byte
	Unset bool
}

// IsNull reports whether the client sent null, which is not the same as unset.
func (v Value) IsNull() bool { return v.Data == nil && !v.Unset }

// Column describes a bind marker or a column of a result.
type Column struct {
	Keyspace, Table, Name string
	Type                  *cqltype.Type
}

// ChangeKind is what happened to a schema object.
type ChangeKind string

// The kinds of schema changes.
const (
	Created ChangeKind = "CREATED"
	Updated ChangeKind = "UPDATED"
	Dropped ChangeKind = "DROPPED"
)

// ChangeTarget is what kind of object a schema change is about.
type ChangeTarget string

// The targets of schema changes.
const (
	TargetKeyspace  ChangeTarget = "KEYSPACE"
	TargetTable     ChangeTarget = "TABLE"
	TargetType      ChangeTarget = "TYPE"
	TargetFunction  ChangeTarget = "FUNCTION"
	TargetAggregate ChangeTarget = "AGGREGATE"
)

// SchemaChange is the body of a SCHEMA_CHANGE result and of the event. Name is
// empty for a keyspace; Args are the argument types of a function or aggregate.
type SchemaChange struct {
	Kind     ChangeKind
	Target   ChangeTarget
	Keyspace string
	Name     string
	Args     []string
}
