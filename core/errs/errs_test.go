package errs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
)

func TestZeroValuesPromiseLeast(t *testing.T) {
	var e errs.Error
	if e.Outcome != errs.Unknown || e.Kind != errs.Internal {
		t.Fatalf("the zero error is %v, %v", e.Kind, e.Outcome)
	}
	if errs.KindOf(errors.New("x")) != errs.Internal {
		t.Fatal("an error of others has a kind")
	}
}

func TestErrorsSayOutcomeAndCause(t *testing.T) {
	cause := errors.New("no answer")
	e := &errs.Error{Op: "UpdateShard", Key: "shards(shard_id=3)", Kind: errs.Timeout, Err: cause}
	if got, want := e.Error(), "UpdateShard shards(shard_id=3): timeout (unknown outcome): no answer"; got != want {
		t.Fatalf("Error() = %q, want %q", got, want)
	}
	wrapped := fmt.Errorf("x: %w", e)
	if !errors.Is(wrapped, cause) || errs.KindOf(wrapped) != errs.Timeout {
		t.Fatal("the cause or the kind is lost")
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range errs.Kinds() {
		if strings.HasPrefix(k.String(), "kind ") || seen[k.String()] {
			t.Errorf("kind %d is called %q", k, k)
		}
		seen[k.String()] = true
	}
}
