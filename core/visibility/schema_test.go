package visibility

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/schema"
)

var rewrite = flag.Bool("update", false, "rewrite tables.sql and indexes.sql from upstream's schema")

// Full although the column may be empty: rows without a division are what ordinary
// lists ask for.
var fullIndexes = []string{"TemporalNamespaceDivision"}

// tables.sql and indexes.sql are upstream's schema with other indexes and
// triggers. When upstream's changes this fails: run it with -update, review the
// difference, raise schemaVersion.
func TestSchemaFollowsUpstream(t *testing.T) {
	tables, indexes := derive(t)
	for name, want := range map[string]string{"tables.sql": tables, "indexes.sql": indexes} {
		if *rewrite {
			require.NoError(t, os.WriteFile(name, []byte(want), 0o600))
		}
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, want, string(got), "%s is not what upstream's schema gives", name)
	}
}

// A file says only which version it has, so that what a version is must not change.
func TestSchemaVersionIsFixed(t *testing.T) {
	sums := map[int]string{
		1: "9a647db0c86a9bdb5eb6c0dc4abadae87c3223c5a97c68542b1f88497a1acfb4",
	}
	require.Equal(t, sums[schemaVersion], fmt.Sprintf("%x", sha256.Sum256([]byte(tablesText+indexesText))),
		"the schema has changed: if version %d has been released, raise schemaVersion; note the sum here", schemaVersion)
}

var (
	tablePattern   = regexp.MustCompile(`^CREATE TABLE executions_visibility\b`)
	indexPattern   = regexp.MustCompile(`^CREATE INDEX (\S+)\s+ON executions_visibility \(namespace_id, (?:(\w+),\s*)?\(COALESCE`)
	fullText       = regexp.MustCompile(`(?s)^CREATE VIRTUAL TABLE (executions_visibility_fts_\w+) USING fts5 \((.*?)content=`)
	triggerPattern = regexp.MustCompile(`^CREATE TRIGGER (executions_visibility_(?:ai|ad|au)) AFTER (?:INSERT|DELETE|UPDATE)`)
	optional       = regexp.MustCompile(`(?m)^\s*(\w+) .*(?:GENERATED ALWAYS|[^T] NULL,)`)
)

const header = "-- Made from upstream's schema/sqlite/v3/visibility/schema.sql by \"go test -run SchemaFollowsUpstream -update\".\n"

// derive makes our schema of upstream's. It refuses a statement that it does not
// know, for that needs thought.
func derive(t *testing.T) (tables, indexes string) {
	t.Helper()
	f, err := schema.Assets().Open("sqlite/v3/visibility/schema.sql")
	require.NoError(t, err)
	defer f.Close()
	statements, err := persistence.LoadAndSplitQueryFromReaders([]io.Reader{f})
	require.NoError(t, err)

	var columns, replaced []string
	var triggers strings.Builder
	tables, indexes = header, header
	for _, s := range statements {
		s = strings.TrimSuffix(strings.TrimSpace(s), ";")
		if tablePattern.MatchString(s) {
			for _, m := range optional.FindAllStringSubmatch(s, -1) {
				columns = append(columns, m[1])
			}
			require.Contains(t, columns, "Keyword01")
			require.Contains(t, columns, "parent_run_id")
			require.NotContains(t, columns, "workflow_id")
			tables += s + ";\n\n"
		} else if m := indexPattern.FindStringSubmatch(s); m != nil {
			if slices.Contains(columns, m[2]) && !slices.Contains(fullIndexes, m[2]) {
				s += fmt.Sprintf(" WHERE %s IS NOT NULL", m[2])
			}
			indexes += s + ";\n"
		} else if m := fullText.FindStringSubmatch(s); m != nil {
			var indexed []string
			for c := range strings.SplitSeq(m[2], ",") {
				if c = strings.TrimSpace(c); c != "" {
					indexed = append(indexed, c)
				}
			}
			// Rows without text have no sizes there either; nobody ranks by them.
			s = strings.Replace(s, "  content=", "  columnsize=0,\n  content=", 1)
			require.Contains(t, s, "columnsize=0")
			tables += s + ";\n\n"
			triggers.WriteString(conditional(m[1], indexed))
		} else if m := triggerPattern.FindStringSubmatch(s); m != nil {
			replaced = append(replaced, m[1])
		} else {
			t.Fatalf("upstream's schema has a new kind of statement: %s", s)
		}
	}
	require.ElementsMatch(t, []string{"executions_visibility_ai", "executions_visibility_ad", "executions_visibility_au"}, replaced)
	return tables + triggers.String(), indexes
}

// conditional makes the triggers of a full-text table. Upstream's write to it for
// every row; these only for rows that have something for it, and on an update only
// if that changed. A row that was never added is never taken away.
func conditional(name string, columns []string) string {
	of := func(row string) string { return row + "." + strings.Join(columns, ", "+row+".") }
	some := func(row string) string { return "COALESCE(" + of(row) + ") IS NOT NULL" }
	changed := "(" + of("OLD") + ") IS NOT (" + of("NEW") + ")"
	list := strings.Join(columns, ", ")
	add := fmt.Sprintf("  INSERT INTO %s (rowid, %s)\n  SELECT NEW.rowid, %s", name, list, of("NEW"))
	take := fmt.Sprintf("  INSERT INTO %s (%[1]s, rowid, %s)\n  SELECT 'delete', OLD.rowid, %s", name, list, of("OLD"))
	trigger := func(suffix, event, when, body string) string {
		return fmt.Sprintf("CREATE TRIGGER %s_%s AFTER %s ON executions_visibility\nWHEN %s\nBEGIN\n%sEND;\n\n", name, suffix, event, when, body)
	}
	return trigger("ai", "INSERT", some("NEW"), add+";\n") +
		trigger("ad", "DELETE", some("OLD"), take+";\n") +
		trigger("au", "UPDATE", changed, take+"\n  WHERE "+some("OLD")+";\n"+add+"\n  WHERE "+some("NEW")+";\n") // one trigger: the order of several is not defined
}
