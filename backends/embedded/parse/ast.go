package parse

// Span is a byte range of the statement text, [Start, End).
type Span struct{ Start, End int }

// Kind tells what an [Expr] is.
type Kind uint8

// Kinds of expressions. The comment names the fields that are used.
const (
	KindNull      Kind = iota // NULL
	KindString                // Text
	KindInt                   // Text: optional sign and digits
	KindFloat                 // Text: also NaN and Infinity
	KindBool                  // Text: true or false
	KindUUID                  // Text
	KindBlob                  // Text: 0x and hex digits
	KindDur                   // Text: a duration literal
	KindMarker                // Index, Name (of :name)
	KindColumn                // Text: a column, as written after folding
	KindField                 // Args[0].Text: field of a user-defined type
	KindElement               // Args[0][Args[1]]
	KindList                  // Args
	KindSet                   // Args; {} is an empty set or map
	KindMap                   // Args: key, value, key, value, ...
	KindUDT                   // Names, Args
	KindTuple                 // Args
	KindCall                  // Schema, Text (folded), Args; Star for count(*)
	KindCast                  // Type, Args[0]: (type) term, or CAST(term AS type)
	KindBinary                // Text: + - * / %, Args[0], Args[1]
	KindNeg                   // Args[0]
	KindStar                  // * of a selection
	KindCompare               // Op, Args[0], Args[1]; see the comment of Op
	KindAnd                   // Args
	KindOr                    // Args
	KindNot                   // Args[0]
	KindExists                // IF EXISTS
	KindNotExists             // IF NOT EXISTS
)

// Op is a comparison.
type Op uint8

// Comparisons. In and NotIn have a KindTuple or a marker on the right. Between
// has a KindTuple of two. IsNull and IsNotNull have a KindNull there.
const (
	Eq Op = iota
	Ne
	Lt
	Le
	Gt
	Ge
	In
	NotIn
	Contains
	ContainsKey
	Like
	Between
	NotBetween
	IsNull
	IsNotNull
)

var opText = [...]string{
	"=", "!=", "<", "<=", ">", ">=", "IN", "NOT IN", "CONTAINS", "CONTAINS KEY", "LIKE",
	"BETWEEN", "NOT BETWEEN", "IS NULL", "IS NOT NULL",
}

// String is the operator as CQL writes it.
func (o Op) String() string { return opText[o] }

// Expr is a term, a selected expression or a condition.
type Expr struct {
	Kind   Kind
	Op     Op
	Cast   bool // of KindCast: CAST(x AS t), the function, not the type hint
	Star   bool
	Index  int // of a marker: its number in the whole text, from 0
	Schema string
	Text   string
	Names  []string
	Args   []*Expr
	Type   *Type
	Span   Span
}

// Type is a type as written: a name, and arguments if it has any.
type Type struct {
	Name   string // folded; user-defined names keep their case if quoted
	Quoted bool
	Schema string // keyspace of a user-defined type, if written
	Args   []*Type
	Dim    int // of vector
	Custom string
	Span   Span
}

// Name is a possibly qualified object name.
type Name struct {
	Keyspace string
	Name     string
	Span     Span // of the last part, which is what YCQL points at
}

// Statement is one of the pointer types of this file.
type Statement interface{ Pos() Span }

// Selector is one item of a select list.
type Selector struct {
	Expr  *Expr
	Alias string
}

// Order is one item of ORDER BY.
type Order struct {
	Expr *Expr
	Desc bool
	Span Span
}

// Select is SELECT. Star tells that the list was a single *.
type Select struct {
	Table             Name
	JSON, Distinct    bool
	Star              bool
	Selectors         []Selector
	Where             []*Expr // relations, joined by AND
	If                *Expr   // ycql's oddity
	GroupBy           []*Expr
	OrderBy           []Order
	PerPartitionLimit *Expr
	Limit             *Expr
	Offset            *Expr
	AllowFiltering    bool
	Span              Span
	ListAt            Span // the first selected expression
}

// Using is USING TTL and TIMESTAMP.
type Using struct {
	TTL, Timestamp *Expr
	Span           Span
}

// Tail is what a conditional write ends in.
type Tail struct {
	If            *Expr
	ElseError     bool
	ReturnsStatus bool
}

// Insert is INSERT.
type Insert struct {
	Table   Name
	Columns []*Expr // KindColumn
	Values  []*Expr
	JSON    *Expr // INSERT ... JSON: a string or a marker
	Using   Using
	Tail
	Span     Span
	Into     Span // the word INTO, at which YCQL's errors point
	ValuesAt Span // the word VALUES, at which those about the values do
}

// Assignment is one item of SET. Target is a column, an element or a field;
// Value may refer to the column itself (c = c + ?). Op is 0, '+' or '-' for
// c += ? and c -= ?.
type Assignment struct {
	Target *Expr
	Op     byte
	Value  *Expr
	Span   Span
}

// Update is UPDATE.
type Update struct {
	Table Name
	Using Using
	Set   []Assignment
	Where []*Expr
	Tail
	Span Span
	Word Span
}

// Delete is DELETE. No Targets means whole rows.
type Delete struct {
	Table   Name
	Targets []*Expr
	Using   Using
	Where   []*Expr
	Tail
	Span Span
	Word Span
}

// BatchType is LOGGED, UNLOGGED or COUNTER.
type BatchType uint8

// Types of batches, numbered as the native protocol does.
const (
	Logged BatchType = iota
	Unlogged
	Counter
)

// Batch is BEGIN BATCH ... APPLY BATCH.
type Batch struct {
	Type  BatchType
	Using Using
	Stmts []Statement
	Span  Span
}

// Block is a YCQL statement list: a transaction block, in either of its forms,
// or whatever else was written with several statements in one text. What a list
// may hold is checked by the analyzer, statement by statement.
type Block struct {
	Stmts []Statement
	Span  Span
}

// Begin is START TRANSACTION or BEGIN TRANSACTION.
type Begin struct{ Span Span }

// Commit is COMMIT or END TRANSACTION.
type Commit struct{ Span Span }

// Property is one name = value of WITH. Value is a literal or a KindMap.
type Property struct {
	Name  string
	Value *Expr
	Span  Span
}

// ColumnDef is one column of CREATE TABLE or ALTER TABLE ADD.
type ColumnDef struct {
	Name            string
	Type            *Type
	Static, Primary bool
	Masked          bool
	Span            Span // of the name
	End             int  // where the definition ends
}

// CreateKeyspace is CREATE KEYSPACE.
type CreateKeyspace struct {
	Name        string
	IfNotExists bool
	With        []Property
	Span        Span
	NameSpan    Span
}

// AlterKeyspace is ALTER KEYSPACE.
type AlterKeyspace struct {
	Name     string
	IfExists bool
	With     []Property
	Span     Span
	NameSpan Span
}

// CreateTable is CREATE TABLE. Keys are (Partition...), Clustering....
type CreateTable struct {
	Table          Name
	IfNotExists    bool
	Columns        []ColumnDef
	PrimaryKeys    int // number of PRIMARY KEY clauses outside column definitions
	Partition      []ColumnRef
	Clustering     []ColumnRef
	OrderBy        []Order
	CompactStorage bool
	With           []Property
	Span           Span
	PrimaryAt      Span // the last PRIMARY KEY
}

// ColumnRef is a column's name where it is referred to.
type ColumnRef struct {
	Name string
	Span Span
}

// AlterOp is what ALTER TABLE or ALTER TYPE does.
type AlterOp uint8

// Alterations.
const (
	AlterAdd AlterOp = iota
	AlterDrop
	AlterRename
	AlterWith
	AlterType
)

// AlterTable is ALTER TABLE.
type AlterTable struct {
	Table       Name
	IfExists    bool
	Op          AlterOp
	IfColumn    bool // ADD IF NOT EXISTS, DROP/RENAME IF EXISTS
	Columns     []ColumnDef
	Drop        []ColumnRef
	Rename      [][2]ColumnRef
	With        []Property
	HasUsing    bool
	TypeAltered ColumnDef
	Span        Span
}

// CreateType is CREATE TYPE.
type CreateType struct {
	Name        Name
	IfNotExists bool
	Fields      []ColumnDef
	Span        Span
}

// AlterUDT is ALTER TYPE.
type AlterUDT struct {
	Name     Name
	IfExists bool
	Op       AlterOp
	IfField  bool
	Add      []ColumnDef
	Rename   [][2]ColumnRef
	Span     Span
}

// IndexTarget is one column of an index: col, keys(col), values(col),
// entries(col) or full(col).
type IndexTarget struct {
	Mode   string // empty, keys, values, entries, full
	Column ColumnRef
	Expr   *Expr // anything else, e.g. a JSON path
}

// CreateIndex is CREATE INDEX. The last fields are YCQL's.
type CreateIndex struct {
	Name        Name // may be empty
	Table       Name
	IfNotExists bool
	Custom      bool
	Class       string
	Unique      bool
	Deferred    bool
	Targets     []IndexTarget // hash part first
	Hash        int           // number of targets in the hash part, 0 if not written
	Include     []ColumnRef
	Where       []*Expr
	OrderBy     []Order
	With        []Property
	Span        Span
}

// ObjectKind says what DROP drops.
type ObjectKind string

// Kinds of schema objects.
const (
	ObjKeyspace ObjectKind = "KEYSPACE"
	ObjTable    ObjectKind = "TABLE"
	ObjType     ObjectKind = "TYPE"
	ObjIndex    ObjectKind = "INDEX"
)

// Drop is DROP.
type Drop struct {
	Kind     ObjectKind
	Name     Name
	IfExists bool
	Span     Span
}

// Truncate is TRUNCATE.
type Truncate struct {
	Table Name
	Span  Span
}

// Use is USE.
type Use struct {
	Keyspace string
	Span     Span
	NameSpan Span
}

// Unsupported is a statement that the real server knows and this engine does
// not: roles, views, functions and so on. What names it.
type Unsupported struct {
	What string
	Span Span
}

// Pos is the range of the statement.
func (s *Select) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Insert) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Update) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Delete) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Batch) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Block) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Begin) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Commit) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *CreateKeyspace) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *AlterKeyspace) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *CreateTable) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *AlterTable) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *CreateType) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *AlterUDT) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *CreateIndex) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Drop) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Truncate) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Use) Pos() Span { return s.Span }

// Pos is the range of the statement.
func (s *Unsupported) Pos() Span { return s.Span }
