package differential

import (
	"fmt"
	"sync/atomic"
	"testing"
)

// stats count what was compared.
type stats struct {
	all, applied, refused, collection, ttl, multiPage, errors atomic.Int64
}

func (s *stats) String() string {
	n := max(s.all.Load(), 1)
	share := func(v *atomic.Int64) string { return fmt.Sprintf("%d (%d %%)", v.Load(), 100*v.Load()/n) }
	return fmt.Sprintf("%d statements: conditional and applied %s, refused %s, on collections %s, with TTL %s, multi-page reads %s, errors %s",
		n, share(&s.applied), share(&s.refused), share(&s.collection), share(&s.ttl), share(&s.multiPage), share(&s.errors))
}

// count takes in one answer.
func (s *stats) count(st stmt, o outcome) {
	s.all.Add(1)
	cond, applied := o.applied()
	for _, x := range []struct {
		is bool
		n  *atomic.Int64
	}{
		{cond && applied, &s.applied},
		{cond && !applied, &s.refused},
		{st.collection, &s.collection},
		{st.ttl, &s.ttl},
		{o.pages > 1, &s.multiPage},
		{o.code != 0, &s.errors},
	} {
		if x.is {
			x.n.Add(1)
		}
	}
}

// leastShare is how much of all statements each kind has to be, in percent.
const leastShare = 20

// check asserts that each kind of statement had its share.
func (s *stats) check(t *testing.T) {
	t.Helper()
	for _, x := range []struct {
		what string
		n    *atomic.Int64
	}{
		{"conditional statements that apply", &s.applied},
		{"conditional statements that are refused", &s.refused},
		{"statements on collections", &s.collection},
		{"statements with a TTL", &s.ttl},
		{"multi-page reads", &s.multiPage},
	} {
		if n, all := x.n.Load(), s.all.Load(); 100*n < leastShare*all {
			t.Errorf("%s: %d of %d statements, less than %d %%: the generator has to make more of them", x.what, n, all, leastShare)
		}
	}
}
