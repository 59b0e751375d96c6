package records_test

import (
	"flag"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
	"github.com/temporal-ycql/temporal-ycql/core/records"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
)

// store is a keyspace with its two ways in.
type store struct {
	name   string
	source func(t testing.TB, o records.Options) *records.Source
	writer *records.Writer
	raw    exec.Executor
	whole  bool // CHASM nodes are stored as one blob

	admin    cql.Admin // of databases
	keyspace string
}

func newStore(t testing.TB, name string, read, write exec.Executor) *store {
	t.Helper()
	w, err := records.NewWriter(write, records.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &store{
		name: name, writer: w, raw: write, whole: write.Traits().WholeNodes,
		source: func(t testing.TB, o records.Options) *records.Source {
			t.Helper()
			s, err := records.NewSource(read, o)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
	}
}

func inMemory(t testing.TB) *store {
	ex := memory.NewExecutor(memory.NewState(), cql.Traits{TTL: true})
	return newStore(t, "memory", ex, ex)
}

// put writes records into a keyspace, with its shards held.
func (s *store) put(t testing.TB, shards int32, all []records.Record) {
	t.Helper()
	for shard := range int64(shards) {
		if err := s.writer.Hold(t.Context(), shard+1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.writer.Put(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// read returns all records and their digest.
func (s *store) read(t testing.TB, o records.Options) ([]records.Record, *records.Digest) {
	t.Helper()
	src := s.source(t, o)
	d, all := digest(t, src, src.Parts(3))
	return all, d
}

// same fails if two sides differ, and says in which fields.
func same(t testing.TB, a, b []records.Record, da, db *records.Digest) {
	t.Helper()
	diffs, err := da.Diff(db)
	if err != nil {
		t.Fatal(err)
	}
	ka, kb := records.NewKeys(da, diffs...), records.NewKeys(db, diffs...)
	byName := make(map[string][2]*records.Record)
	for i := range a {
		ka.Add(&a[i])
		pair := byName[a[i].KeyString()]
		pair[0] = &a[i]
		byName[a[i].KeyString()] = pair
	}
	for i := range b {
		kb.Add(&b[i])
		pair := byName[b[i].KeyString()]
		pair[1] = &b[i]
		byName[b[i].KeyString()] = pair
	}
	for _, d := range ka.Diff(kb, time.Now().UnixMilli()) {
		t.Errorf("%s %s", d.Ref, d.Why)
		rec := records.Record{Kind: d.Kind, Key: d.Key}
		if pair := byName[rec.KeyString()]; pair[0] != nil && pair[1] != nil {
			for _, f := range records.Fields(pair[0], pair[1]) {
				t.Errorf("  %s", f)
			}
		}
	}
}

// A corpus that is written to a keyspace is read back as it was made.
func testCopy(t testing.TB, s *store, seed uint64) {
	o := corpus.Small(seed)
	o.Whole = s.whole
	made := corpus.Make(o)
	want := records.NewDigest(records.Content)
	for i := range made {
		want.Add(&made[i])
	}
	s.put(t, o.Shards, made)
	all, got := s.read(t, records.Options{Shards: o.Shards})
	same(t, made, all, want, got)

	// Written twice is written once.
	s.put(t, o.Shards, made)
	if err := s.writer.Replace(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	all, got = s.read(t, records.Options{Shards: o.Shards, PageRows: 7, Concurrency: 3})
	same(t, made, all, want, got)

	// Every kind can be deleted by its name, but shards; twice is once.
	var refs []records.Ref
	for i := range made {
		if made[i].Kind != records.Shard {
			refs = append(refs, made[i].Ref())
		}
	}
	for range 2 {
		if err := s.writer.Delete(t.Context(), refs); err != nil {
			t.Fatal(err)
		}
	}
	left, _ := s.read(t, records.Options{Shards: o.Shards})
	for i := range left {
		if left[i].Kind != records.Shard {
			t.Errorf("%s was deleted", left[i].KeyString())
		}
	}
	if len(left) != int(o.Shards) {
		t.Errorf("%d records are left of %d shards", len(left), o.Shards)
	}
	if err := s.writer.Delete(t.Context(), []records.Ref{left[0].Ref()}); err == nil {
		t.Error("a shard was deleted")
	}
}

var seedFlag = flag.Uint64("seed", 0, "seed of the corpus; 0 takes one from the clock")

// seed is what a test makes its corpus of; whoever fails says how to repeat it.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := *seedFlag
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with -seed %d", n)
		}
	})
	return n
}

func TestCopy(t *testing.T) {
	t.Run("memory", func(t *testing.T) { testCopy(t, inMemory(t), seed(t)) })
	t.Run("embedded cassandra", func(t *testing.T) { testCopy(t, engine(t, "cassandra"), seed(t)) })
	t.Run("embedded ycql", func(t *testing.T) { testCopy(t, engine(t, "ycql"), seed(t)) })
	t.Run("cassandra", func(t *testing.T) {
		s := node(t) // a keyspace takes long to make: the next test has it empty again
		testCopy(t, s, seed(t))
		testHoldQueues(t, s)
	})
}
