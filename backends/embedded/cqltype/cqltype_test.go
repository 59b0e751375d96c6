package cqltype

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func mustParse(t testing.TB, name string) *Type {
	t.Helper()
	typ, err := Parse(name, func(_, name string) (*Type, error) {
		return UDTOf("ks", name, []string{"a", "B c"}, []*Type{Native(Int), Native(Text)}, false), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func text(t testing.TB, typ, s string) []byte {
	t.Helper()
	b, err := mustParse(t, typ).ParseText(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTypeNamesComeBack(t *testing.T) {
	for _, tt := range []struct{ give, want string }{
		{"int", "int"},
		{"VARCHAR", "text"},
		{" list < int > ", "list<int>"},
		{"map<text,frozen<list<Int>>>", "map<text, frozen<list<int>>>"},
		{"frozen<map<text, list<int>>>", "frozen<map<text, frozen<list<int>>>>"},
		{"tuple<int, text>", "frozen<tuple<int, text>>"},
		{"frozen<tuple<int, list<int>>>", "frozen<tuple<int, frozen<list<int>>>>"},
		{"set<frozen<addr>>", "set<frozen<addr>>"},
		{`ks."My Type"`, `"My Type"`},
	} {
		t.Run(tt.give, func(t *testing.T) {
			typ := mustParse(t, tt.give)
			if got := typ.String(); got != tt.want {
				t.Fatalf("Parse(%q).String() = %q, want %q", tt.give, got, tt.want)
			}
			if again := mustParse(t, typ.String()); !again.Equal(typ) {
				t.Fatalf("%q does not come back: %v", typ.String(), again)
			}
		})
	}
}

func TestBadTypeNamesAreErrors(t *testing.T) {
	for _, s := range []string{"", "list", "list<", "list<int", "list<int,text>", "map<int>", "frozen<int>", "int>", `"x`, "nope", "int int"} {
		if typ, err := Parse(s, nil); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", s, typ)
		}
	}
}

// Known tokens, some with bytes above 0x7f in the tail, where Java's sign
// extension shows. The differential test compares random keys with the token()
// of a real Cassandra.
func TestMurmur3Token(t *testing.T) {
	for _, tt := range []struct {
		name string
		key  []byte
		want int64
	}{
		{"empty key", nil, math.MinInt64},
		{"text 123", []byte("123"), -7468325962851647638},
		{"int 1", []byte{0, 0, 0, 1}, -4069959284402364209},
		{"int 2", []byte{0, 0, 0, 2}, -3248873570005575792},
		{"50 bytes, some of them high", bytes.Repeat([]byte{0x00, 0xff, 0x10, 0xfa, 0x99}, 10), 5837342703291459765},
		{"8 high bytes", bytes.Repeat([]byte{0xfe}, 8), -8927430733708461935},
		{"8 bytes", bytes.Repeat([]byte{0x10}, 8), 1446172840243228796},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Murmur3Token(tt.key); got != tt.want {
				t.Fatalf("Murmur3Token(%x) = %d, want %d", tt.key, got, tt.want)
			}
		})
	}
}

// randValue makes a random valid value of a type; empties, extremes and twins of
// one number among them.
func randValue(r *rand.Rand, t *Type) []byte {
	if t.AllowsEmpty() && t.Kind != Tuple && t.Kind != UDT && r.IntN(12) == 0 {
		return []byte{}
	}
	n := func(size int) []byte {
		b := make([]byte, size)
		switch r.IntN(4) {
		case 0:
		case 1:
			for i := range b {
				b[i] = 0xff
			}
		default:
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if r.IntN(2) == 0 {
				b = append(make([]byte, size-1), b[0])
			}
		}
		return b
	}
	switch t.Kind {
	case Boolean:
		return []byte{byte(r.IntN(2))}
	case Tinyint:
		return n(1)
	case Smallint:
		return n(2)
	case Int, Float, Date:
		return n(4)
	case Bigint, Counter, Timestamp, Double:
		return n(8)
	case Time:
		return binary.BigEndian.AppendUint64(nil, r.Uint64N(uint64(nanosPerDay)))
	case ASCII, Text:
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = []byte{0, 1, 'a', 'b', 0x7f}[r.IntN(5)]
		}
		return b
	case Blob:
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = []byte{0, 1, 2, 0xfe, 0xff}[r.IntN(5)]
		}
		return b
	case Varint:
		return n(1 + r.IntN(10))
	case Decimal:
		scale := int32(r.IntN(7) - 3)
		if r.IntN(8) == 0 {
			scale = []int32{math.MaxInt32, math.MinInt32 + 100, 40, -40}[r.IntN(4)]
		}
		return EncodeDecimal(big.NewInt([]int64{0, 1, -1, 10, 100, -100, 12345, r.Int64() - r.Int64()}[r.IntN(8)]), scale)
	case Inet:
		return n([]int{4, 16}[r.IntN(2)])
	case UUID:
		b := n(16)
		b[6] = b[6]&0x0f | byte([]int{1, 1, 4, 4, 0, 7}[r.IntN(6)])<<4
		return b
	case Timeuuid:
		b := n(16)
		b[6] = b[6]&0x0f | 0x10
		return b
	case Duration:
		return EncodeDuration(int32(r.IntN(40)), int32(r.IntN(40)), r.Int64N(1<<40))
	case List, Set, Map:
		var elems [][]byte
		for range r.IntN(4) {
			for _, e := range t.Elems {
				elems = append(elems, randValue(r, e))
			}
		}
		return EncodeCollection(t, t.Normalize(elems))
	default:
		fields := make([][]byte, r.IntN(len(t.Elems)+1))
		for i := range fields {
			if r.IntN(4) > 0 {
				fields[i] = randValue(r, t.Elems[i])
			}
		}
		if b := EncodeTuple(fields); b != nil {
			return b
		}
		return []byte{}
	}
}

var keyTypes = []string{
	"ascii", "bigint", "blob", "boolean", "date", "decimal", "double", "float", "inet", "int", "smallint", "text",
	"time", "timestamp", "timeuuid", "tinyint", "uuid", "varint",
	"frozen<list<int>>", "frozen<set<text>>", "frozen<map<int, decimal>>", "frozen<tuple<int, text, uuid>>",
	"frozen<udt>", "frozen<list<frozen<tuple<blob, double>>>>",
}

func testRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// The order of keys must be that of values, and no key may be a prefix of
// another: both in each direction.
func TestKeysSortLikeValues(t *testing.T) {
	for _, name := range keyTypes {
		t.Run(name, func(t *testing.T) {
			r := testRand(t)
			typ := mustParse(t, name)
			for range 4000 {
				a, b := randValue(r, typ), randValue(r, typ)
				if err := typ.Validate(a); err != nil {
					t.Fatalf("the generator made %x: %v", a, err)
				}
				want := sign(typ.Compare(a, b))
				if back := sign(typ.Compare(b, a)); back != -want {
					t.Fatalf("Compare(%x, %x) = %d, the other way %d", a, b, want, back)
				}
				for _, desc := range []bool{false, true} {
					ka, kb := typ.AppendKey(nil, a, desc), typ.AppendKey(nil, b, desc)
					got := bytes.Compare(ka, kb)
					if desc {
						got = -got
					}
					if got != want {
						t.Fatalf("desc %v: keys %x and %x of %s and %s compare %d, the values %d", desc, ka, kb, typ.Format(a), typ.Format(b), got, want)
					}
					if want != 0 && bytes.HasPrefix(ka, kb) {
						t.Fatalf("desc %v: key %x of %s begins with key %x of %s", desc, ka, typ.Format(a), kb, typ.Format(b))
					}
				}
			}
		})
	}
}

func TestKeysComeBack(t *testing.T) {
	for _, name := range keyTypes {
		t.Run(name, func(t *testing.T) {
			r := testRand(t)
			typ := mustParse(t, name)
			for range 2000 {
				v := randValue(r, typ)
				for _, desc := range []bool{false, true} {
					key := append(typ.AppendKey([]byte("x"), v, desc), "rest"...)
					got, rest, err := typ.DecodeKey(nil, key[1:], desc)
					if err != nil {
						t.Fatalf("key %x of %s: %v", key, typ.Format(v), err)
					}
					if string(rest) != "rest" || typ.Compare(got, v) != 0 || typ.Validate(got) != nil || got == nil {
						t.Fatalf("key of %x comes back as %x, rest %q", v, got, rest)
					}
					// Types without twins come back byte for byte.
					if !typ.hasTwins() && !bytes.Equal(got, v) {
						t.Fatalf("key of %x comes back as %x", v, got)
					}
					for i := range len(key) - len("rest") - 1 {
						if _, _, err := typ.DecodeKey(nil, key[1:1+i], desc); err == nil {
							t.Fatalf("a key of %s cut to %d bytes is taken", typ, i)
						}
					}
				}
			}
		})
	}
}

// hasTwins: some value has several binary forms.
func (t *Type) hasTwins() bool {
	return t.Contains(Varint) || t.Contains(Decimal) || t.Contains(Float) || t.Contains(Double) || t.Contains(Tuple) || t.Contains(UDT)
}

func sign(n int) int { return max(-1, min(1, n)) }

// Orders that Cassandra documents or tests, smallest first.
func TestOrderOfKnownValues(t *testing.T) {
	for _, tt := range []struct {
		typ    string
		sorted []string
	}{
		{"int", []string{"-2147483648", "-1", "0", "1", "2147483647"}},
		{"varint", []string{"-1000000000000000000000", "-256", "-255", "-1", "0", "127", "128", "255", "65536"}},
		{"decimal", []string{"-1E+50", "-10.5", "-10.45", "-0.001", "0", "1E-400", "0.1", "1.0", "1.01", "9.9", "10", "1E+2", "101"}},
		{"double", []string{"-Infinity", "-1.5", "-0.0", "0.0", "1e-300", "2.5", "Infinity", "NaN"}},
		{"float", []string{"-Infinity", "-1.5", "-0.0", "0.0", "2.5", "Infinity", "NaN"}},
		{"date", []string{"1969-12-31", "1970-01-01", "2026-11-22"}},
		{"timestamp", []string{"1969-12-31", "1970-01-01", "2026-11-22T01:02:03.004Z"}},
		{"inet", []string{"1.2.3.4", "1.2.3.5", "2001::1", "::ffff:127.0.0.1", "200.1.1.1", "ff02::1"}},
		// Version 1 by time, then its other half as signed bytes.
		{"timeuuid", []string{
			"ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000", "00000000-0000-1001-8000-000000000000",
			"00000000-0000-1001-8000-000000000001", "00000000-0000-1001-8100-000000000001", "00000000-0000-1001-0000-0000000000ff",
		}},
		// By version, then version 1 by time, others by bytes; unsigned.
		{"uuid", []string{
			"ffffffff-0000-0000-0000-000000000000", "ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-0000-000000000000",
			"00000000-0001-1000-8000-000000000000", "00000000-0000-4000-8000-000000000000", "01000000-0000-4000-8000-000000000000",
		}},
	} {
		t.Run(tt.typ, func(t *testing.T) {
			typ := mustParse(t, tt.typ)
			var values [][]byte
			for _, s := range tt.sorted {
				if s == "::ffff:127.0.0.1" { // is the IPv4 address
					s = "127.0.0.1"
				}
				values = append(values, text(t, tt.typ, s))
			}
			if tt.typ == "inet" {
				slices.SortFunc(values, bytes.Compare) // unsigned bytes is all there is to it
			}
			for i := 1; i < len(values); i++ {
				if typ.Compare(values[i-1], values[i]) >= 0 {
					t.Errorf("%s does not sort before %s", typ.Format(values[i-1]), typ.Format(values[i]))
				}
			}
		})
	}
}

// Format and the literal parser are inverse to each other.
func TestLiteralsComeBack(t *testing.T) {
	for _, name := range append(slices.Clone(keyTypes), "duration", "counter") {
		typ := mustParse(t, name)
		if len(typ.Elems) > 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := testRand(t)
			for range 1000 {
				v := randValue(r, typ)
				if len(v) == 0 && typ.Kind != Text && typ.Kind != ASCII && typ.Kind != Blob {
					continue
				}
				got, err := typ.ParseText(typ.FormatPlain(v))
				if typ.Kind == Timestamp {
					if y := time.UnixMilli(int64(binary.BigEndian.Uint64(v))).UTC().Year(); y < 0 || y > 9999 {
						continue // CQL has no literal for these either
					}
				}
				if typ.Kind == Date {
					if y := time.Unix((int64(binary.BigEndian.Uint32(v))-dateEpoch)*86400, 0).UTC().Year(); y < 0 || y > 9999 {
						continue
					}
				}
				if err != nil || typ.Compare(got, v) != 0 {
					t.Fatalf("%x is shown as %q, which is %x, %v", v, typ.FormatPlain(v), got, err)
				}
			}
		})
	}
}

func TestLiterals(t *testing.T) {
	for _, tt := range []struct{ typ, give, want string }{
		{"timestamp", "0", "0000000000000000"},
		{"timestamp", "1970-01-01 00:00:01", "00000000000003e8"},
		{"timestamp", "1970-01-01T00:00:01.5+0000", "00000000000005dc"},
		{"timestamp", "1970-01-01T01:00+01:00", "0000000000000000"},
		{"date", "1970-01-02", "80000001"},
		{"date", "2147483648", "80000000"},
		{"time", "00:00:01", "000000003b9aca00"},
		{"time", "00:00:00.000000001", "0000000000000001"},
		{"duration", "1y2mo3w", hex.EncodeToString(EncodeDuration(14, 21, 0))},
		{"duration", "P1Y2M3DT4H5M6S", hex.EncodeToString(EncodeDuration(14, 3, int64(4*time.Hour+5*time.Minute+6*time.Second)))},
		{"duration", "-P2W", hex.EncodeToString(EncodeDuration(0, -14, 0))},
		{"duration", "P0001-02-03T04:05:06", hex.EncodeToString(EncodeDuration(14, 3, int64(4*time.Hour+5*time.Minute+6*time.Second)))},
		{"inet", "127.0.0.1", "7f000001"},
		{"blob", "0xCafe", "cafe"},
		{"varint", "-129", "ff7f"},
		{"varint", "128", "0080"},
		{"decimal", "-1.50", "00000002ff6a"},
		{"decimal", "1e3", "fffffffd01"},
		{"boolean", "TRUE", "01"},
		{"double", "NaN", "7ff8000000000000"},
		{"float", "nan", "7fc00000"},
	} {
		t.Run(tt.typ+" "+tt.give, func(t *testing.T) {
			if got := hex.EncodeToString(text(t, tt.typ, tt.give)); got != tt.want {
				t.Fatalf("%s %q = %s, want %s", tt.typ, tt.give, got, tt.want)
			}
		})
	}
}

func TestBadLiteralsAreErrors(t *testing.T) {
	for _, tt := range []struct{ typ, give string }{
		{"int", "2147483648"},
		{"int", "1.0"},
		{"int", ""},
		{"tinyint", "128"},
		{"bigint", "x"},
		{"varint", "1_0"},
		{"boolean", "yes"},
		{"uuid", "123"},
		{"timeuuid", "00000000-0000-4000-8000-000000000000"},
		{"inet", "localhost"},
		{"inet", "fe80::1%eth0"},
		{"date", "2026-13-01"},
		{"date", "-1"},
		{"time", "24:00:00"},
		{"time", "-1"},
		{"timestamp", "yesterday"},
		{"blob", "0xabc"},
		{"duration", "1x"},
		{"duration", "P"},
		{"duration", ""},
		{"duration", "3000000000d"},
		{"float", "0x1p3"},
		{"decimal", "1.2.3"},
		{"decimal", "--1"},
		{"ascii", "\u00e9"},
		{"text", "\xff"},
	} {
		if b, err := mustParse(t, tt.typ).ParseText(tt.give); err == nil {
			t.Errorf("%s %q is taken as %x", tt.typ, tt.give, b)
		}
	}
}

func TestLiteralKinds(t *testing.T) {
	one := Literal{Kind: IntegerLiteral, Text: "1"}
	str := Literal{Kind: StringLiteral, Text: "x"}
	for _, tt := range []struct {
		name, typ string
		give      Literal
		want      string // "" is an error
	}{
		{"a string is no int", "int", Literal{Kind: StringLiteral, Text: "1"}, ""},
		{"an integer is a float", "float", one, "1.0"},
		{"an integer is no text", "text", one, ""},
		{"sets are put in order and lose doubles", "set<int>", Literal{Kind: SetLiteral, Items: []Literal{{Kind: IntegerLiteral, Text: "2"}, one, one}}, "{1, 2}"},
		{"of equal keys the last counts", "map<int, text>", Literal{Kind: MapLiteral, Items: []Literal{one, str, one, {Kind: StringLiteral, Text: "y"}}}, "{1: 'y'}"},
		{"braces without elements are a map too", "map<int, text>", Literal{Kind: SetLiteral}, "{}"},
		{"a list is no set", "set<int>", Literal{Kind: ListLiteral, Items: []Literal{one}}, ""},
		{"null is no element", "list<int>", Literal{Kind: ListLiteral, Items: []Literal{{}}}, ""},
		{"tuples may be short", "tuple<int, text>", Literal{Kind: TupleLiteral, Items: []Literal{one}}, "(1, null)"},
		{"tuples may not be long", "tuple<int>", Literal{Kind: TupleLiteral, Items: []Literal{one, one}}, ""},
		{"fields go by name", "u", Literal{Kind: UDTLiteral, Names: []string{"B c"}, Items: []Literal{str}}, `{a: null, "B c": 'x'}`},
		{"unknown fields are errors", "u", Literal{Kind: UDTLiteral, Names: []string{"z"}, Items: []Literal{str}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typ := mustParse(t, tt.typ)
			b, err := typ.FromLiteral(tt.give)
			got := ""
			if err == nil {
				got = typ.Format(b)
			}
			if got != tt.want {
				t.Fatalf("%v as %s = %q, %v; want %q", tt.give, tt.typ, got, err, tt.want)
			}
		})
	}
}

func TestFormatDecimalAsJavaDoes(t *testing.T) {
	for _, tt := range []struct {
		unscaled int64
		scale    int32
		want     string
	}{
		{123, 0, "123"}, {123, 1, "12.3"}, {-123, 5, "-0.00123"}, {123, 10, "1.23E-8"}, {5, -2, "5E+2"}, {123, -3, "1.23E+5"}, {0, 3, "0.000"}, {0, -3, "0E+3"},
	} {
		if got := formatDecimal(EncodeDecimal(big.NewInt(tt.unscaled), tt.scale)); got != tt.want {
			t.Errorf("%d with scale %d = %q, want %q", tt.unscaled, tt.scale, got, tt.want)
		}
	}
}

func TestInvalidValuesAreErrors(t *testing.T) {
	for _, tt := range []struct{ typ, value, want string }{
		{"int", "00", "Expected 4 or 0 byte int (1)"},
		{"bigint", "00", "Expected 8 or 0 byte long (1)"},
		{"tinyint", "", "Expected 1 byte for a tinyint (0)"},
		{"boolean", "0001", "Expected 1 or 0 byte value (2)"},
		{"text", "ff", "String didn't validate."},
		{"list<int>", "0000000200000004000000010000", ""},
		{"list<int>", "7fffffff", ""},
		{"list<int>", "ffffffff", ""},
		{"map<int, int>", "00000001ffffffff00000004", ""},
		{"tuple<int>", "0000000400000001ff", ""},
		{"time", "00004e94914f0000", "Input long out of bounds: 86400000000000"},
	} {
		b, err := hex.DecodeString(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		err = mustParse(t, tt.typ).Validate(b)
		if err == nil || tt.want != "" && err.Error() != tt.want {
			t.Errorf("%s 0x%s: %v, want %q", tt.typ, tt.value, err, tt.want)
		}
	}
}

func TestOptionOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		typ     string
		version byte
		want    string
	}{
		{"int", 4, "0009"},
		{"list<text>", 4, "0020000d"},
		{"map<int, frozen<set<uuid>>>", 4, "002100090022000c"},
		{"tuple<int, text>", 4, "003100020009000d"},
		{"u", 4, "0030" + "00026b73" + "000175" + "0002" + "000161" + "0009" + "0003422063" + "000d"},
		{"smallint", 4, "0013"},
		{"duration", 4, "0000002c" + hex.EncodeToString([]byte(durationClass))},
		{"tinyint", 3, "00000028" + hex.EncodeToString([]byte(v3Classes[Tinyint]))},
	} {
		if got := hex.EncodeToString(mustParse(t, tt.typ).AppendOption(nil, tt.version)); got != tt.want {
			t.Errorf("%s, version %d: %s, want %s", tt.typ, tt.version, got, tt.want)
		}
	}
}

func FuzzValuesAndKeys(f *testing.F) {
	for i := range keyTypes {
		f.Add(byte(i), []byte{0, 0, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4})
		f.Add(byte(i), []byte{2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	}
	f.Fuzz(func(t *testing.T, i byte, b []byte) {
		typ := mustParse(t, keyTypes[int(i)%len(keyTypes)])
		// A decoder of damaged keys may refuse, not crash.
		_, _, _ = typ.DecodeKey(nil, b, i > 127)
		if typ.Validate(b) != nil || b == nil {
			return
		}
		_ = typ.Format(b)
		got, rest, err := typ.DecodeKey(nil, typ.AppendKey(nil, b, false), false)
		if err != nil || len(rest) > 0 || typ.Compare(got, b) != 0 {
			t.Fatalf("%s %x comes back as %x, %v", typ, b, got, err)
		}
	})
}
