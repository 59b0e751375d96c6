package corpus

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/datastax/go-cassandra-native-protocol/message"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
)

// coverage notes the first script that reaches a thing, by group and name: what the parser
// makes of statements, the error codes and the shapes of metadata in answers. A nil
// coverage notes nothing.
type coverage struct {
	dialect parse.Dialect
	script  string // the one at hand
	reached map[string]map[string]string
}

func newCoverage(d parse.Dialect) *coverage {
	return &coverage{dialect: d, reached: map[string]map[string]string{}}
}

// Groups of the table.
const (
	groupStatements = "statements"
	groupTerms      = "terms and conditions"
	groupErrors     = "error codes"
	groupBinds      = "bind metadata"
	groupResults    = "result metadata"
)

func (c *coverage) mark(group, name string) {
	if c.reached[group] == nil {
		c.reached[group] = map[string]string{}
	}
	if c.reached[group][name] == "" {
		c.reached[group][name] = c.script
	}
}

// statement notes what the parser makes of a case's text, if it accepts it.
func (c *coverage) statement(k *kase, text string) {
	if c == nil {
		return
	}
	texts := []string{text}
	if kind, ok := k.directive("batch"); ok {
		texts = strings.Split(text, "\n")
		c.mark(groupStatements, "native batch, "+kind)
	}
	for _, t := range texts {
		t, _, _ = strings.Cut(t, " <-")
		if stmt, _, err := parse.Parse(t, c.dialect); err == nil {
			c.walk(reflect.ValueOf(stmt))
		}
	}
}

// enums are the types of the syntax tree whose values are productions of their own.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[parse.Kind](): {
		"NULL", "string", "integer", "float", "boolean", "UUID", "blob", "duration", "marker", "column", "field", "element",
		"list", "set", "map", "UDT literal", "tuple", "call", "cast", "arithmetic", "negation", "star", "comparison",
		"AND", "OR", "NOT", "IF EXISTS", "IF NOT EXISTS",
	},
	reflect.TypeFor[parse.Op]():        opNames(),
	reflect.TypeFor[parse.BatchType](): {"LOGGED", "UNLOGGED", "COUNTER"},
	reflect.TypeFor[parse.AlterOp]():   {"ADD", "DROP", "RENAME", "WITH", "TYPE"},
}

func opNames() []string {
	var out []string
	for o := parse.Eq; o <= parse.IsNotNull; o++ {
		out = append(out, o.String())
	}
	return out
}

// words are the values of the syntax tree's strings that are productions.
var words = map[string][]string{
	"IndexTarget.Mode":        {"", "keys", "values", "entries", "full"},
	"Drop.Kind":               {string(parse.ObjKeyspace), string(parse.ObjTable), string(parse.ObjType), string(parse.ObjIndex)},
	"Expr.Text of arithmetic": {"+", "-", "*", "/", "%"},
	"Assignment.Op":           {"=", "+=", "-="},
}

// roots are the statements.
var roots = []reflect.Type{
	reflect.TypeFor[parse.Select](), reflect.TypeFor[parse.Insert](), reflect.TypeFor[parse.Update](), reflect.TypeFor[parse.Delete](),
	reflect.TypeFor[parse.Batch](), reflect.TypeFor[parse.Block](), reflect.TypeFor[parse.Begin](), reflect.TypeFor[parse.Commit](),
	reflect.TypeFor[parse.CreateKeyspace](), reflect.TypeFor[parse.AlterKeyspace](), reflect.TypeFor[parse.CreateTable](),
	reflect.TypeFor[parse.AlterTable](), reflect.TypeFor[parse.CreateType](), reflect.TypeFor[parse.AlterUDT](),
	reflect.TypeFor[parse.CreateIndex](), reflect.TypeFor[parse.Drop](), reflect.TypeFor[parse.Truncate](), reflect.TypeFor[parse.Use](),
	reflect.TypeFor[parse.Unsupported](),
}

// plain fields say nothing of the grammar: places, and parts that every text has.
var plain = []string{
	"Expr.Text", "Expr.Index", "Expr.Names", "Expr.Args", "Expr.Kind", "Expr.Op", "Type.Name", "Name.Name", "Name.Keyspace", "Property.Name", "Property.Value",
	"ColumnDef.Name", "ColumnRef.Name", "Unsupported.What", "CreateTable.PrimaryKeys", "CreateTable.Partition",
	"CreateTable.Columns", "CreateKeyspace.Name", "AlterKeyspace.Name", "Use.Keyspace", "Drop.Name", "CreateType.Name", "AlterUDT.Name",
	"Update.Set", "Update.Where", "Insert.Columns", "Insert.Values", "Block.Stmts", "Order.Expr", "Selector.Expr",
	"Assignment.Target", "Assignment.Value", "IndexTarget.Column", "CreateIndex.Table", "CreateIndex.Targets", "CreateType.Fields", "ColumnDef.Type",
	"AlterTable.TypeAltered", "Truncate.Table", "Select.Table", "Insert.Table", "Update.Table", "Delete.Table", "CreateTable.Table", "AlterTable.Table",
}

func groupOf(t reflect.Type) string {
	switch t.Name() {
	case "Expr", "Type", "Name":
		return groupTerms
	}
	return groupStatements
}

// walk notes the kinds of nodes below v and the fields that are set in them.
func (c *coverage) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			c.walk(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			c.walk(v.Index(i))
		}
	case reflect.Struct:
		t := v.Type()
		if slices.Contains(roots, t) {
			c.mark(groupStatements, t.Name())
		}
		for i := range t.NumField() {
			c.field(v, t.Field(i), v.Field(i))
		}
	default:
	}
}

func (c *coverage) field(v reflect.Value, f reflect.StructField, x reflect.Value) {
	t := v.Type()
	name, group := t.Name()+"."+f.Name, groupOf(t)
	if names := enums[f.Type]; names != nil {
		// Op of an Expr counts for comparisons only.
		if name != "Expr.Op" || v.FieldByName("Kind").Interface() == parse.KindCompare {
			c.mark(group, name+" "+names[x.Uint()])
		}
		return
	}
	switch name {
	case "IndexTarget.Mode", "Drop.Kind":
		c.mark(group, name+" "+x.String())
	case "Assignment.Op":
		c.mark(group, name+" "+map[uint64]string{0: "=", '+': "+=", '-': "-="}[x.Uint()])
	case "Expr.Text":
		if v.FieldByName("Kind").Interface() == parse.KindBinary {
			c.mark(group, "Expr.Text of arithmetic "+x.String())
		}
	}
	if f.Type == reflect.TypeFor[parse.Span]() {
		return
	}
	set := !x.IsZero()
	if x.Kind() == reflect.Slice {
		set = x.Len() > 0
	}
	if set && isFeature(name, f) {
		c.mark(group, name)
	}
	c.walk(x)
}

// isFeature tells whether a field's being set is a production: it is optional.
func isFeature(name string, f reflect.StructField) bool {
	return !f.Anonymous && !slices.Contains(plain, name) && words[name] == nil && enums[f.Type] == nil &&
		f.Type != reflect.TypeFor[parse.Span]() && f.Type != reflect.TypeFor[parse.Using]()
}

// productions are all that a walk can note.
func productions() map[string][]string {
	out := map[string][]string{groupStatements: {"native batch, logged", "native batch, unlogged"}}
	seen := map[reflect.Type]bool{}
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			visit(t.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if t == reflect.TypeFor[parse.Span]() || seen[t] {
			return
		}
		seen[t] = true
		group := groupOf(t)
		if slices.Contains(roots, t) {
			out[group] = append(out[group], t.Name())
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name := t.Name() + "." + f.Name
			for _, n := range enums[f.Type] {
				out[group] = append(out[group], name+" "+n)
			}
			for _, n := range words[name] {
				out[group] = append(out[group], name+" "+n)
			}
			if isFeature(name, f) {
				out[group] = append(out[group], name)
			}
			visit(f.Type)
		}
	}
	for _, t := range roots {
		visit(t)
	}
	for _, n := range words["Expr.Text of arithmetic"] {
		out[groupTerms] = append(out[groupTerms], "Expr.Text of arithmetic "+n)
	}
	for g := range out {
		slices.Sort(out[g])
	}
	return out
}

var (
	qlError = regexp.MustCompile(`\(ql error (-\d+)\)`)
	index   = regexp.MustCompile(`\[\d+\]$`)
	name    = regexp.MustCompile(`\(.*\)`)
)

// answer notes the codes and the metadata of an answer.
func (c *coverage) answer(m message.Message) {
	if c == nil {
		return
	}
	switch r := m.(type) {
	case message.Error:
		c.mark(groupErrors, fmt.Sprintf("%#04x", int32(r.GetErrorCode())))
		if q := qlError.FindStringSubmatch(r.GetErrorMessage()); q != nil {
			c.mark(groupErrors, "ql error "+q[1])
		}
	case *message.PreparedResult:
		c.prepared(r)
	case *message.RowsResult:
		c.columns(groupResults, r.Metadata.Columns)
		c.shape(groupResults, r.Metadata.PagingState != nil, "a paging state")
		c.shape(groupResults, len(r.Data) == 0, "no rows")
	case *message.VoidResult:
		c.mark(groupResults, "void")
	case *message.SetKeyspaceResult:
		c.mark(groupResults, "keyspace")
	case *message.SchemaChangeResult:
		c.mark(groupResults, fmt.Sprintf("schema change: %s %s", r.ChangeType, r.Target))
	}
}

func (c *coverage) shape(group string, is bool, what string) {
	if is {
		c.mark(group, what)
	}
}

func (c *coverage) prepared(r *message.PreparedResult) {
	v := r.VariablesMetadata
	c.columns(groupBinds, v.Columns)
	c.shape(groupBinds, len(v.Columns) == 0, "no markers")
	c.shape(groupBinds, len(v.PkIndices) == 1, "key of one marker")
	c.shape(groupBinds, len(v.PkIndices) > 1, "key of several markers")
	c.shape(groupBinds, len(v.PkIndices) > 1 && !slices.IsSorted(v.PkIndices), "key out of order")
	c.shape(groupBinds, len(v.Columns) > 0 && len(v.PkIndices) == 0, "key not bound")
	tables := map[string]bool{}
	for _, b := range v.Columns {
		tables[b.Table] = true
		// in(a), key(m), value(m), idx(l), m[0], [limit], partition key token, (a,b): the form, not the column.
		form := index.ReplaceAllString(name.ReplaceAllString(b.Name, "(…)"), "[n]")
		if special(form) {
			c.mark(groupBinds, "named "+form)
		}
	}
	c.shape(groupBinds, len(tables) > 1, "markers of several tables")
	if r.ResultMetadata != nil && len(r.ResultMetadata.Columns) > 0 {
		c.columns(groupResults, r.ResultMetadata.Columns)
	} else {
		c.mark(groupResults, "none at PREPARE")
	}
}

func special(form string) bool { return strings.ContainsAny(form, "([ ") }

func (c *coverage) columns(group string, cols []*message.ColumnMetadata) {
	for _, col := range cols {
		if t, err := typeOf(col.Type); err == nil {
			c.typ(group, t)
		}
		if group == groupResults && strings.HasPrefix(col.Name, "[") {
			c.mark(group, "named "+col.Name)
		}
	}
}

func (c *coverage) typ(group string, t *cqltype.Type) {
	c.mark(group, "type "+shapeOf(t))
	for _, e := range t.Elems {
		c.mark(group, "type "+shapeOf(e))
	}
}

// shapeOf is a type without the types within.
func shapeOf(t *cqltype.Type) string {
	s, _, _ := strings.Cut(t.String(), "<")
	if s == "frozen" {
		s, _, _ = strings.Cut(strings.TrimPrefix(t.String(), "frozen<"), "<")
	}
	if t.Kind == cqltype.UDT {
		s = "user-defined"
	}
	return s
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
