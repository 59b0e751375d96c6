package seqmodel

import (
	"fmt"
	"slices"
	"strings"
)

const (
	maxRanges = 8  // 0 is none
	maxWrites = 6  // of both owners
	maxSent   = 10 // messages under way
)

// kind is that of a message.
type kind uint8

const (
	ahead   kind = iota + 1 // rows of tasks
	block                   // the atomic part of a write
	barrier                 // the shard's row alone
	take                    // a new range, with the end of the old one
	fence                   // a new range without it
	endOf                   // the end of the old range
	remove                  // the row of an attempt
)

var kindNames = [...]string{"", "ahead", "block", "barrier", "take", "fence", "end", "remove"}

// message is on its way to the server. A zero message is none.
type message struct {
	kind   kind
	owner  uint8
	waits  bool // the owner waits for the answer
	again  bool // the server runs it a second time
	write  uint8
	q      uint8 // range that it tests
	last   uint8 // number that it tests
	number uint8 // number that it sets
	to     uint8 // range that it makes
	nonce  uint8
	burned uint16 // numbers of q
}

// tag is the range and number of an attempt; zero if there is none.
type tag struct{ q, n uint8 }

// told is what was said of a write.
type told uint8

const (
	nothing told = iota
	applied
	notApplied
	unknown
)

// lease is the shard's row, and what an owner remembers of it.
type lease struct {
	q, last uint8
	nonce   uint8
	ends    [maxRanges]uint8 // number + 1; 0: not recorded
	burned  [maxRanges]uint16
}

// phase is what an owner is doing.
type phase uint8

const (
	idle phase = iota
	aheadWait
	blockWait
	blockRead // the block was refused: read the row
	barrierWait
	barrierRead
	takeWait
	takeRead
	fenceWait
	fenceRead
	endRead
	endWait
)

// owner is a process. All of it is lost when it dies.
type owner struct {
	phase phase
	own   bool // it has a range, as far as it knows
	fresh bool // and has seen lately that it is so
	lease lease
	next  uint8

	pending   uint16 // burned numbers that are not stored
	unsettled tag    // of an attempt; its write is unsettledOf
	barriers  uint16 // numbers of barriers without an answer

	writing     bool // a call is under way
	write       uint8
	attempts    uint8
	number      uint8 // of the attempt under way
	first       uint8 // of the first attempt
	other       bool  // it was refused by another row
	unsettledOf uint8

	from, seen, nonce uint8 // of a takeover
}

// State is one of the machine.
type State struct {
	row    lease
	owners [2]owner
	sent   [maxSent]message  // sorted, none last
	rows   [maxWrites][2]tag // of tasks, by write
	effect [maxWrites]tag    // the attempt by which a write took effect
	told   [maxWrites]told
	writes [2]uint8 // begun by each owner
	takes  [2]uint8
	faults uint8
	made   uint8 // writes begun by both
	broken bool  // a write took effect twice
}

func start() State {
	var s State
	s.row.q = 1
	return s
}

func (m message) key() uint64 {
	b := func(v bool) uint64 {
		if v {
			return 1
		}
		return 0
	}
	return uint64(m.kind)<<60 | b(m.waits)<<59 | b(m.again)<<58 | uint64(m.owner)<<56 | uint64(m.write)<<52 |
		uint64(m.q)<<48 | uint64(m.last)<<40 | uint64(m.number)<<32 | uint64(m.to)<<28 | uint64(m.nonce)<<20 | uint64(m.burned)
}

// send puts a message under way.
func (s *State) send(m message) {
	for i := range s.sent {
		if s.sent[i].kind == 0 {
			s.sent[i] = m
			s.sort()
			return
		}
		if s.sent[i] == m {
			return // the same once more: whichever arrives is the one
		}
	}
	panic("too many messages are under way")
}

func (s *State) drop(i int) {
	s.sent[i] = message{}
	s.sort()
}

func (s *State) sort() {
	slices.SortFunc(s.sent[:], func(a, b message) int {
		switch x, y := a.key(), b.key(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
}

// shows tells whether a row is to be seen under a lease.
func (l *lease) shows(t tag) bool {
	if t.q > l.q || l.burned[t.q]&(1<<t.n) != 0 {
		return false
	}
	for q := t.q; q < l.q; q++ {
		if l.ends[q] != 0 {
			return t.n <= l.ends[q]-1
		}
	}
	return t.n <= l.last
}

// Broken tells which of the invariants does not hold; "" if all do.
func (s *State) Broken(r Rules) string {
	if s.broken {
		return "(a) a write took effect twice"
	}
	for w := range s.made {
		e := s.effect[w]
		switch {
		case s.told[w] == applied && e == tag{}:
			return fmt.Sprintf("(a) write %d was reported as applied", w)
		case s.told[w] == notApplied && e != tag{}:
			return fmt.Sprintf("(a) write %d was reported as not applied", w)
		case e != tag{} && !slices.Contains(s.rows[w][:], e):
			return fmt.Sprintf("(d) write %d has no task", w)
		}
	}
	for i := range s.owners {
		o := &s.owners[i]
		if !o.own {
			continue
		}
		if why := s.seen(&o.lease, o, r); why != "" {
			return fmt.Sprintf("%s to owner %d", why, i)
		}
	}
	if why := s.seen(&s.row, nil, r); why != "" {
		return why + " to a reader"
	}
	return ""
}

// seen checks what is shown under a lease: an owner's, or that of the row itself.
func (s *State) seen(l *lease, o *owner, r Rules) string {
	for w := range s.made {
		for _, t := range s.rows[w] {
			if t == (tag{}) || o != nil && (t.q > l.q || t == o.unsettled && !r.HideUnsettled) {
				continue // the read fails
			}
			if l.shows(t) && t != s.effect[w] {
				return fmt.Sprintf("(b) the task of write %d is shown", w)
			}
		}
		e := s.effect[w]
		holds := o == nil || l.q == s.row.q && o.phase < takeWait
		if e == (tag{}) || !holds || l.shows(e) {
			continue
		}
		if o != nil && (e == o.unsettled && !r.HideUnsettled || e.q == l.q && e.n == o.number && o.phase != idle) {
			continue // it is not known yet, or under way
		}
		return fmt.Sprintf("(c) the task of write %d is not shown", w)
	}
	return ""
}

func (s *State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "row %+v\n", s.row)
	for i := range s.owners {
		fmt.Fprintf(&b, "owner %d %+v\n", i, s.owners[i])
	}
	for _, m := range s.sent {
		if m.kind != 0 {
			fmt.Fprintf(&b, "sent %s %+v\n", kindNames[m.kind], m)
		}
	}
	fmt.Fprintf(&b, "tasks %v\neffect %v\ntold %v", s.rows[:s.made], s.effect[:s.made], s.told[:s.made])
	return b.String()
}
