package seqmodel

// owner lets an owner do what it can by itself.
func (w *walk) owner(i uint8) {
	o := &w.from.owners[i]
	name := ownerNames[i]
	if o.phase != idle || o.own {
		w.fault(func(s *State) string {
			s.dies(i)
			return name + "dies"
		})
	}
	switch o.phase {
	case idle:
		w.begins(i)
	case aheadWait, blockWait, barrierWait, takeWait, fenceWait, endWait:
		w.givesUp(i)
	case blockRead:
		w.step(func(s *State) string {
			w.judge(s, i)
			return name + "reads the row"
		})
	case barrierRead:
		w.step(func(s *State) string {
			w.judge(s, i)
			return name + "reads the row"
		})
		w.step(func(s *State) string { // it cannot, or has no time
			s.unsettledCall(i)
			return name + "leaves it unsettled"
		})
	case takeRead, fenceRead, endRead:
		w.step(func(s *State) string {
			w.looks(s, i)
			return name + "reads the row"
		})
	}
}

// begins starts a write or a takeover.
func (w *walk) begins(i uint8) {
	o := &w.from.owners[i]
	name := ownerNames[i]
	if o.own && int(w.from.writes[i]) < w.limits.Writes {
		w.step(func(s *State) string {
			o := &s.owners[i]
			o.writing, o.write, o.attempts = true, s.made, 0
			s.made++
			s.writes[i]++
			w.attempt(s, i)
			return name + "writes"
		})
	}
	if int(w.from.takes[i]) < w.limits.Takes {
		w.step(func(s *State) string {
			o := &s.owners[i]
			s.takes[i]++
			o.from, o.seen = s.row.q, s.row.last
			if o.own && o.lease.q == s.row.q {
				o.seen = o.lease.last
			}
			o.nonce = 1 + i*8 + s.takes[i]
			s.take(i)
			return name + "takes the shard"
		})
	}
}

func (s *State) take(i uint8) {
	o := &s.owners[i]
	o.phase = takeWait
	s.send(message{kind: take, owner: i, waits: true, q: o.from, last: o.seen, to: o.from + 1, nonce: o.nonce})
}

func (s *State) fence(i uint8) {
	o := &s.owners[i]
	o.phase = fenceWait
	s.send(message{kind: fence, owner: i, waits: true, q: o.from, to: o.from + 1, nonce: o.nonce})
}

// end records the end of the old range; m.to is that range.
func (s *State) end(i uint8) {
	o := &s.owners[i]
	o.phase = endWait
	s.send(message{kind: endOf, owner: i, waits: true, q: o.from + 1, last: o.seen, to: o.from})
}

// attempt sends a write under a fresh number, when nothing is in its way.
func (w *walk) attempt(s *State, i uint8) {
	o := &s.owners[i]
	blocked := o.unsettled != (tag{}) || o.pending != 0 && !w.rules.BurnedLater || !o.fresh && !w.rules.NeverLooks
	if blocked {
		s.barrier(i)
		return
	}
	if w.rules.NumberReused && o.attempts > 0 {
		o.number = o.first
	} else {
		o.number = o.next
		o.next++
		o.first = o.number
	}
	o.attempts++
	o.other = false
	o.phase = aheadWait
	s.send(message{kind: ahead, owner: i, waits: true, write: o.write, q: o.lease.q, number: o.number})
}

func (s *State) barrier(i uint8) {
	o := &s.owners[i]
	burned := o.lease.burned[o.lease.q] | o.pending
	if o.unsettled != (tag{}) {
		burned |= 1 << o.unsettled.n
	}
	o.number = o.next
	o.next++
	o.barriers |= 1 << o.number
	o.phase = barrierWait
	s.send(message{
		kind: barrier, owner: i, waits: true, q: o.lease.q, last: o.lease.last, number: o.number, burned: burned,
	})
}

// answer is what an owner makes of an answer, and does at once.
func (w *walk) answer(s *State, m message, ok bool) {
	i := m.owner
	o := &s.owners[i]
	switch m.kind {
	case ahead:
		o.phase = blockWait
		s.send(message{
			kind: block, owner: i, waits: true, write: o.write, q: o.lease.q, last: o.lease.last, number: o.number,
		})
	case block:
		switch {
		case ok:
			s.tookEffect(i, o.number)
			s.finish(i, applied)
		case w.rules.NoReadBack:
			w.failed(s, i, true)
		default:
			o.phase = blockRead
		}
	case barrier:
		if !ok {
			o.phase = barrierRead
			return
		}
		o.lease.burned[o.lease.q] = m.burned
		s.tookEffect(i, m.number)
		o.pending = 0
		w.settled(s, i, notApplied)
	case take:
		if ok {
			s.ready(i)
		} else {
			o.phase = takeRead
		}
	case fence:
		if ok {
			o.phase = endRead
		} else {
			o.phase = fenceRead
		}
	case endOf:
		if ok {
			s.ready(i)
		} else {
			o.phase = endRead
		}
	case remove:
	}
}

// tookEffect notes the last number of the own range.
func (s *State) tookEffect(i, number uint8) {
	o := &s.owners[i]
	o.lease.last, o.barriers, o.fresh = number, 0, true
}

// finish ends a call.
func (s *State) finish(i uint8, t told) {
	o := &s.owners[i]
	if o.writing {
		s.told[o.write] = t
	}
	o.writing, o.phase, o.number, o.first, o.attempts, o.other, o.write = false, idle, 0, 0, 0, false, 0
}

// settled is the end of settling: of an attempt of this call, of an earlier one,
// or of burned numbers alone.
func (w *walk) settled(s *State, i uint8, t told) {
	o := &s.owners[i]
	mine := o.writing && o.unsettled != (tag{}) && o.unsettledOf == o.write
	o.unsettled = tag{}
	switch {
	case mine && t == applied:
		s.finish(i, applied)
	case mine:
		w.failed(s, i, false)
	case !o.writing:
		o.phase, o.number = idle, 0
	default:
		w.attempt(s, i)
	}
}

// failed is an attempt that never takes effect. Its rows go if they are stored.
// The caller is told, or it is tried once more: both are steps.
func (w *walk) failed(s *State, i uint8, burn bool) {
	o := &s.owners[i]
	if burn {
		o.pending |= 1 << o.number
	}
	if o.attempts < 2 && !o.other {
		again := *s
		w.attempt(&again, i)
		again.forget(w.rules)
		w.to = append(w.to, next{again, ownerNames[i] + "tries again"})
	}
	s.finish(i, notApplied)
}

// lost forgets the range.
func (s *State) lost(i uint8) {
	o := &s.owners[i]
	nonce := o.nonce
	*o = owner{phase: o.phase, writing: o.writing, write: o.write, from: o.from, seen: o.seen, nonce: nonce}
}

// judge looks at the row after a refusal of a block or a barrier.
func (w *walk) judge(s *State, i uint8) {
	o := &s.owners[i]
	row := &s.row
	a := o.unsettled
	if o.phase == blockRead {
		a = tag{o.lease.q, o.number}
	}
	inCall := o.phase == blockRead || a != (tag{}) && o.unsettledOf == o.write && o.writing
	switch {
	case row.q != o.lease.q:
		verdict := unknown
		switch {
		case a == tag{}:
			verdict = notApplied
		case w.rules.EndsIgnored:
			verdict = notApplied
		case row.ends[a.q] == a.n+1:
			verdict = applied
		case row.ends[a.q] != 0:
			verdict = notApplied
		}
		if !inCall {
			verdict = notApplied // of the call that was to follow
		}
		s.lost(i)
		s.finish(i, verdict)
	case a != (tag{}) && row.last == a.n:
		o.lease.burned[a.q] = row.burned[a.q]
		s.tookEffect(i, a.n)
		if o.phase == blockRead {
			s.finish(i, applied)
		} else {
			w.settled(s, i, applied)
		}
	case o.barriers&(1<<row.last) != 0:
		o.lease.burned[row.q] = row.burned[row.q]
		s.tookEffect(i, row.last)
		o.pending = 0
		w.settled(s, i, notApplied)
	case o.phase == blockRead && o.other && row.last == o.lease.last:
		// Refused by another row, and the lease still holds.
		s.send(message{kind: remove, owner: i, write: o.write, q: o.lease.q, number: o.number})
		w.failed(s, i, true)
	default:
		if o.phase == blockRead {
			o.unsettled, o.unsettledOf = a, o.write
		}
		s.barrier(i)
	}
}

// givesUp is an owner that waits no longer.
func (w *walk) givesUp(i uint8) {
	name := ownerNames[i]
	w.fault(func(s *State) string {
		s.orphans(i)
		o := &s.owners[i]
		switch o.phase {
		case aheadWait:
			w.failed(s, i, true)
		case blockWait:
			if w.rules.NoBarrier {
				w.failed(s, i, true)
				break
			}
			o.unsettled, o.unsettledOf = tag{o.lease.q, o.number}, o.write
			s.barrier(i)
		case barrierWait:
			s.barrier(i)
		case takeWait:
			s.take(i)
		case fenceWait:
			s.fence(i)
		case endWait:
			s.end(i)
		default:
		}
		return name + "waits no longer"
	})
	switch w.from.owners[i].phase {
	case barrierWait:
		w.fault(func(s *State) string {
			s.orphans(i)
			s.unsettledCall(i)
			return name + "leaves it unsettled"
		})
	case takeWait, fenceWait, endWait:
		w.fault(func(s *State) string {
			s.orphans(i)
			o := &s.owners[i]
			o.phase, o.from, o.seen = idle, 0, 0
			return name + "takes nothing"
		})
	default:
	}
}

// unsettledCall ends a call whose barrier has no answer: its own attempt is
// unknown, or it was never sent for that of another.
func (s *State) unsettledCall(i uint8) {
	o := &s.owners[i]
	if o.unsettled != (tag{}) && o.unsettledOf == o.write {
		s.finish(i, unknown)
		return
	}
	s.finish(i, notApplied)
}

// orphans are messages for whose answers nobody waits any more.
func (s *State) orphans(i uint8) {
	for j := range s.sent {
		if m := s.sent[j]; m.owner == i && m.waits {
			s.drop(j)
			m.waits = false
			s.send(m)
			return
		}
	}
}

func (s *State) dies(i uint8) {
	s.orphans(i)
	s.finish(i, unknown)
	s.owners[i] = owner{}
}

// looks reads the row in the middle of a takeover.
func (w *walk) looks(s *State, i uint8) {
	o := &s.owners[i]
	row := &s.row
	ours := row.q == o.from+1 && (row.nonce == o.nonce || w.rules.NonceIgnored)
	switch {
	case ours && (row.ends[o.from] != 0 || w.rules.NoEnd):
		s.ready(i)
	case ours:
		o.seen = row.last
		s.end(i)
	case o.phase == takeRead && row.q == o.from:
		s.fence(i)
	default:
		if o.own && row.q != o.lease.q {
			s.lost(i)
		}
		o.phase, o.from, o.seen = idle, 0, 0
	}
}

// ready begins the own range.
func (s *State) ready(i uint8) {
	o := &s.owners[i]
	*o = owner{own: true, fresh: true, lease: s.row, next: s.row.last + 1, nonce: o.nonce}
}
