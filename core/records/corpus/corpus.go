// Package corpus makes deployments for tests of what reads, copies and compares
// them: records of every family that Temporal 1.32 stores, with the oddities
// that real keyspaces have. What they hold is what the server would write, so
// that they decode and their histories are complete; the same seed gives the
// same records.
package corpus

import (
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// Options are the size of a corpus.
type Options struct {
	Seed      uint64
	Shards    int32
	Workflows int // about as many runs
	Queues    int // task queue partitions of each kind
	// Tasks in the longest backlog of a queue.
	Backlog int
	// Now is the clock by which rows expire; time.Now by default.
	Now func() time.Time
	// Garbage adds history trees without an execution, and one whose branch
	// cannot be decoded.
	Garbage bool
	// Whole stores CHASM nodes as one blob, as Apache Cassandra must; else as two.
	Whole bool
}

// Small is a corpus of a few hundred records with every oddity.
func Small(seed uint64) Options {
	return Options{Seed: seed, Shards: 4, Workflows: 24, Queues: 6, Backlog: 20, Garbage: true}
}

// The archetype of workflows, and one of another component.
const (
	archetypeWorkflow  int64 = 2918170192
	archetypeComponent int64 = 305419896
)

// maker gathers records.
type maker struct {
	o          Options
	r          *rand.Rand
	all        []records.Record
	namespaces [][16]byte
	task       int64 // last task id
	now        time.Time
}

// Make returns the records of a corpus, in no particular order.
func Make(o Options) []records.Record {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &maker{
		o: o, r: rand.New(rand.NewPCG(o.Seed, 1)), //nolint:gosec // a corpus is to be the same again
		task: 7 << 24, now: o.Now().Truncate(time.Second),
	}
	for range 3 {
		m.namespaces = append(m.namespaces, m.uuid())
	}
	m.globals()
	for shard := int64(1); shard <= int64(o.Shards); shard++ {
		m.shard(shard)
	}
	for i := range o.Workflows {
		m.workflow(i)
	}
	if o.Garbage {
		m.garbage()
	}
	for i := range o.Queues {
		m.queue(i)
	}
	return m.all
}

// add adds a record whose fields are given in the order of the table's columns.
func (m *maker) add(kind records.Kind, unit records.Unit, key []any, values ...any) *records.Record {
	r := records.Record{Kind: kind, Unit: unit, Key: key, Values: make([]any, len(kind.Table().Columns))}
	for i, v := range values {
		if msg, ok := v.(proto.Message); ok {
			v = m.blob(msg)
		}
		r.Values[i] = v
	}
	m.all = append(m.all, r)
	return &m.all[len(m.all)-1]
}

func (m *maker) blob(msg proto.Message) plan.Blob {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil {
		panic(err) // messages made here can be encoded
	}
	return plan.Blob{Data: data, Encoding: "Proto3"}
}

// uuid is of version 4: servers order other versions in ways of their own.
func (m *maker) uuid() (u [16]byte) {
	for i := range u {
		u[i] = byte(m.r.Uint32())
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}

func text(u [16]byte) string { return plan.FormatValue(u) }

func (m *maker) bytes(most int) []byte {
	b := make([]byte, 1+m.r.IntN(most))
	for i := range b {
		b[i] = byte(m.r.Uint32())
	}
	return b
}

func (m *maker) chance(percent int) bool { return m.r.IntN(100) < percent }

func (m *maker) nextTask() int64 {
	m.task += 1 + int64(m.r.IntN(3))
	return m.task
}

func (m *maker) time(offset time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(1_700_000_000, 0).Add(offset))
}

func (m *maker) namespace() [16]byte { return m.namespaces[m.r.IntN(len(m.namespaces))] }

// name is a name of odd letters for some of the numbers.
func name(kind string, i int) string {
	return []string{
		fmt.Sprintf("%s-%d", kind, i),
		fmt.Sprintf("%s:%d:with:colons", kind, i),
		fmt.Sprintf("%s %d/ä€'\"%%", kind, i),
		fmt.Sprintf("/_sys/%s/%d", kind, i),
	}[i%4]
}
