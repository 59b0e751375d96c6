package schema

import (
	"context"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// String names a set for people.
func (s Set) String() string { return fmt.Sprintf("%s (dialect %s)", s.Database, s.Dialect) }

// refuseForeign fails if the keyspace was made by another set. Versions do not
// tell: each set counts its own.
func (s Set) refuseForeign(ctx context.Context, admin cql.Admin, keyspace string) error {
	is, err := s.server.live(ctx, admin, keyspace)
	if err != nil {
		return err
	}
	if other, ok := s.foreign(is); ok {
		return fmt.Errorf("keyspace %q was made for %s, not for %s: name another keyspace, or the backend or dialect that it was made for", keyspace, other, s)
	}
	return nil
}

// foreign finds the set that a keyspace looks made by, if it is not s: one of
// which the keyspace has most columns, and more than it has of s. So an update
// of s that was broken off does not count.
func (s Set) foreign(is *Model) (Set, bool) {
	own := s.share(is)
	for _, other := range sets() {
		if other.Dialect == s.Dialect {
			continue
		}
		if share := other.share(is); share > 0.5 && share > own {
			return other, true
		}
	}
	return Set{}, false
}

// share is how much of the set's schema a keyspace has, from 0 to 1, counted in
// columns.
func (s Set) share(is *Model) float64 {
	should, err := s.Implied()
	if err != nil {
		return 0 // a test holds that there is none
	}
	total, found := 0, 0
	for name, table := range should.Tables {
		has := map[string]string{}
		if t := is.Tables[name]; t != nil {
			has = t.describe()
		}
		for column, text := range table.describe() {
			total++
			if has[column] == text {
				found++
			}
		}
	}
	return float64(found) / float64(total)
}
