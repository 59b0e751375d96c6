package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// rule is a line of testdata/ycql/RULES.
type rule struct{ name, says, where string }

// readRules reads the rules that the scripts of YCQL rest on.
func readRules(t *testing.T) []rule {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "ycql", "RULES"))
	if err != nil {
		t.Fatal(err)
	}
	var out []rule
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		says, where, ok := strings.Cut(rest, "|")
		r := rule{name, strings.TrimSpace(says), strings.TrimSpace(where)}
		if !ok || r.says == "" || r.where == "" {
			t.Fatalf("RULES:%d: want NAME WORDS | PLACE, got %q", i+1, line)
		}
		if slices.ContainsFunc(out, func(o rule) bool { return o.name == name }) {
			t.Fatalf("RULES:%d: %s is there already", i+1, name)
		}
		out = append(out, r)
	}
	return out
}

// TestEveryYCQLCaseNamesItsRule: there is no cluster here to say what is right, so
// each case says what it rests on, and every rule has a case.
func TestEveryYCQLCaseNamesItsRule(t *testing.T) {
	rules := readRules(t)
	cases := map[string]int{}
	for _, f := range (target{"engine", parse.YCQL.String(), ""}).files(t) {
		list, err := readScript(f)
		if err != nil {
			t.Fatal(err)
		}
		now := ""
		for _, k := range list {
			if name, ok := k.directive("rule"); ok {
				now = name
			}
			if k.stmt == "" {
				continue
			}
			if !slices.ContainsFunc(rules, func(r rule) bool { return r.name == now }) {
				t.Errorf("%s:%d: @rule %q is not in RULES", f, k.line, now)
			}
			cases[now]++
		}
	}
	total, beyond := 0, cases["engine"]
	for _, r := range rules {
		if cases[r.name] == 0 {
			t.Errorf("RULES: no case rests on %s: %s", r.name, r.says)
		}
		total += cases[r.name]
	}
	t.Logf("%d rules, %d cases, %d of them with no place in the sheets", len(rules)-1, total, beyond)
	if beyond*4 > total {
		t.Errorf("%d of %d cases rest on nothing", beyond, total)
	}
}

// rulesTable is what docs/embedded.md shows of the rules: how many there are for each
// section, and where their cases stand.
func rulesTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	scripts := map[string][]string{}
	counts := map[string]int{}
	for _, f := range (target{"engine", parse.YCQL.String(), ""}).files(t) {
		list, err := readScript(f)
		if err != nil {
			t.Fatal(err)
		}
		section := ""
		for _, k := range list {
			if name, ok := k.directive("rule"); ok {
				section, _, _ = strings.Cut(name, "/")
			}
			if k.stmt == "" {
				continue
			}
			counts[section]++
			if name := strings.TrimSuffix(filepath.Base(f), ".txt"); !slices.Contains(scripts[section], name) {
				scripts[section] = append(scripts[section], name)
			}
		}
	}
	rules := map[string]int{}
	var order []string
	for _, r := range readRules(t) {
		section, _, _ := strings.Cut(r.name, "/")
		if rules[section] == 0 {
			order = append(order, section)
		}
		rules[section]++
	}
	b.WriteString("| section | rules | cases | scripts |\n|---|---|---|---|\n")
	for _, s := range order {
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", s, rules[s], counts[s], strings.Join(scripts[s], ", "))
	}
	return b.String()
}
