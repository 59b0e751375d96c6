package differential

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// column is a column of a generated table with the few values it takes, so that
// statements meet the same rows and cells again and again.
type column struct {
	name   string
	typ    *cqltype.Type
	static bool
	desc   bool
	pool   [][]byte
}

// schema is a generated table.
type schema struct {
	partition, clustering, others []column
	hasType                       bool
	// stamped: every write has USING TIMESTAMP.
	stamped bool
}

var (
	partitionTypes  = []string{"int", "text", "bigint", "uuid", "blob", "timestamp", "smallint", "inet", "frozen<list<int>>"}
	clusteringTypes = []string{
		"int", "int", "text", "text", "bigint", "timeuuid", "uuid", "blob", "timestamp", "date", "time", "inet", "smallint",
		"tinyint", "varint", "double", "float", "boolean", "decimal", "ascii", "frozen<list<int>>", "frozen<tuple<int, text>>", "frozen<set<text>>",
	}
	plainTypes = []string{
		"int", "int", "text", "blob", "bigint", "boolean", "uuid", "timeuuid", "timestamp", "date", "time", "inet", "tinyint",
		"smallint", "varint", "decimal", "double", "float", "ascii", "duration", "frozen<map<int, text>>", "tuple<int, text>", "frozen<%U>",
	}
	collectionTypes = []string{
		"list<int>", "list<text>", "set<text>", "set<int>", "map<text, int>", "map<int, text>", "map<timeuuid, frozen<list<int>>>", "%U", "set<frozen<tuple<int, text>>>",
	}
)

func newSchema(r *rand.Rand) *schema {
	s := &schema{stamped: r.IntN(12) == 0}
	for i := range 1 + r.IntN(2)*r.IntN(2) {
		s.partition = append(s.partition, s.column(r, fmt.Sprintf("p%d", i), partitionTypes, 3))
	}
	for i := range []int{0, 1, 1, 2, 2, 3}[r.IntN(6)] {
		c := s.column(r, fmt.Sprintf("c%d", i), clusteringTypes, 4)
		c.desc = r.IntN(3) == 0
		s.clustering = append(s.clustering, c)
	}
	for i := range 1 + r.IntN(3) {
		s.others = append(s.others, s.column(r, fmt.Sprintf("v%d", i), plainTypes, 3))
	}
	for i := range 1 + r.IntN(3) {
		s.others = append(s.others, s.column(r, fmt.Sprintf("m%d", i), collectionTypes, 4))
	}
	if len(s.clustering) > 0 && r.IntN(3) > 0 {
		types := plainTypes
		if r.IntN(2) == 0 {
			types = collectionTypes
		}
		c := s.column(r, "s0", types, 3)
		c.static = true
		s.others = append(s.others, c)
	}
	return s
}

var userType = cqltype.UDTOf("", "u", []string{"f", "g"}, []*cqltype.Type{cqltype.Native(cqltype.Int), cqltype.Native(cqltype.Text)}, false)

func (s *schema) column(r *rand.Rand, name string, types []string, n int) column {
	c := column{name: name}
	spelled := types[r.IntN(len(types))]
	if strings.Contains(spelled, "%U") {
		s.hasType = true
	}
	var err error
	c.typ, err = cqltype.Parse(strings.ReplaceAll(spelled, "%U", "u"), func(string, string) (*cqltype.Type, error) { return userType, nil })
	if err != nil {
		panic(err)
	}
	for range n {
		c.pool = append(c.pool, randValue(r, c.typ))
	}
	return c
}

// ddl returns the statements that make the table.
func (s *schema) ddl() []string {
	var out []string
	if s.hasType {
		out = append(out, "CREATE TYPE %U (f int, g text)")
	}
	var cols, order []string
	for _, c := range s.all() {
		def := c.name + " " + strings.ReplaceAll(c.typ.String(), "u>", "%U>")
		if c.typ.Kind == cqltype.UDT && !c.typ.Frozen {
			def = c.name + " %U"
		}
		if c.static {
			def += " static"
		}
		cols = append(cols, def)
	}
	key := "(" + names(s.partition) + ")"
	if len(s.clustering) > 0 {
		key += ", " + names(s.clustering)
	}
	for _, c := range s.clustering {
		dir := " ASC"
		if c.desc {
			dir = " DESC"
		}
		order = append(order, c.name+dir)
	}
	create := fmt.Sprintf("CREATE TABLE %%T (%s, PRIMARY KEY (%s))", strings.Join(cols, ", "), key)
	if len(order) > 0 {
		create += " WITH CLUSTERING ORDER BY (" + strings.Join(order, ", ") + ")"
	}
	return append(out, create)
}

func (s *schema) all() []column {
	var all []column
	all = append(all, s.partition...)
	all = append(all, s.clustering...)
	return append(all, s.others...)
}

func names(cols []column) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.name
	}
	return strings.Join(out, ", ")
}

// randValue makes a valid value. Numbers come in their shortest form: as keys,
// their other forms come back in it.
func randValue(r *rand.Rand, t *cqltype.Type) []byte {
	u32 := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	u64 := func(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }
	parse := func(options ...string) []byte {
		b, err := t.ParseText(options[r.IntN(len(options))])
		if err != nil {
			panic(err)
		}
		return b
	}
	switch t.Kind {
	case cqltype.Boolean:
		return []byte{byte(r.IntN(2))}
	case cqltype.Tinyint:
		return []byte{byte(r.IntN(5) - 2)}
	case cqltype.Smallint:
		return binary.BigEndian.AppendUint16(nil, uint16(r.IntN(700)-300))
	case cqltype.Int:
		return u32(uint32(r.IntN(7) - 3))
	case cqltype.Bigint, cqltype.Timestamp:
		return u64(uint64(r.Int64N(7_000_000_000) - 3))
	case cqltype.Date:
		return u32(1<<31 + uint32(r.IntN(20000)) - 10000)
	case cqltype.Time:
		return u64(r.Uint64N(86_400_000_000_000))
	case cqltype.Float:
		return parse("0.0", "-0.0", "1.5", "-2.25", "NaN", "Infinity", "-Infinity", "3e20")
	case cqltype.Double:
		return parse("0.0", "-0.0", "1.5", "-2.25", "NaN", "Infinity", "-Infinity", "3e200")
	case cqltype.Varint:
		return parse("0", "1", "-1", "127", "128", "-128", "-129", "100000000000000000000", "-100000000000000000000")
	case cqltype.Decimal:
		return parse("0", "1", "-1", "1.5", "0.01", "-0.01", "100", "123456789.123456789", "-3.25")
	case cqltype.Inet:
		return parse("127.0.0.1", "10.0.0.1", "::1", "2001:db8::1", "255.255.255.255")
	case cqltype.Duration:
		return parse("1h", "2d3h", "1mo", "-5ns", "0ns", "1y2mo3d4h")
	case cqltype.UUID, cqltype.Timeuuid:
		b := make([]byte, 16)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		b[6] = b[6]&0x0f | 0x10
		if t.Kind == cqltype.UUID && r.IntN(2) == 0 {
			b[6] = b[6]&0x0f | 0x40
		}
		b[8] = b[8]&0x3f | 0x80
		if r.IntN(2) == 0 {
			// Of one time: then the rest decides, by signed bytes.
			copy(b, []byte{1, 2, 3, 4, 5, 6, 0x17, 8, 0x9a})
		}
		return b
	case cqltype.Text, cqltype.ASCII:
		return []byte([]string{"", "a", "b", "ab", "it's", "B", "z\x01", "aa"}[r.IntN(8)])
	case cqltype.Blob:
		return [][]byte{{}, {0}, {0, 0}, {0xff}, {1, 0, 2}, {0xff, 0}, {0x80}}[r.IntN(7)]
	case cqltype.List, cqltype.Set, cqltype.Map:
		var elems [][]byte
		for range r.IntN(4) {
			for _, e := range t.Elems {
				elems = append(elems, randValue(r, e))
			}
		}
		return cqltype.EncodeCollection(t, t.Normalize(elems))
	default: // tuple, UDT
		fields := make([][]byte, len(t.Elems))
		for i := range fields {
			if r.IntN(5) > 0 {
				fields[i] = randValue(r, t.Elems[i])
			}
		}
		return cqltype.EncodeTuple(fields)
	}
}
