package seqmodel

// walk makes the states that follow one.
type walk struct {
	limits Limits
	rules  Rules
	from   *State
	to     []next
}

type next struct {
	state  State
	action string
}

// step starts a new state from the present one.
func (w *walk) step(change func(s *State) (action string)) {
	s := *w.from
	action := change(&s)
	s.forget(w.rules)
	w.to = append(w.to, next{s, action})
}

// fault is a step that counts as a fault.
func (w *walk) fault(change func(s *State) (action string)) {
	if int(w.from.faults) < w.limits.Faults {
		w.step(func(s *State) string {
			s.faults++
			return change(s)
		})
	}
}

var ownerNames = [2]string{"A ", "B "}

func (w *walk) steps() {
	for i := range w.from.sent {
		if w.from.sent[i].kind != 0 {
			w.arrives(i)
		}
	}
	for i := range uint8(2) {
		w.owner(i)
	}
	w.pause()
}

// forget drops messages that can do nothing any more and that nobody waits for:
// ranges only grow, and so do numbers in a range.
func (s *State) forget(r Rules) {
	for i := 0; i < len(s.sent) && s.sent[i].kind != 0; {
		m := &s.sent[i]
		dead := m.q < s.row.q
		switch m.kind {
		case ahead, remove:
			dead = false
		case block:
			dead = dead || m.q == s.row.q && m.last < s.row.last && !r.BlockWithoutNumber
		case take:
			dead = dead || m.q == s.row.q && m.last < s.row.last && !r.TakeWithoutNumber
		case barrier, endOf:
			dead = dead || m.q == s.row.q && m.last < s.row.last
		case fence:
		}
		if dead && !m.waits {
			s.drop(i)
			continue
		}
		i++
	}
}

// arrives executes a message and hands the answer to whoever waits for it.
func (w *walk) arrives(i int) {
	m := w.from.sent[i]
	name := ownerNames[m.owner] + kindNames[m.kind] + " arrives"
	w.step(func(s *State) string {
		s.drop(i)
		ok := s.execute(m, w.rules)
		if m.waits {
			w.answer(s, m, ok)
		}
		if ok {
			return name
		}
		return name + ", refused"
	})
	if m.kind != block || !m.waits || m.again {
		return
	}
	// The server commits, and runs it again.
	w.fault(func(s *State) string {
		s.drop(i)
		ok := s.execute(m, w.rules)
		m.again = true
		s.send(m)
		if ok {
			return name + ", to be run again"
		}
		return name + ", refused, to be run again"
	})
	// Another row than the shard's refuses.
	w.fault(func(s *State) string {
		s.drop(i)
		o := &s.owners[m.owner]
		o.phase, o.other = blockRead, true
		return name + ", refused by another row"
	})
}

// execute does what a message asks for, if its conditions hold.
func (s *State) execute(m message, r Rules) bool {
	row := &s.row
	switch m.kind {
	case ahead:
		s.store(m.write, tag{m.q, m.number}, r)
		return true
	case remove:
		s.remove(m.write, tag{m.q, m.number}, r)
		return true
	case block:
		if row.q != m.q || row.last != m.last && !r.BlockWithoutNumber {
			return false
		}
		row.last = m.number
		if s.effect[m.write] != (tag{}) {
			s.broken = true
		}
		s.effect[m.write] = tag{m.q, m.number}
	case barrier:
		if row.q != m.q || row.last != m.last {
			return false
		}
		row.last = m.number
		if !r.BurnedForgotten {
			row.burned[m.q] = m.burned
		}
	case take:
		if row.q != m.q || row.last != m.last && !r.TakeWithoutNumber {
			return false
		}
		row.q, row.nonce, row.last = m.to, m.nonce, m.last
		row.ends[m.q] = m.last + 1
	case fence:
		if row.q != m.q {
			return false
		}
		row.q, row.nonce = m.to, m.nonce
	case endOf:
		if row.q != m.q || row.last != m.last {
			return false
		}
		row.ends[m.to] = m.last + 1
	}
	return true
}

// store keeps the row of an attempt.
func (s *State) store(write uint8, t tag, r Rules) {
	rows := &s.rows[write]
	switch {
	case r.KeyWithoutNumber || rows[0] == tag{}:
		rows[0] = t
	case rows[0] != t:
		rows[1] = t
		if rows[0].n > rows[1].n {
			rows[0], rows[1] = rows[1], rows[0]
		}
	}
}

func (s *State) remove(write uint8, t tag, r Rules) {
	rows := &s.rows[write]
	if rows[1] == t {
		rows[1] = tag{}
	}
	if rows[0] == t || r.KeyWithoutNumber {
		rows[0], rows[1] = rows[1], tag{}
	}
}

// pause lets more time pass than anything can be under way, and whoever holds
// the lease clean up.
func (w *walk) pause() {
	holder := -1
	for i := range w.from.owners {
		o := &w.from.owners[i]
		if o.phase != idle {
			return
		}
		if o.own && o.lease.q == w.from.row.q {
			holder = i
		}
	}
	w.fault(func(s *State) string {
		for s.sent[0].kind != 0 {
			s.drop(0)
		}
		for i := range s.owners {
			s.owners[i].fresh = false
		}
		if holder < 0 || s.owners[holder].unsettled != (tag{}) {
			return "a long time passes"
		}
		o := &s.owners[holder]
		for write := range s.rows {
			for _, t := range s.rows[write] {
				if t.q != 0 && t.q < o.lease.q && !o.lease.shows(t) {
					s.remove(uint8(write), t, Rules{})
				}
			}
		}
		for q := range o.lease.q {
			o.lease.ends[q], o.lease.burned[q] = 0, 0
			s.row.ends[q], s.row.burned[q] = 0, 0
		}
		return "a long time passes, " + ownerNames[holder] + "cleans"
	})
}
