package yugabyte

import (
	"context"
	"log/slog"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// HashOf is the hash by which a session routes a call.
func HashOf(s cql.Session, c cql.Call) (uint16, bool) {
	_, hash, ok := s.(*session).router.targets.of(c)
	return hash, ok
}

// AbilitiesOf is what a session to an opener's keyspace would use.
func AbilitiesOf(ctx context.Context, o backend.Opener, s cql.Session) (variant.Abilities, error) {
	return o.(*Opener).abilities(ctx, s.(*session), slog.New(slog.DiscardHandler))
}
