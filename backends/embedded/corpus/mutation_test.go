package corpus

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

var mutationSeed = flag.Uint64("mutation-seed", 0, "seed of the choice of changed expectations; 0 takes one from the clock")

// mutation changes an expected answer; it returns false if it does not apply.
type mutation struct {
	name   string
	change func(want []string) bool
}

var (
	digits   = regexp.MustCompile(`\d+`)
	bindType = regexp.MustCompile(` (int|text|bigint)$`)
	headType = regexp.MustCompile(` (int|text|bigint)( \||$)`)
)

var mutations = []mutation{
	{"a value", func(want []string) bool {
		if !strings.HasPrefix(want[0], "ROWS ") || len(want) < 2 || want[1] == "-- page" || !digits.MatchString(want[1]) {
			return false
		}
		want[1] = digits.ReplaceAllString(want[1], "${0}7")
		return true
	}},
	{"an error code", func(want []string) bool {
		if !strings.HasPrefix(want[0], "ERROR 0x2") {
			return false
		}
		want[0] = "ERROR 0x1" + want[0][len("ERROR 0x2"):]
		return true
	}},
	{"an error text", func(want []string) bool {
		if !strings.HasPrefix(want[0], "ERROR ") {
			return false
		}
		last := len(want) - 1
		want[last] += "x"
		return true
	}},
	{"the type of a marker or a prepared column", func(want []string) bool {
		if want[0] != "PREPARED" {
			return false
		}
		for i, l := range want {
			if bindType.MatchString(l) {
				want[i] = bindType.ReplaceAllString(l, " blob")
				return true
			}
		}
		return false
	}},
	{"the type of a column", func(want []string) bool {
		if !strings.HasPrefix(want[0], "ROWS ") || !headType.MatchString(want[0]) {
			return false
		}
		want[0] = headType.ReplaceAllString(want[0], " blob$2")
		return true
	}},
	{"the order of rows", func(want []string) bool {
		if !strings.HasPrefix(want[0], "ROWS ") || len(want) < 3 || want[1] == want[2] || want[2] == "-- page" {
			return false
		}
		want[1], want[2] = want[2], want[1]
		return true
	}},
	{"a page boundary", func(want []string) bool {
		i := slices.Index(want, "-- page")
		if i < 2 || i == len(want)-1 {
			return false
		}
		want[i-1], want[i] = want[i], want[i-1]
		return true
	}},
	{"the kind of an answer", func(want []string) bool {
		if want[0] != "VOID" {
			return false
		}
		want[0] = "ROWS [applied] boolean"
		return true
	}},
}

// TestChangedExpectationsAreNoticed changes some cases of every script, at random,
// and wants the runner to report these and no others.
func TestChangedExpectationsAreNoticed(t *testing.T) {
	seed := *mutationSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-mutation-seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	applied := map[string]int{}
	for _, d := range []parse.Dialect{parse.Cassandra, parse.YCQL} {
		tg := target{"engine", d.String(), serve(t, d)}
		for _, f := range tg.files(t) {
			cases, err := readScript(f)
			if err != nil {
				t.Fatal(err)
			}
			changed := mutate(tg, cases, r, applied)
			wrong, err := tg.runCases(cases, nil)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			reported := map[*kase]bool{}
			for _, w := range wrong {
				reported[w.kase] = true
				if _, ok := changed[w.kase]; !ok {
					t.Errorf("%s:%d: reported, but its expectation was not changed", f, w.kase.line)
				}
			}
			for k, what := range changed {
				if !reported[k] {
					t.Errorf("%s:%d: %s was changed and not reported: %q", f, k.line, what, *k.expected(tg))
				}
			}
		}
	}
	for _, m := range mutations {
		if applied[m.name] == 0 {
			t.Errorf("%s was changed in no script", m.name)
		}
	}
	t.Log(applied)
}

// mutate makes every kind of change to some case of a script, if there is one that
// it applies to, each case once.
func mutate(tg target, cases []*kase, r *rand.Rand, applied map[string]int) map[*kase]string {
	changed := map[*kase]string{}
	for _, m := range mutations {
		for _, i := range r.Perm(len(cases)) {
			k := cases[i]
			if k.stmt == "" || changed[k] != "" {
				continue
			}
			if _, ok := k.directive("sorted"); ok && m.name == "the order of rows" {
				continue
			}
			want := *k.expected(tg)
			if len(want) > 0 && m.change(want) {
				changed[k] = m.name
				applied[m.name]++
				break
			}
		}
	}
	return changed
}
