package records

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// maxKeyBytes is the longest value of a key, or key of a map, that Apache
// Cassandra and the embedded engine store; YugabyteDB names no such limit.
const maxKeyBytes = 65535

// checker is an executor that can tell whether it could carry a write.
type checker interface {
	Check(w *plan.Write) error
}

// Fits tells why a record could not be written here as it is, in words that follow
// its name; "" if it could. It asks nothing of the database.
func (w *Writer) Fits(r *Record) (why string) {
	for i, c := range r.Kind.Table().Key {
		if text, ok := r.Key[i].(string); ok {
			if why := textFits(text); why != "" {
				return c.Name + " " + why
			}
		}
	}
	for i, c := range r.Kind.Table().Columns {
		for _, text := range textsOf(r.Values[i]) {
			if why := textFits(text); why != "" {
				return c.Name + " " + why
			}
		}
	}
	if size := r.Size(); size > w.o.MaxRowBytes {
		return fmt.Sprintf("has %d bytes, the target takes rows of %d", size, w.o.MaxRowBytes)
	}
	effects, err := w.effects(r, false)
	if err != nil {
		return "cannot be stored in the target's form: " + err.Error()
	}
	m := plan.Mutation{Table: r.Kind.Table(), Op: plan.Insert, Key: r.Key, Effects: effects}
	switch m.Table {
	case plan.HistoryTasks:
		m = w.numberedTask(m)
	case plan.Shards:
		m.Table = w.shards
	}
	if r.Expires != 0 {
		m.TTL = max(1, w.life(r.Expires, w.o.Now()))
	}
	c, ok := w.ex.(checker)
	if !ok {
		return ""
	}
	if err := c.Check(&plan.Write{Name: "Records/put", Scope: plan.Atomic, Mutations: []plan.Mutation{m}}); err != nil {
		var e *errs.Error
		if errors.As(err, &e) && e.Err != nil {
			err = e.Err
		}
		return "does not fit the target's columns: " + err.Error()
	}
	return ""
}

func textFits(text string) (why string) {
	switch {
	case len(text) > maxKeyBytes:
		return fmt.Sprintf("has %d bytes, the target takes %d", len(text), maxKeyBytes)
	case !utf8.ValidString(text):
		return fmt.Sprintf("%q is no UTF-8", text)
	}
	return ""
}

// textsOf are the texts that are values or keys of elements.
func textsOf(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []plan.TextEntry:
		for i := range v {
			all = append(all, v[i].Key)
		}
	case []plan.NodeEntry:
		for i := range v {
			all = append(all, v[i].Key)
		}
	case []plan.TextIntEntry:
		for i := range v {
			all = append(all, v[i].Key)
		}
	}
	return all
}
