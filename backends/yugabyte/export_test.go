package yugabyte

import "github.com/temporal-ycql/temporal-ycql/core/cql"

// HashOf is the hash by which a session routes a call.
func HashOf(s cql.Session, c cql.Call) (uint16, bool) {
	_, hash, ok := s.(*session).router.targets.of(c)
	return hash, ok
}
