package seqmodel_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/store/sequence/seqmodel"
)

// No invariant breaks in any state within the limits. TEMPORAL_YCQL_MODEL_STATES
// explores further, up to that many states of each form; it takes about 5 s and
// 200 MB a million.
func TestTheProtocolHolds(t *testing.T) {
	tests := []seqmodel.Limits{
		{Writes: 1, Takes: 1, Faults: 4},
		{Writes: 2, Takes: 1, Faults: 2},
		{Writes: 1, Takes: 2, Faults: 2},
		{Writes: 2, Takes: 2, Faults: 1},
	}
	var states int
	if text := os.Getenv("TEMPORAL_YCQL_MODEL_STATES"); text != "" {
		var err error
		if states, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		tests = []seqmodel.Limits{
			{Writes: 1, Takes: 1, Faults: 8, States: states},
			{Writes: 2, Takes: 1, Faults: 4, States: states},
			{Writes: 1, Takes: 2, Faults: 4, States: states},
			{Writes: 2, Takes: 2, Faults: 3, States: states},
			{Writes: 3, Takes: 3, Faults: 2, States: states},
		}
	}
	for _, l := range tests {
		r := seqmodel.Explore(l, seqmodel.Rules{})
		t.Logf("%+v: %d states, all of them: %v", l, r.States, r.Complete)
		if r.Broken != "" {
			t.Fatalf("%s\n%s", r.Broken, r.Trace)
		}
		if states == 0 && !r.Complete {
			t.Errorf("%+v: not all states were seen", l)
		}
	}
}

// Each rule is needed: without it some state breaks an invariant.
func TestEachRuleIsNeeded(t *testing.T) {
	tests := []struct {
		name  string
		rules seqmodel.Rules
		want  string // the invariant that breaks first
	}{
		{"the number in the block's condition", seqmodel.Rules{BlockWithoutNumber: true}, "(a)"},
		{"the number in the takeover's condition", seqmodel.Rules{TakeWithoutNumber: true}, "(c)"},
		{"the barrier", seqmodel.Rules{NoBarrier: true}, "(c)"},
		{"reading a refused block back", seqmodel.Rules{NoReadBack: true}, "(c)"},
		{"storing burned numbers", seqmodel.Rules{BurnedForgotten: true}, "(b)"},
		{"storing them before the next write", seqmodel.Rules{BurnedLater: true}, "(b)"},
		{"the end of the old range before the first write", seqmodel.Rules{NoEnd: true}, "(b)"},
		{"a fresh number for every attempt", seqmodel.Rules{NumberReused: true}, "(c)"},
		{"the number in the key of a row", seqmodel.Rules{KeyWithoutNumber: true}, "(d)"},
		{"the ends when the range has moved", seqmodel.Rules{EndsIgnored: true}, "(a)"},
		{"failing reads of unsettled rows", seqmodel.Rules{HideUnsettled: true}, "(c)"},
		{"the nonce of a takeover", seqmodel.Rules{NonceIgnored: true}, "(c)"},
		{"looking before rows are stored after a long time", seqmodel.Rules{NeverLooks: true}, "(b)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The fewer faults there are, the fewer states come before the one that matters.
			var r seqmodel.Result
			for faults := 0; faults <= 3 && r.Broken == ""; faults++ {
				r = seqmodel.Explore(seqmodel.Limits{Writes: 2, Takes: 2, Faults: faults, States: 300_000}, tt.rules)
			}
			if r.Broken == "" || !strings.HasPrefix(r.Broken, tt.want) {
				t.Fatalf("after %d states: %q, want %q", r.States, r.Broken, tt.want)
			}
			t.Logf("after %d states: %s\n%s", r.States, r.Broken, r.Trace)
		})
	}
}
