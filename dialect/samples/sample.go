// Package samples holds sample plans, one or more for every call of
// Temporal's stores, in the shapes in which package store makes them. Dialects
// keep goldens of them, and docs/dialects.md shows them side by side.
package samples

import (
	"fmt"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/dialect"
)

// Sample is one plan with the store calls that make such plans. Either Write
// or Read is set.
type Sample struct {
	Name  string // file name of its golden
	Calls string // e.g. "UpdateWorkflowExecution (update current)"
	Write *plan.Write
	Read  *plan.Read
	Args  []any // of Read
	// Sequenced samples are those of the sequencer of a shard's writes, and only
	// for dialects that need one.
	Sequenced bool
}

// Of returns the samples as a dialect is given them: where the writes of a shard
// have numbers, with numbers. It panics if a sample cannot have one.
func Of(d dialect.Dialect) []Sample {
	var all []Sample
	for _, s := range Samples() {
		if s, ok := s.of(d); ok {
			all = append(all, s)
		}
	}
	return all
}

func (s Sample) of(d dialect.Dialect) (Sample, bool) {
	if !d.Traits().Sequenced {
		return s, !s.Sequenced
	}
	if s.Sequenced {
		return s, true
	}
	var err error
	if s.Write != nil {
		s.Write, err = s.Write.Numbered(last, number)
	} else {
		s.Read, err = s.Read.Numbered()
	}
	if err != nil {
		panic(fmt.Sprintf("sample %s: %v", s.Name, err))
	}
	return s, true
}

// Samples returns all samples, as stores make them. Each call makes them anew.
func Samples() []Sample {
	return slices.Concat(shardSamples(), sequencerSamples(), executionSamples(), historySamples(), taskSamples(), matchingSamples(),
		userDataSamples(), namespaceSamples(), clusterSamples(), queueSamples(), nexusSamples(), recordSamples())
}

// Values that samples share.
const (
	shard     int64 = 7
	rangeID   int64 = 40
	last      int64 = 900 // number of the last write of the shard
	number    int64 = 901
	workflow        = "order-17"
	archetype int64 = 2918170192 // workflows: chasm/workflow.go
	component int64 = 305419896  // some other archetype
)

var (
	namespace = id(0x11)
	run       = id(0x22)
	otherRun  = id(0x33)
	newRun    = id(0x44)
	tree      = id(0x55)
	branch    = id(0x66)
	host      = id(0x77)
)

func id(b byte) [16]byte {
	var u [16]byte
	for i := range u {
		u[i] = b
	}
	return u
}

func blob(s string) plan.Blob { return plan.Blob{Data: []byte(s), Encoding: "Proto3"} }

func set(c *plan.Column, v any) plan.Effect {
	return plan.Effect{Op: plan.Set, Column: c, Value: v}
}

func merge(c *plan.Column, v any) plan.Effect {
	return plan.Effect{Op: plan.Merge, Column: c, Value: v}
}

func drop(c *plan.Column, v any) plan.Effect {
	return plan.Effect{Op: plan.Drop, Column: c, Value: v}
}

func equal(c *plan.Column, v any) plan.Cond {
	return plan.Cond{Test: plan.Equal, Column: c, Value: v}
}

var (
	absent  = plan.Cond{Test: plan.RowAbsent}
	present = plan.Cond{Test: plan.RowPresent}
)

// write is an atomic write.
func write(name, calls, op string, mutations ...plan.Mutation) Sample {
	return Sample{Name: name, Calls: calls, Write: &plan.Write{Name: op, Scope: plan.Atomic, Mutations: mutations}}
}

// ordered is an ordered write.
func ordered(name, calls, op string, mutations ...plan.Mutation) Sample {
	return Sample{Name: name, Calls: calls, Write: &plan.Write{Name: op, Scope: plan.Ordered, Mutations: mutations}}
}

func read(name, calls string, r plan.Read, args ...any) Sample {
	return Sample{Name: name, Calls: calls, Read: &r, Args: args}
}

func columns(c ...*plan.Column) []*plan.Column { return c }

func edge(c plan.Compare) plan.RangeEnd { return plan.RangeEnd{Compare: c, Width: 1} }

func bound(c plan.Compare, values ...any) plan.Bound { return plan.Bound{Compare: c, Values: values} }
