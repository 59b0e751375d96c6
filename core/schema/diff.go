package schema

import "fmt"

// Difference is one thing in which a keyspace is not what it should be.
type Difference struct {
	// What names it: "table tasks_v2", "column executions.task_data".
	What string
	// Is and Should describe it; empty means that it is not there.
	Is, Should string
}

func (d Difference) String() string {
	switch {
	case d.Is == "":
		return fmt.Sprintf("- %s is missing (%s)", d.What, d.Should)
	case d.Should == "":
		return fmt.Sprintf("+ %s is not part of the schema (%s)", d.What, d.Is)
	default:
		return fmt.Sprintf("~ %s is %s, should be %s", d.What, d.Is, d.Should)
	}
}

// MigrationTable is a table that core/migrate keeps in a keyspace that is moved
// to. It is no part of the schema, and no difference from it.
const MigrationTable = "migration_run"

// Diff lists what distinguishes a keyspace from what it should be, sorted.
func Diff(is, should *Model) []Difference {
	var out []Difference
	compare(&out, "table ", describeTables(is), describeTables(should))
	compare(&out, "type ", is.Types, should.Types)
	compare(&out, "index ", is.Indexes, should.Indexes)
	for _, name := range sorted(should.Tables) {
		if live := is.Tables[name]; live != nil {
			compare(&out, "column "+name+".", live.describe(), should.Tables[name].describe())
		}
	}
	return out
}

func compare(out *[]Difference, what string, is, should map[string]string) {
	for _, name := range sorted(should) {
		if is[name] != should[name] {
			*out = append(*out, Difference{what + name, is[name], should[name]})
		}
	}
	for _, name := range sorted(is) {
		if _, ok := should[name]; !ok {
			*out = append(*out, Difference{what + name, is[name], ""})
		}
	}
}

// describeTables says of each table that it is one, and whether it has
// transactions where that is told; its columns are compared by themselves.
func describeTables(m *Model) map[string]string {
	out := map[string]string{}
	for name, t := range m.Tables {
		if name == MigrationTable {
			continue
		}
		switch t.Transactions {
		case "":
			out[name] = "table"
		case "true":
			out[name] = "table with transactions"
		default:
			out[name] = "table without transactions"
		}
	}
	return out
}

func (t *Table) describe() map[string]string {
	out := map[string]string{}
	for name, c := range t.Columns {
		switch c.Kind {
		case "partition_key":
			out[name] = fmt.Sprintf("%s, part %d of the partition key", c.Type, c.Position+1)
		case "clustering":
			out[name] = fmt.Sprintf("%s, clustering column %d %s", c.Type, c.Position+1, c.Order)
		default:
			out[name] = c.Type + ", " + c.Kind
		}
	}
	return out
}
