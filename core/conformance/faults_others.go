package conformance

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// otherFaultAreas is every fault at every request of every call of the stores that
// faultCalls leaves out. What they store is not compared row by row; each call must
// report the fault as what it is, and work after those that changed nothing.
func otherFaultAreas() []area {
	var tests []test
	for _, of := range otherStores {
		tests = append(tests, test{of.store, func(t *testing.T, db *database) { everyFaultOfAStore(t, db, of) }})
	}
	return []area{{"faults-of-other-stores", tests}}
}

// tidies are calls whose last request may only clear away what a refused one left:
// the refusal is the answer, whatever becomes of that request.
var tidies = map[string]bool{"CreateNamespace, of a name that is taken": true}

func everyFaultOfAStore(t *testing.T, db *database, of costs) {
	// A clean run tells how many requests each call makes.
	requests := failingStore(t, db, of).requests(t)

	s := failingStore(t, db, of)
	for i, c := range s.calls {
		t.Run(c.name+" before", func(t *testing.T) { s.everyFaultBefore(t, i) })
		if t.Failed() {
			return // what follows would not find what it needs
		}
	}
	for i, c := range s.calls {
		t.Run(c.name+" after", func(t *testing.T) {
			for at := 1; at <= requests[i]; at++ {
				everyFaultAfter(t, db, of, i, at, at == requests[i])
			}
		})
	}
}

// failing is the calls of one store, in an order in which each finds what it needs,
// over a session that fails.
type failing struct {
	session *faulty
	calls   []costed
}

func failingStore(t *testing.T, db *database, of costs) *failing {
	t.Helper()
	session := &faulty{Session: db.Session}
	f := newFixture(t, &database{Database: Database{Session: session, Dialect: db.Dialect, Name: db.Name}})
	return &failing{session, of.calls(t, f, db)}
}

// requests makes every call once, without faults, and returns how many requests each
// made.
func (s *failing) requests(t *testing.T) []int {
	t.Helper()
	n := make([]int, len(s.calls))
	for i, c := range s.calls {
		s.session.arm(0, before, nil)
		require.NoError(t, c.run(t.Context()), c.name)
		n[i] = s.session.disarm()
	}
	return n
}

// everyFaultBefore fails each request of a call before it is sent, until the call
// has come through.
func (s *failing) everyFaultBefore(t *testing.T, i int) {
	t.Helper()
	for at := 1; ; at++ {
		for _, f := range faults() {
			s.session.arm(at, before, f.err)
			err := s.calls[i].run(t.Context())
			if s.session.disarm() < at {
				require.NoError(t, err, "the call, after all faults that changed nothing")
				return
			}
			if err != nil || !tidies[s.calls[i].name] {
				t.Run(fmt.Sprintf("%s request %d", f.name, at), func(t *testing.T) { checkFault(t, write, err) })
			}
		}
	}
}

// everyFaultAfter loses the reply to a request. If that was the last one, and a
// write, the call has taken effect: nothing but a timeout may be said of it.
func everyFaultAfter(t *testing.T, db *database, of costs, i, at int, last bool) {
	t.Helper()
	var s *failing
	for _, f := range faults() {
		if !f.after {
			continue
		}
		t.Run(fmt.Sprintf("%s request %d", f.name, at), func(t *testing.T) {
			if s == nil {
				s = failingStore(t, db, of)
				for _, c := range s.calls[:i] {
					require.NoError(t, c.run(t.Context()), c.name)
				}
			}
			s.session.arm(at, after, f.err)
			err := s.calls[i].run(t.Context())
			s.session.disarm()
			if err == nil && last && tidies[s.calls[i].name] {
				return
			}
			checkFault(t, write, err)
			if !s.session.hitWrite() {
				return // nothing has changed
			}
			s = nil
			if last {
				_ = storetest.Bare[*p.TimeoutError](t, err)
			}
		})
	}
}
