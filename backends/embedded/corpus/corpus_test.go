package corpus

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.String("update", "", "rewrite the answers of failing cases from this target: engine or real")

// target is a server that scripts run against.
type target struct {
	name    string // engine or real
	dialect string
	addr    string
}

func (tg target) runAll(t *testing.T) {
	for _, f := range tg.files(t) {
		name := filepath.Base(filepath.Dir(f)) + "/" + strings.TrimSuffix(filepath.Base(f), ".txt")
		t.Run(name, func(t *testing.T) { tg.runFile(t, f) })
	}
}

// files are the scripts that the target runs.
func (tg target) files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, dir := range []string{"common", tg.dialect} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	if len(all) == 0 {
		t.Fatalf("testdata has no scripts for %s", tg.dialect)
	}
	return all
}

// kase is one case of a script.
type kase struct {
	line       int
	head       []string // comments
	directives []string
	stmt       string
	want       []string
	engineWhy  string
	engineWant []string
}

func (k *kase) directive(name string) (string, bool) {
	for _, d := range k.directives {
		if rest, ok := strings.CutPrefix(d, "@"+name); ok && (rest == "" || rest[0] == ' ') {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

func parseScript(text string) ([]*kase, error) {
	var out []*kase
	for _, block := range blocks(text) {
		k := &kase{line: block.line}
		part := 0
		for _, l := range block.lines {
			switch {
			case part == 0 && strings.HasPrefix(l, "#"):
				k.head = append(k.head, l)
			case part == 0 && strings.HasPrefix(l, "@"):
				k.directives = append(k.directives, l)
			case part == 0 && l == "----":
				part = 1
			case part == 0:
				if k.stmt != "" {
					k.stmt += "\n"
				}
				k.stmt += l
			case strings.HasPrefix(l, "!engine "):
				part, k.engineWhy = 2, strings.TrimPrefix(l, "!engine ")
			case part == 1:
				k.want = append(k.want, l)
			default:
				k.engineWant = append(k.engineWant, l)
			}
		}
		if k.stmt == "" && len(k.head) == 0 {
			return nil, fmt.Errorf("line %d: a case without a statement", k.line)
		}
		out = append(out, k)
	}
	return out, nil
}

type block struct {
	line  int
	lines []string
}

func blocks(text string) []block {
	var out []block
	var cur block
	for i, l := range strings.Split(text, "\n") {
		if strings.TrimSpace(l) == "" {
			if len(cur.lines) > 0 {
				out = append(out, cur)
			}
			cur = block{}
			continue
		}
		if len(cur.lines) == 0 {
			cur.line = i + 1
		}
		cur.lines = append(cur.lines, l)
	}
	if len(cur.lines) > 0 {
		out = append(out, cur)
	}
	return out
}

func (k *kase) String() string {
	lines := slices.Concat(k.head, k.directives)
	if k.stmt != "" {
		lines = append(lines, k.stmt, "----")
		lines = append(lines, k.want...)
	}
	if k.engineWhy != "" {
		lines = append(lines, "!engine "+k.engineWhy)
		lines = append(lines, k.engineWant...)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (tg target) runFile(t *testing.T, file string) {
	cases, err := readScript(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := tg.runCases(cases, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, w := range wrong {
		t.Errorf("%s:%d: %s\ngot\n\t%s\nwant\n\t%s", file, w.kase.line, w.kase.stmt,
			strings.Join(w.got, "\n\t"), strings.Join(*w.want, "\n\t"))
	}
	if *update != tg.name || len(wrong) == 0 {
		return
	}
	for _, w := range wrong {
		*w.want = w.got
	}
	var b strings.Builder
	for i, k := range cases {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(k.String())
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func readScript(file string) ([]*kase, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cases, err := parseScript(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cases, nil
}

// mismatch is a case that was answered otherwise than expected.
type mismatch struct {
	kase *kase
	want *[]string // of kase: the list that counts for the target
	got  []string
}

// errBusy ends a script at an answer that is of the server's load, not of the statement.
var errBusy = errors.New("the server was too busy")

// busyTime is how long a script is begun anew.
const busyTime = 5 * time.Minute

// runCases runs a script and reports all cases that differ. What they reach is
// noted in cov, if it is not nil. A real server that is too busy for a statement may
// have done it or not: the script begins anew, in another keyspace.
func (tg target) runCases(cases []*kase, cov *coverage) ([]mismatch, error) {
	for begin := time.Now(); ; {
		wrong, err := tg.runOnce(cases, cov)
		if !errors.Is(err, errBusy) || time.Since(begin) > busyTime {
			return wrong, err
		}
	}
}

func (tg target) runOnce(cases []*kase, cov *coverage) ([]mismatch, error) {
	s, err := newSession(tg)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.cov, s.c.impatient = cov, tg.name == "real"
	var wrong []mismatch
	for _, k := range cases {
		if k.stmt == "" {
			continue
		}
		if _, skip := k.directive("skip-real"); skip && tg.name == "real" {
			continue
		}
		got, err := s.run(k)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", k.line, err)
		}
		if want := k.expected(tg); !same(*want, got) {
			wrong = append(wrong, mismatch{k, want, got})
		}
	}
	return wrong, nil
}

// expected is the answer that counts for a target.
func (k *kase) expected(tg target) *[]string {
	if tg.name == "engine" && k.engineWhy != "" {
		return &k.engineWant
	}
	return &k.want
}

// same compares an answer with the expected one.
func same(want, got []string) bool {
	if len(want) == 1 && len(got) > 0 {
		// ERROR code ~ part of the text
		if head, part, ok := strings.Cut(want[0], " ~"); ok && strings.HasPrefix(head, "ERROR ") {
			all := strings.Join(got, "\n")
			return strings.HasPrefix(all, head+" ") && strings.Contains(all, strings.TrimSpace(part))
		}
	}
	return slices.Equal(want, got)
}
