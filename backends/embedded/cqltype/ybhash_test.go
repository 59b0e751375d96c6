package cqltype

import (
	"testing"
	"time"

	"github.com/yugabyte/gocql"
)

// The client's own hash is the twin of the server's: routing works only if they
// agree.
func TestYBHashIsTheClientsHash(t *testing.T) {
	r := testRand(t)
	for n := range 200 {
		for range 20 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if got, want := YBHashBytes(b), uint16(gocql.GetKey(b)); got != want {
				t.Fatalf("YBHashBytes(%x) = %#x, want %#x", b, got, want)
			}
		}
	}
}

// The encodings that are hashed are what the client makes of its values. (Of a
// timestamp given as an int64 it hashes milliseconds and so routes wrongly; the
// server takes microseconds.)
func TestYBHashOfColumnsIsTheClients(t *testing.T) {
	r := testRand(t)
	types := []*Type{Native(Text), Native(Int), Native(Timestamp), Native(UUID), Native(Bigint)}
	clientTypes := []gocql.Type{gocql.TypeVarchar, gocql.TypeInt, gocql.TypeTimestamp, gocql.TypeUUID, gocql.TypeBigInt}
	for range 500 {
		id := gocql.UUID{}
		for i := range id {
			id[i] = byte(r.Uint32())
		}
		args := []any{string(rune('a' + r.IntN(26))), int(int32(r.Uint32())), time.UnixMilli(1 + r.Int64N(1<<42)), id, int64(r.Uint64())}
		var values [][]byte
		var key []byte
		for i, arg := range args {
			info := gocql.NewNativeType(4, clientTypes[i], "")
			plain, err := gocql.Marshal(info, arg)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, plain)
			hashed, err := gocql.MarshalYb(info, arg)
			if err != nil {
				t.Fatal(err)
			}
			key = append(key, hashed...)
		}
		if got, want := YBHash(types, values), uint16(gocql.GetKey(key)); got != want {
			t.Fatalf("YBHash(%v) = %#x, want %#x", args, got, want)
		}
	}
}

func TestYBTokensKeepTheOrderOfHashes(t *testing.T) {
	for h := range 1 << 16 {
		token := YBToken(uint16(h))
		if back := YBTokenHash(token); back != uint16(h) {
			t.Fatalf("hash %#x comes back as %#x", h, back)
		}
		if h > 0 && YBToken(uint16(h-1)) >= token {
			t.Fatalf("the token of %#x is not above that of the hash before", h)
		}
	}
}
