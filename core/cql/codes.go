package cql

import "strconv"

// Protocol error codes of the native protocol v4, section 9.
const (
	CodeServer        = 0x0000
	CodeProtocol      = 0x000A
	CodeCredentials   = 0x0100
	CodeUnavailable   = 0x1000
	CodeOverloaded    = 0x1001
	CodeBootstrapping = 0x1002
	CodeTruncate      = 0x1003
	CodeWriteTimeout  = 0x1100
	CodeReadTimeout   = 0x1200
	CodeReadFailure   = 0x1300
	CodeFunction      = 0x1400
	CodeWriteFailure  = 0x1500
	CodeCDCWriteFail  = 0x1600
	CodeCASUnknown    = 0x1700
	CodeSyntax        = 0x2000
	CodeUnauthorized  = 0x2100
	CodeInvalid       = 0x2200
	CodeConfig        = 0x2300
	CodeAlreadyExists = 0x2400
	CodeUnprepared    = 0x2500
)

// HexCode renders an error code as servers' documents do, e.g. "0x1100".
func HexCode(code int) string {
	s := strconv.FormatInt(int64(code), 16)
	for len(s) < 4 {
		s = "0" + s
	}
	return "0x" + s
}
