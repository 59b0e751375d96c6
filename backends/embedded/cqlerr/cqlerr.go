// Package cqlerr makes the errors of both personalities of the embedded engine:
// the native code and the text that the real server would send.
package cqlerr

import (
	"errors"
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// NotSupported is part of the text of every refusal of something that the real
// server can do and this engine cannot.
const NotSupported = "not supported by the embedded engine"

// Invalid is Cassandra's InvalidRequestException, 0x2200.
func Invalid(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeInvalid, format, args...)
}

// Syntax is Cassandra's SyntaxException, 0x2000.
func Syntax(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeSyntaxError, format, args...)
}

// Config is Cassandra's ConfigurationException, 0x2300.
func Config(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeConfigError, format, args...)
}

// Server is 0x0000.
func Server(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeServerError, format, args...)
}

// Unprepared says that a prepared statement does not fit the schema any more.
func Unprepared(why string) *wire.Error { return wire.Errorf(wire.CodeUnprepared, "%s", why) }

// Codes of YCQL (ql/util/errcodes.h) that the engine sends.
const (
	Internal          = -1
	ServerError       = -2
	InvalidSQL        = -11
	InvalidCQL        = -12
	NotYetImplemented = -13
	FeatureUnsupport  = -14
	DatatypeMismatch  = -201
	DuplicateObject   = -202
	UndefinedColumn   = -203
	DuplicateColumn   = -204
	MissingPrimaryKey = -205
	InvalidKeyType    = -206
	MissingKeyArg     = -207
	NullKeyArg        = -208
	IncomparableTypes = -209
	InvalidProperty   = -210
	DuplicateProperty = -211
	InvalidDatatype   = -212
	SystemReadOnly    = -213
	InvalidFunction   = -214
	NoNamespace       = -215
	CounterInsert     = -216
	CounterUpdate     = -217
	DuplicateType     = -218
	DuplicateField    = -219
	AlterKeyColumn    = -220
	NullInCollection  = -224
	Execution         = -300
	ObjectNotFound    = -301
	InvalidTable      = -302
	InvalidArguments  = -304
	TooFewArguments   = -305
	TooManyArguments  = -306
	KeyspaceExists    = -307
	KeyspaceNotFound  = -308
	TypeNotFound      = -311
	InvalidType       = -312
	InvalidRequest    = -316
)

// heads are the ErrorText of ql/util/errcodes.cc.
var heads = map[int]string{
	Internal: "Internal Failure", ServerError: "Server Error", InvalidSQL: "Invalid SQL Statement",
	InvalidCQL: "Invalid CQL Statement", NotYetImplemented: "Feature Not Yet Implemented", FeatureUnsupport: "Feature Not Supported",
	DatatypeMismatch: "Datatype Mismatch", DuplicateObject: "Duplicate Object", UndefinedColumn: "Undefined Column",
	DuplicateColumn: "Duplicate Column", MissingPrimaryKey: "Missing Primary Key", InvalidKeyType: "Invalid Primary Key Column Datatype",
	MissingKeyArg: "Missing Argument for Primary Key", NullKeyArg: "Null Argument for Primary Key",
	IncomparableTypes: "Incomparable Datatypes", InvalidProperty: "Invalid Table Property", DuplicateProperty: "Duplicate Table Property",
	InvalidDatatype: "Invalid Datatype", SystemReadOnly: "System Namespace is Read-Only", InvalidFunction: "Invalid Function Call",
	NoNamespace: "No Namespace Used", CounterInsert: "Insert into table of counters not allowed",
	CounterUpdate: "Counters can only be incremented or decremented", DuplicateType: "Duplicate Type",
	DuplicateField: "Duplicate Type Field", AlterKeyColumn: "Alter key column",
	NullInCollection: "null is not supported inside collections", Execution: "Execution Error", ObjectNotFound: "Object Not Found",
	InvalidTable: "Invalid Table Definition", InvalidArguments: "Invalid Arguments", TooFewArguments: "Too Few Arguments",
	TooManyArguments: "Too Many Arguments", KeyspaceExists: "Keyspace Already Exists", KeyspaceNotFound: "Keyspace Not Found",
	TypeNotFound: "Type Not Found", InvalidType: "Invalid Type Definition", InvalidRequest: "Invalid Request",
}

// native is the protocol's code for one of YCQL's (cql_processor.cc ProcessError).
func native(code int) wire.ErrorCode {
	switch {
	case code > -10:
		return wire.CodeServerError
	case code > -200:
		return wire.CodeSyntaxError
	}
	return wire.CodeInvalid
}

// QL is an error of YCQL that points at a place of the statement.
func QL(code int, detail, src string, at parse.Span) *wire.Error {
	return &wire.Error{Code: native(code), Message: parse.QL(heads[code], detail, src, at, code)}
}

// QLPlain is an error of YCQL without a place.
func QLPlain(code int, detail string) *wire.Error {
	return &wire.Error{Code: native(code), Message: fmt.Sprintf("%s: %s (ql error %d)", heads[code], detail, code)}
}

// FromParse turns an error of package parse into one for the wire.
func FromParse(err error) error {
	var e *parse.Error
	if errors.As(err, &e) {
		return &wire.Error{Code: wire.CodeSyntaxError, Message: e.Msg}
	}
	return err
}

// Source is a statement's text with the dialect it is written in: what is needed
// to report an error of it.
type Source struct {
	Text    string
	Dialect parse.Dialect
}

// Refuse reports something that only the engine does not support, with the code
// that fits its server.
func (s Source) Refuse(what string, at parse.Span) *wire.Error {
	if s.Dialect == parse.YCQL {
		return QL(FeatureUnsupport, what+" is "+NotSupported, s.Text, at)
	}
	return Invalid("%s is %s", what, NotSupported)
}

// QL is [QL] for this text.
func (s Source) QL(code int, at parse.Span, format string, args ...any) *wire.Error {
	return QL(code, fmt.Sprintf(format, args...), s.Text, at)
}
