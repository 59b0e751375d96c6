package cqltype

import "encoding/binary"

// durationClass names the duration type where the protocol has no id for it.
const durationClass = "org.apache.cassandra.db.marshal.DurationType"

// AppendOption appends t as an [option] of the native protocol, version 3 or 4:
// the id and what follows it. Versions below 4 have no ids for date, time,
// smallint and tinyint and get their class names, as Cassandra sends them.
func (t *Type) AppendOption(dst []byte, version byte) []byte {
	switch t.Kind {
	case List, Set, Map:
		dst = binary.BigEndian.AppendUint16(dst, uint16(t.Kind))
		for _, e := range t.Elems {
			dst = e.AppendOption(dst, version)
		}
		return dst
	case Tuple:
		dst = binary.BigEndian.AppendUint16(dst, uint16(Tuple))
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.Elems)))
		for _, e := range t.Elems {
			dst = e.AppendOption(dst, version)
		}
		return dst
	case UDT:
		dst = binary.BigEndian.AppendUint16(dst, uint16(UDT))
		dst = appendShortString(dst, t.Keyspace)
		dst = appendShortString(dst, t.Name)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.Elems)))
		for i, e := range t.Elems {
			dst = appendShortString(dst, t.Fields[i])
			dst = e.AppendOption(dst, version)
		}
		return dst
	case Duration:
		return appendCustom(dst, durationClass)
	case Date, Time, Smallint, Tinyint:
		if version < 4 {
			return appendCustom(dst, v3Classes[t.Kind])
		}
	default: // the id says all
	}
	return binary.BigEndian.AppendUint16(dst, uint16(t.Kind))
}

var v3Classes = map[Kind]string{
	Date:     "org.apache.cassandra.db.marshal.SimpleDateType",
	Time:     "org.apache.cassandra.db.marshal.TimeType",
	Smallint: "org.apache.cassandra.db.marshal.ShortType",
	Tinyint:  "org.apache.cassandra.db.marshal.ByteType",
}

func appendCustom(dst []byte, class string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(Custom))
	return appendShortString(dst, class)
}

func appendShortString(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}
