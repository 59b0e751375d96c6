package visibility

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.temporal.io/server/common/persistence/sql/sqlplugin"
)

const (
	table = "executions_visibility"
	// listSeparator stands between the keywords of a list; the tokenizer of the
	// full-text table splits there (upstream: sqlplugin/sqlite/visibility.go).
	listSeparator = "♡"
)

// zeroTime is what upstream stores for a time that is not set.
var zeroTime = time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)

// The three writes. Their effects are upstream's: an insert leaves a row that is
// there alone, an upsert replaces an older version of the row as a whole.
var (
	insertText = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (namespace_id, run_id) DO NOTHING",
		table, strings.Join(sqlplugin.DbFields, ", "), placeholders(len(sqlplugin.DbFields)))
	upsertText = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (namespace_id, run_id) DO UPDATE SET %s WHERE %s.%s < excluded.%[6]s",
		table, strings.Join(sqlplugin.DbFields, ", "), placeholders(len(sqlplugin.DbFields)),
		replacements(sqlplugin.DbFields), table, sqlplugin.VersionColumnName)
	deleteText = fmt.Sprintf("DELETE FROM %s WHERE namespace_id = ? AND run_id = ?", table)
)

func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}

// replacements leaves the key out: it is equal by then, and naming its columns
// would cost a look at each index that has them.
func replacements(fields []string) string {
	var set []string
	for _, f := range fields {
		if !slices.Contains([]string{"namespace_id", "run_id"}, f) {
			set = append(set, fmt.Sprintf("%s = excluded.%[1]s", f))
		}
	}
	return strings.Join(set, ", ")
}

// rowArgs are the values of a row in the order of sqlplugin.DbFields, which
// upstream takes from the struct's fields; so does this, and a new field needs
// nothing here. The row is not changed.
func rowArgs(row *sqlplugin.VisibilityRow) ([]any, error) {
	if row == nil {
		return nil, errors.New("write to visibility: no row was given")
	}
	r := *row
	r.StartTime = storedTime(r.StartTime)
	r.ExecutionTime = storedTime(r.ExecutionTime)
	if r.CloseTime != nil {
		t := storedTime(*r.CloseTime)
		r.CloseTime = &t
	}
	v := reflect.ValueOf(r)
	args := make([]any, v.NumField())
	for i := range args {
		args[i] = v.Field(i).Interface()
		if sa, ok := args[i].(*sqlplugin.VisibilitySearchAttributes); ok {
			text, err := storedAttributes(sa)
			if err != nil {
				return nil, fmt.Errorf("write to visibility: search attributes of run %s: %w", row.RunID, err)
			}
			args[i] = text
		}
	}
	return args, nil
}

// storedTime is a time as upstream stores it.
func storedTime(t time.Time) time.Time {
	if t.IsZero() {
		return zeroTime
	}
	return t.UTC().Truncate(time.Microsecond)
}

// storedAttributes are search attributes as upstream stores them: JSON, lists
// joined to one string, times with nanoseconds.
func storedAttributes(attributes *sqlplugin.VisibilitySearchAttributes) (any, error) {
	if attributes == nil {
		return nil, nil
	}
	stored := make(sqlplugin.VisibilitySearchAttributes, len(*attributes))
	for name, value := range *attributes {
		switch v := value.(type) {
		case []string:
			stored[name] = strings.Join(v, listSeparator)
		case time.Time:
			stored[name] = v.Format(time.RFC3339Nano)
		default:
			stored[name] = v
		}
	}
	return stored.Value()
}
