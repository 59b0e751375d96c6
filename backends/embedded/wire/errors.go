package wire

import "fmt"

// ErrorCode is the number that a driver decides by.
type ErrorCode uint32

// The error codes of protocol v4, section 9.
const (
	CodeServerError     ErrorCode = 0x0000
	CodeProtocolError   ErrorCode = 0x000A
	CodeBadCredentials  ErrorCode = 0x0100
	CodeUnavailable     ErrorCode = 0x1000
	CodeOverloaded      ErrorCode = 0x1001
	CodeBootstrapping   ErrorCode = 0x1002
	CodeTruncate        ErrorCode = 0x1003
	CodeWriteTimeout    ErrorCode = 0x1100
	CodeReadTimeout     ErrorCode = 0x1200
	CodeReadFailure     ErrorCode = 0x1300
	CodeFunctionFailure ErrorCode = 0x1400
	CodeWriteFailure    ErrorCode = 0x1500
	CodeSyntaxError     ErrorCode = 0x2000
	CodeUnauthorized    ErrorCode = 0x2100
	CodeInvalid         ErrorCode = 0x2200
	CodeConfigError     ErrorCode = 0x2300
	CodeAlreadyExists   ErrorCode = 0x2400
	CodeUnprepared      ErrorCode = 0x2500
)

// Error is an ERROR message: what a client is told. Which of the fields after
// Message go over the wire depends on Code; the others are ignored.
type Error struct {
	Code    ErrorCode
	Message string

	Consistency Consistency // unavailable, timeouts, failures
	Received    int32       // timeouts and failures: replicas that answered; unavailable: alive
	Required    int32       // timeouts and failures: replicas waited for; unavailable: required
	Failures    int32       // failures
	DataPresent bool        // read timeout and failure
	WriteType   string      // write timeout and failure: SIMPLE, BATCH, UNLOGGED_BATCH, BATCH_LOG, CAS, COUNTER

	Keyspace string   // already exists, function failure
	Table    string   // already exists; empty if the keyspace itself exists
	Function string   // function failure
	Args     []string // function failure

	ID []byte // unprepared: the statement id, filled in by the server
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%#04x)", e.Message, uint32(e.Code)) }

// Errorf makes an Error without further fields.
func Errorf(code ErrorCode, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
