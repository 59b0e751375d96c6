package differential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// faultStatements bounds how long it may take to find a seeded bug.
const faultStatements = 6000

// fault is a bug that an engine is given. It sits between the test and a sound
// engine, which needs no hooks for it, and turns what is asked or what is answered
// into what an engine with the bug would make of it.
type fault struct {
	name string
	// statement is what the engine takes a statement for.
	statement func(stmt) stmt
	// page is what becomes of the rows of page n of an answer, the first being 0.
	page func(n int, rows []string) []string
	// run, if set, runs the statement in place of the engine.
	run func(s *side, table string, st stmt) (outcome, error)
}

// pattern rewrites texts.
func pattern(expr, with string) func(stmt) stmt {
	re := regexp.MustCompile(expr)
	return func(st stmt) stmt {
		st.text = re.ReplaceAllString(st.text, with)
		return st
	}
}

// bound rewrites the values bound to INSERT and UPDATE; those of conditions are not
// written.
func bound(change func(arg) arg) func(stmt) stmt {
	return func(st stmt) stmt {
		if strings.HasPrefix(st.text, "INSERT") || strings.HasPrefix(st.text, "UPDATE") && !strings.Contains(st.text, " IF ") {
			st.args = slices.Clone(st.args)
			for i := range st.args {
				st.args[i] = change(st.args[i])
			}
		}
		return st
	}
}

// cells rewrites the cells of an answer.
func cells(change func(cell string) string) func(int, []string) []string {
	return func(_ int, rows []string) []string {
		for i, row := range rows {
			parts := strings.Split(row, " ")
			for j := range parts {
				parts[j] = change(parts[j])
			}
			rows[i] = strings.Join(parts, " ")
		}
		return rows
	}
}

var oneLimit = regexp.MustCompile(`[^N] LIMIT [1-8]`)

// faults makes the seeded bugs anew: some have a memory.
func faults() []fault {
	return []fault{
		{name: "times to live are forgotten", statement: pattern(`TTL [1-9]\d*`, "TTL 0")},
		{name: "times to live are ten times as long", statement: pattern(`TTL ([1-9]\d*)`, "TTL ${1}0")},
		{name: "LIMIT is ignored", statement: pattern(`([^N]) LIMIT [1-9]\d*`, "$1")},
		{name: "LIMIT is one row too many", statement: func(st stmt) stmt {
			st.text = oneLimit.ReplaceAllStringFunc(st.text, func(s string) string { return s[:len(s)-1] + string(s[len(s)-1]+1) })
			return st
		}},
		{name: "PER PARTITION LIMIT is ignored", statement: pattern(` PER PARTITION LIMIT \d+`, "")},
		{name: "ORDER BY is ignored", statement: pattern(` ORDER BY \w+ (ASC|DESC)(, \w+ (ASC|DESC))*`, "")},
		{name: "clustering orders are ignored", statement: pattern(` WITH CLUSTERING ORDER BY .*`, "")},
		{name: "exclusive bounds are inclusive", statement: pattern(`(WHERE.*) ([<>]) `, "$1 $2= ")},
		{name: "the later write wins whatever its timestamp", statement: pattern(`TIMESTAMP \d+`, "TIMESTAMP 60")},
		{name: "adding to a collection replaces it", statement: pattern(`(m\d) = m\d \+ `, "$1 = ")},
		{name: "prepending to a list appends", statement: pattern(`(m\d = )(\?|\[[^\]]*\]) \+ (m\d)`, "$1$3 + $2")},
		{name: "deleting an element deletes another", statement: otherElement},
		{name: "nulls are not written", statement: bound(func(a arg) arg { return arg{value: a.value, unset: a.unset || a.value == nil} })},
		{name: "unset values are written as nulls", statement: bound(func(a arg) arg { return arg{value: a.value} })},
		{name: "empty values come back as nulls", page: cells(func(c string) string {
			if c == "" {
				return "null"
			}
			return c
		})},
		{name: "the last member of a batch is lost", statement: func(st stmt) stmt {
			if n := len(st.batch); n > 1 {
				st.batch = st.batch[:n-1]
			}
			return st
		}},
		{name: "refused statements are called applied", run: calledApplied},
		{name: "refused statements are applied", run: appliedAnyway},
		{name: "every page but the first begins a row late", page: func(n int, rows []string) []string {
			if n > 0 && len(rows) > 0 {
				return rows[1:]
			}
			return rows
		}},
		{name: "the third page is empty", page: func(n int, rows []string) []string {
			if n == 2 {
				return nil
			}
			return rows
		}},
		{name: "a write is seen only after the next one", run: lateWrites()},
		{name: "UPDATE marks the row as INSERT does", run: markedUpdate},
		{name: "INSERT does not mark the row", statement: unmarkedInsert},
	}
}

var deletedElement = regexp.MustCompile(`^DELETE m\d\[\?\]`)

// otherElement has deletions of an element of a set or map miss it.
func otherElement(st stmt) stmt {
	if !deletedElement.MatchString(st.text) || len(st.args[0].value) == 0 {
		return st
	}
	st.args = slices.Clone(st.args)
	other := slices.Clone(st.args[0].value)
	other[len(other)-1] ^= 0x15
	st.args[0].value = other
	return st
}

func calledApplied(s *side, table string, st stmt) (outcome, error) {
	o, err := s.sound(table, st)
	if cond, applied := o.applied(); cond && !applied {
		o.rows[0] = "01" + o.rows[0][2:]
	}
	return o, err
}

// appliedAnyway runs a refused statement again without its conditions.
func appliedAnyway(s *side, table string, st stmt) (outcome, error) {
	o, err := s.sound(table, st)
	if cond, applied := o.applied(); err != nil || !cond || applied || strings.HasPrefix(st.text, "BEGIN") {
		return o, err
	}
	again := st
	if at := strings.Index(st.text, " IF NOT EXISTS"); at >= 0 {
		again.text = strings.Replace(st.text, " IF NOT EXISTS", "", 1)
	} else if before, after, ok := strings.Cut(st.text, " IF "); ok {
		again.text = before
		again.args = st.args[:len(st.args)-strings.Count(after, "?")]
	}
	if no, err := s.sound(table, again); err != nil || no.code != 0 {
		return no, fmt.Errorf("%s: %v %w", again, no, err)
	}
	return o, nil
}

var write = regexp.MustCompile("^(INSERT|UPDATE|DELETE|BEGIN)")

// lateWrites holds each plain write until the next one.
func lateWrites() func(*side, string, stmt) (outcome, error) {
	held := map[string]stmt{}
	return func(s *side, table string, st stmt) (outcome, error) {
		if strings.Contains(st.text, " IF ") || len(st.batch) == 0 && !write.MatchString(st.text) {
			return s.sound(table, st)
		}
		late, ok := held[table]
		held[table] = st
		if !ok {
			return outcome{}, nil
		}
		return s.sound(table, late)
	}
}

var rowKey = regexp.MustCompile(` WHERE ([pc]\d = \?(?: AND [pc]\d = \?)*)$`)

// markedUpdate sends an INSERT of the key after an UPDATE of a row.
func markedUpdate(s *side, table string, st stmt) (outcome, error) {
	o, err := s.sound(table, st)
	m := rowKey.FindStringSubmatch(st.text)
	if err != nil || o.code != 0 || m == nil || !strings.HasPrefix(st.text, "UPDATE") {
		return o, err
	}
	key := strings.Split(strings.ReplaceAll(m[1], " = ?", ""), " AND ")
	mark := stmt{
		text: fmt.Sprintf("INSERT INTO %%T (%s) VALUES (?%s)", strings.Join(key, ", "), strings.Repeat(", ?", len(key)-1)),
		args: st.args[len(st.args)-len(key):],
	}
	// Of a table with clustering columns it is refused where only statics were set.
	_, err = s.sound(table, mark)
	return o, err
}

var plainInsert = regexp.MustCompile(`^INSERT INTO %T \((.*)\) VALUES \((\?(?:, \?)*)\)(.*)$`)

// unmarkedInsert turns an INSERT with bound values into an UPDATE.
func unmarkedInsert(st stmt) stmt {
	m := plainInsert.FindStringSubmatch(st.text)
	if m == nil || strings.Contains(st.text, " IF ") {
		return st
	}
	var set, where []string
	var values, key []arg
	for i, name := range strings.Split(m[1], ", ") {
		if name[0] == 'p' || name[0] == 'c' {
			where, key = append(where, name+" = ?"), append(key, st.args[i])
		} else {
			set, values = append(set, name+" = ?"), append(values, st.args[i])
		}
	}
	if statics := strings.Count(strings.Join(set, " "), "s0 = "); statics == len(set) {
		return st // would change nothing, or only the partition
	}
	st.text = "UPDATE %T" + m[3] + " SET " + strings.Join(set, ", ") + " WHERE " + strings.Join(where, " AND ")
	st.args = slices.Concat(values, key)
	return st
}

// TestSeededBugsAreFound compares an engine that has a bug with one that has not.
func TestSeededBugsAreFound(t *testing.T) {
	const keyspace = "seeded"
	sound, other := engineSession(t, keyspace), engineSession(t, keyspace)
	search := func(t *testing.T, f *fault) (found *difference, after int64, seed uint64) {
		c := newComparison(&side{name: "engine", Session: other, fault: f}, &side{name: "sound engine", Session: sound})
		c.noWaits = true
		for seed = firstSeed; found == nil && c.stats.all.Load() < faultStatements; seed++ {
			sc, d, err := c.generate(t.Context(), seed)
			if err != nil {
				t.Fatalf("seed %d: %v, after %v", seed, err, sc.stmts[max(len(sc.stmts)-1, 0):])
			}
			// An error of one engine only does not count: none of the bugs are that,
			// it comes of a rewritten statement that makes no sense.
			if d != nil && d.got.code == d.want.code {
				found = d
			}
		}
		return found, c.stats.all.Load(), seed - 1
	}
	t.Run("no bug, no difference", func(t *testing.T) {
		if d, _, seed := search(t, nil); d != nil {
			t.Errorf("seed %d: two sound engines differ: %s", seed, d)
		}
	})
	all := faults()
	if len(all) < 20 {
		t.Fatalf("%d seeded bugs, want 20", len(all))
	}
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) {
			d, n, seed := search(t, &f)
			if d == nil {
				t.Fatalf("not found in %d statements", n)
			}
			t.Logf("found after %d statements, seed %d: %s", n, seed, d)
		})
	}
}
