package seqmodel

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// Rules are those of the protocol that can be left out, each by a true field.
type Rules struct {
	BlockWithoutNumber bool // a block tests the range alone
	TakeWithoutNumber  bool // so does a takeover
	NoBarrier          bool // a block without an answer is taken for not applied
	NoReadBack         bool // a refused block is taken for not applied
	BurnedForgotten    bool // burned numbers are not stored
	NoEnd              bool // a fenced range is used before the end of the old one is recorded
	NumberReused       bool // a second attempt has the number of the first
	KeyWithoutNumber   bool // a task has one row, whatever its attempts
	EndsIgnored        bool // a write whose range has moved is taken for not applied
	HideUnsettled      bool // a row of a write of unknown outcome is hidden
	NonceIgnored       bool // any range of the right number is taken for the own one
	NeverLooks         bool // an owner that has been idle for long writes without looking
	BurnedLater        bool // burned numbers are left to a barrier after the next write
}

// Limits bound what happens.
type Limits struct {
	Writes int // of each owner
	Takes  int // takeovers of each owner
	Faults int // of all kinds
	States int // distinct states; 0: any number
}

// Result is what an exploration found.
type Result struct {
	States int
	// Complete: all states within the limits were seen.
	Complete bool
	// Broken is the invariant that does not hold, and Trace how to get there.
	Broken string
	Trace  string
}

type visit struct {
	parent int32
	action string
}

// Explore visits all states that can be reached, those that take the fewest
// steps first, until one breaks an invariant or a limit is met.
func Explore(l Limits, r Rules) Result {
	seed := maphash.MakeSeed()
	seen := make(map[uint64]struct{})
	var visits []visit
	type item struct {
		state State
		at    int32
	}
	begin := start()
	frontier := []item{{begin, 0}}
	seen[maphash.Comparable(seed, begin)] = struct{}{}
	visits = append(visits, visit{-1, "start"})
	for len(frontier) > 0 {
		var next []item
		for i := range frontier {
			from := &frontier[i]
			w := walk{limits: l, rules: r, from: &from.state}
			w.steps()
			for j := range w.to {
				h := maphash.Comparable(seed, w.to[j].state)
				if _, ok := seen[h]; ok {
					continue
				}
				seen[h] = struct{}{}
				visits = append(visits, visit{from.at, w.to[j].action})
				at := int32(len(visits) - 1)
				if why := w.to[j].state.Broken(r); why != "" {
					return Result{States: len(seen), Broken: why, Trace: trace(visits, at) + "\n" + w.to[j].state.String()}
				}
				if l.States > 0 && len(seen) >= l.States {
					return Result{States: len(seen)}
				}
				next = append(next, item{w.to[j].state, at})
			}
		}
		frontier = next
	}
	return Result{States: len(seen), Complete: true}
}

func trace(visits []visit, at int32) string {
	var steps []string
	for ; at > 0; at = visits[at].parent {
		steps = append(steps, visits[at].action)
	}
	slices.Reverse(steps)
	for i := range steps {
		steps[i] = fmt.Sprintf("%2d %s", i+1, steps[i])
	}
	return strings.Join(steps, "\n")
}
