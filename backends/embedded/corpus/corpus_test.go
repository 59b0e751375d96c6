package corpus

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.String("update", "", "rewrite the answers of failing cases from this target: engine or real")

// target is a server that scripts run against.
type target struct {
	name    string // engine or real
	dialect string
	addr    string
}

func (tg target) runAll(t *testing.T) {
	for _, dir := range []string{"common", tg.dialect} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			t.Run(dir+"/"+strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { tg.runFile(t, f) })
		}
	}
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
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := parseScript(string(text))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	s, err := newSession(tg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	changed := false
	for _, k := range cases {
		if k.stmt == "" {
			continue
		}
		if why, skip := k.directive("skip-real"); skip && tg.name == "real" {
			t.Logf("%s:%d: not run here: %s", file, k.line, why)
			continue
		}
		got, err := s.run(k)
		if err != nil {
			t.Fatalf("%s:%d: %v", file, k.line, err)
		}
		want := &k.want
		if tg.name == "engine" && k.engineWhy != "" {
			want = &k.engineWant
		}
		if same(*want, got) {
			continue
		}
		t.Errorf("%s:%d: %s\ngot\n\t%s\nwant\n\t%s", file, k.line, k.stmt, strings.Join(got, "\n\t"), strings.Join(*want, "\n\t"))
		if *update == tg.name {
			*want, changed = got, true
		}
	}
	if changed {
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
