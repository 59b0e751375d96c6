package engine

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"sync"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/catalog"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqlerr"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// function is a native scalar function with one list of argument types.
type function struct {
	name string
	args []*cqltype.Type
	ret  *cqltype.Type
	eval func(v *env, args [][]byte) ([]byte, error)
}

var (
	tInt       = cqltype.Native(cqltype.Int)
	tBigint    = cqltype.Native(cqltype.Bigint)
	tText      = cqltype.Native(cqltype.Text)
	tBlob      = cqltype.Native(cqltype.Blob)
	tBoolean   = cqltype.Native(cqltype.Boolean)
	tUUID      = cqltype.Native(cqltype.UUID)
	tTimeuuid  = cqltype.Native(cqltype.Timeuuid)
	tTimestamp = cqltype.Native(cqltype.Timestamp)
	tDate      = cqltype.Native(cqltype.Date)
)

// functions by name. Cassandra 5 has each in snake case too.
var functions = buildFunctions()

// nullIn makes a function null for a null argument.
func nullIn(f func(a []byte) ([]byte, error)) func(*env, [][]byte) ([]byte, error) {
	return func(_ *env, args [][]byte) ([]byte, error) {
		if args[0] == nil {
			return nil, nil
		}
		return f(args[0])
	}
}

func buildFunctions() map[string][]*function {
	m := map[string][]*function{}
	add := func(ret *cqltype.Type, args []*cqltype.Type, eval func(*env, [][]byte) ([]byte, error), names ...string) {
		for _, n := range names {
			m[n] = append(m[n], &function{name: n, args: args, ret: ret, eval: eval})
		}
	}
	one := func(t *cqltype.Type) []*cqltype.Type { return []*cqltype.Type{t} }
	add(tTimeuuid, nil, func(v *env, _ [][]byte) ([]byte, error) { return newTimeuuid(v.micros), nil }, "now", "currenttimeuuid", "current_timeuuid")
	add(tUUID, nil, func(*env, [][]byte) ([]byte, error) { u := catalog.NewUUID(); return u[:], nil }, "uuid")
	add(tTimestamp, nil, func(v *env, _ [][]byte) ([]byte, error) { return bigint(v.micros / 1000), nil }, "currenttimestamp", "current_timestamp")
	add(tDate, nil, func(v *env, _ [][]byte) ([]byte, error) { return dateOfMillis(v.micros / 1000), nil }, "currentdate", "current_date")
	millis := map[*cqltype.Type]func([]byte) (int64, error){
		tTimeuuid:  func(b []byte) (int64, error) { return timeuuidMillis(b), nil },
		tTimestamp: func(b []byte) (int64, error) { return int64(binary.BigEndian.Uint64(b)), nil },
		tDate: func(b []byte) (int64, error) {
			return (int64(binary.BigEndian.Uint32(b)) - 1<<31) * 86_400_000, nil
		},
	}
	for from, get := range millis {
		conv := func(f func(ms int64) []byte) func(*env, [][]byte) ([]byte, error) {
			return nullIn(func(a []byte) ([]byte, error) {
				if len(a) == 0 {
					return nil, nil
				}
				ms, err := get(a)
				return f(ms), err
			})
		}
		if from != tTimestamp {
			add(tTimestamp, one(from), conv(bigint), "totimestamp", "to_timestamp")
		}
		if from != tDate {
			add(tDate, one(from), conv(dateOfMillis), "todate", "to_date")
		}
		add(tBigint, one(from), conv(bigint), "tounixtimestamp", "to_unix_timestamp")
		if from == tTimeuuid { // gone from Cassandra 5
			add(tTimestamp, one(from), conv(bigint), "dateof")
			add(tBigint, one(from), conv(bigint), "unixtimestampof")
		}
	}
	add(tTimeuuid, one(tTimestamp), nullIn(func(a []byte) ([]byte, error) { return boundTimeuuid(a, false), nil }), "mintimeuuid", "min_timeuuid")
	add(tTimeuuid, one(tTimestamp), nullIn(func(a []byte) ([]byte, error) { return boundTimeuuid(a, true), nil }), "maxtimeuuid", "max_timeuuid")
	for _, n := range strings.Fields("ascii bigint boolean date decimal double float inet int smallint text time timestamp timeuuid tinyint uuid varchar varint") {
		t, _ := cqltype.ByName(n)
		same := nullIn(func(a []byte) ([]byte, error) { return a, nil })
		add(tBlob, one(t), same, n+"asblob", n+"_as_blob")
		add(t, one(tBlob), nullIn(func(a []byte) ([]byte, error) {
			if err := t.Validate(a); err != nil {
				return nil, cqlerr.Invalid("In call to function system.blobas%s, value 0x%x is not a valid binary representation for type %s", n, a, t)
			}
			return a, nil
		}), "blobas"+n, "blob_as_"+n)
	}
	return m
}

func dateOfMillis(ms int64) []byte {
	days := ms / 86_400_000
	if ms%86_400_000 < 0 {
		days--
	}
	return binary.BigEndian.AppendUint32(nil, uint32(days+1<<31))
}

// gregorian is the number of 100 ns between 1582-10-15 and 1970.
const gregorian = 0x01b21dd213814000

var timeuuids struct {
	sync.Mutex
	last uint64
	node [8]byte
}

// newTimeuuid makes a version 1 UUID of a time, unique in this process.
func newTimeuuid(micros int64) []byte {
	timeuuids.Lock()
	defer timeuuids.Unlock()
	if timeuuids.node == [8]byte{} {
		_, _ = rand.Read(timeuuids.node[:]) // never fails (crypto/rand)
		timeuuids.node[0] = timeuuids.node[0]&0x3f | 0x80
		timeuuids.node[2] |= 1 // multicast: no real network card
	}
	timeuuids.last = max(timeuuids.last+1, uint64(micros)*10+gregorian)
	return append(timeuuidTime(timeuuids.last), timeuuids.node[:]...)
}

func timeuuidTime(t uint64) []byte {
	b := make([]byte, 8, 16)
	binary.BigEndian.PutUint32(b, uint32(t))
	binary.BigEndian.PutUint16(b[4:], uint16(t>>32))
	binary.BigEndian.PutUint16(b[6:], uint16(t>>48)&0x0fff|0x1000)
	return b
}

func timeuuidMillis(b []byte) int64 {
	t := uint64(binary.BigEndian.Uint16(b[6:])&0x0fff)<<48 | uint64(binary.BigEndian.Uint16(b[4:]))<<32 | uint64(binary.BigEndian.Uint32(b))
	return (int64(t) - gregorian) / 10_000
}

// boundTimeuuid is minTimeuuid or maxTimeuuid: the least and greatest rest that
// Cassandra's order knows, which compares it as signed bytes.
func boundTimeuuid(ts []byte, greatest bool) []byte {
	if len(ts) == 0 {
		return nil
	}
	t := int64(binary.BigEndian.Uint64(ts))*10_000 + gregorian
	rest := uint64(0x8080808080808080)
	if greatest {
		t += 9_999
		rest = 0x7f7f7f7f7f7f7f7f
	}
	return binary.BigEndian.AppendUint64(timeuuidTime(uint64(t)), rest)
}

// call compiles a function call. want is what the value is for, or nil.
func (b *binder) call(e *parse.Expr, want *spec) (term, error) {
	unknown := func() error {
		if b.ycql {
			return b.src.QL(cqlerr.InvalidFunction, e.Span, "Unknown builtin function name %s", e.Text)
		}
		return cqlerr.Invalid("Unknown function '%s'", e.Text)
	}
	name := e.Text
	if e.Schema != "" && e.Schema != "system" {
		return term{}, unknown()
	}
	switch name {
	case "token":
		return b.tokenCall(e)
	case "partition_hash":
		if b.ycql {
			return b.hashCall(e)
		}
	case "writetime", "ttl":
		return b.cellCall(e)
	}
	overloads := functions[name]
	if len(overloads) == 0 || b.ycql && strings.Contains(name, "_") || !b.ycql && (name == "dateof" || name == "unixtimestampof") {
		return term{}, unknown()
	}
	var firstErr error
	for _, f := range overloads {
		if want != nil && want.typ != nil && !assignable(f.ret, want.typ) {
			continue
		}
		t, err := b.tryCall(e, f, len(overloads) > 1)
		if err == nil {
			return t, nil
		}
		if firstErr == nil {
			firstErr = err
		}
	}
	if firstErr == nil {
		if b.ycql {
			return term{}, b.src.QL(cqlerr.DatatypeMismatch, e.Span, "")
		}
		return term{}, cqlerr.Invalid("Type error: cannot assign result of function system.%s (type %s) to %s (type %s)", name, overloads[0].ret, want.name, want.typ)
	}
	return term{}, firstErr
}

func (b *binder) tryCall(e *parse.Expr, f *function, ambiguous bool) (term, error) {
	if len(e.Args) != len(f.args) {
		if b.ycql {
			return term{}, b.src.QL(cqlerr.InvalidFunction, e.Span, "wrong number of arguments")
		}
		return term{}, cqlerr.Invalid("Invalid number of arguments in call to function system.%s: %d required but %d provided", f.name, len(f.args), len(e.Args))
	}
	t := term{kind: termCall, typ: f.ret, call: f}
	for i, a := range e.Args {
		if a.Kind == parse.KindMarker && ambiguous {
			return term{}, cqlerr.Invalid("Ambiguous call to function %s (can be matched by following signatures): use type casts to disambiguate", f.name)
		}
		x, err := b.term(a, spec{"arg" + itoa(i) + "(" + "system." + f.name + ")", f.args[i]})
		if err != nil {
			return term{}, err
		}
		if !assignable(x.typ, f.args[i]) {
			if b.ycql {
				return term{}, b.src.QL(cqlerr.DatatypeMismatch, a.Span, "")
			}
			return term{}, cqlerr.Invalid("Type error: %s cannot be passed as argument %d of function system.%s of type %s", b.text(a), i, f.name, f.args[i])
		}
		t.args = append(t.args, x)
	}
	t.name = b.callName(e, f.name, t.args)
	return t, nil
}

// callName is what a result's column with the call is named.
func (b *binder) callName(e *parse.Expr, fn string, args []term) string {
	if b.ycql {
		return b.text(e)
	}
	names := make([]string, len(args))
	for i := range args {
		switch args[i].kind {
		case termConst, termMarker:
			names[i] = b.text(e.Args[i])
		default:
			names[i] = args[i].name
		}
	}
	return "system." + fn + "(" + strings.Join(names, ", ") + ")"
}

// cellCall is WRITETIME(c) and TTL(c).
func (b *binder) cellCall(e *parse.Expr) (term, error) {
	if len(e.Args) != 1 || e.Args[0].Kind != parse.KindColumn || !b.columns {
		if b.ycql {
			return term{}, b.src.QL(cqlerr.InvalidFunction, e.Span, "Wrong arguments of %s", e.Text)
		}
		return term{}, cqlerr.Syntax("line 1:%d no viable alternative at input '%s'", e.Span.Start, e.Text)
	}
	c, err := b.column(e.Args[0])
	if err != nil {
		return term{}, err
	}
	if c.Kind <= catalog.Clustering {
		if b.ycql {
			return term{}, b.src.QL(cqlerr.InvalidArguments, e.Span, "Primary key column cannot be used as an argument of %s", e.Text)
		}
		return term{}, cqlerr.Invalid("Cannot use selection function %s on PRIMARY KEY part %s", e.Text, c.Name)
	}
	if c.Type.IsMultiCell() {
		return term{}, b.src.Refuse(e.Text+" of a collection", e.Span)
	}
	t := term{kind: termWritetime, typ: tBigint, index: c.Index, name: e.Text + "(" + c.Name + ")"}
	if e.Text == "ttl" {
		t.kind, t.typ = termTTL, tInt
		if b.ycql {
			t.typ = tBigint
		}
	}
	return t, nil
}

// tokenCall is token(...) of values or of the partition key columns.
func (b *binder) tokenCall(e *parse.Expr) (term, error) {
	tab := b.tab
	return b.keyCall(e, &function{name: "token", ret: tBigint, eval: func(_ *env, args [][]byte) ([]byte, error) {
		for _, a := range args {
			if a == nil {
				return nil, nil
			}
		}
		return bigint(tab.store.Token(args)), nil
	}})
}

// hashCall is YCQL's partition_hash(...).
func (b *binder) hashCall(e *parse.Expr) (term, error) {
	tab := b.tab
	return b.keyCall(e, &function{name: "partition_hash", ret: tInt, eval: func(_ *env, args [][]byte) ([]byte, error) {
		return integer(int32(cqltype.YBTokenHash(tab.store.Token(args)))), nil
	}})
}

func (b *binder) keyCall(e *parse.Expr, f *function) (term, error) {
	if len(e.Args) != len(b.table.PartitionKey) {
		if b.ycql {
			return term{}, b.src.QL(cqlerr.InvalidFunction, e.Span, "Invalid %s call, wrong number of arguments", f.name)
		}
		return term{}, cqlerr.Invalid("Invalid number of arguments in call to function system.token: %d required but %d provided", len(b.table.PartitionKey), len(e.Args))
	}
	t := term{kind: termCall, typ: f.ret, call: f}
	for i, a := range e.Args {
		x, err := b.term(a, columnSpec(b.table.PartitionKey[i]))
		if err != nil {
			return term{}, err
		}
		t.args = append(t.args, x)
	}
	t.name = b.callName(e, f.name, t.args)
	return t, nil
}
