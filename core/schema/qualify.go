package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// target matches the head of a statement of a schema file up to the name of
// the table or type that it is about.
var target = regexp.MustCompile(`(?is)^(\s*(?:` +
	`CREATE\s+TABLE(?:\s+IF\s+NOT\s+EXISTS)?|` +
	`CREATE\s+TYPE(?:\s+IF\s+NOT\s+EXISTS)?|` +
	`CREATE\s+(?:UNIQUE\s+|CUSTOM\s+)?INDEX(?:\s+IF\s+NOT\s+EXISTS)?(?:\s+[A-Za-z]\w*)?\s+ON|` +
	`(?:ALTER|DROP)\s+(?:TABLE|TYPE|INDEX)(?:\s+IF\s+EXISTS)?|` +
	`INSERT\s+INTO` +
	`)\s+)("?[A-Za-z]\w*"?)(\s*\.)?`)

// qualify puts the keyspace before the name of what a statement is about.
func qualify(statement, keyspace string) (string, error) {
	m := target.FindStringSubmatchIndex(statement)
	if m == nil {
		return "", fmt.Errorf("schema statement of a kind that is not known: %s", firstWords(statement))
	}
	if m[6] >= 0 {
		return "", fmt.Errorf("schema statement names a keyspace itself: %s", firstWords(statement))
	}
	return statement[:m[3]] + quote(keyspace) + "." + statement[m[4]:], nil
}

// quote writes a name as CQL keeps it, case and all.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func firstWords(statement string) string {
	words := strings.Fields(statement)
	return strings.Join(words[:min(5, len(words))], " ")
}

// oneLine folds white space, for messages and dry runs.
func oneLine(statement string) string { return strings.Join(strings.Fields(statement), " ") }
