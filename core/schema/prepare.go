package schema

import (
	"context"
	"fmt"
	"io"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Preparing returns the Prepare of a [Tool] for the keyspace of an opener: what
// its servers can do is found out, recorded for all hosts, and told to out. It
// is nil where servers are all alike.
func Preparing(o backend.Opener, env backend.Env, out io.Writer) func(context.Context) error {
	p, ok := o.(backend.Preparer)
	if !ok {
		return nil
	}
	return func(ctx context.Context) error {
		findings, err := p.Prepare(ctx, env)
		for _, f := range findings {
			answer := "no"
			if f.Able {
				answer = "yes"
			}
			_, _ = fmt.Fprintf(out, "-- %s: %s\n", f.Name, answer)
		}
		return err
	}
}
