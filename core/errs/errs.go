// Package errs is the taxonomy of what can go wrong with persistence work. An
// error answers two questions: why, and whether the write was applied. The zero
// values promise least.
package errs

import (
	"errors"
	"fmt"
	"strings"
)

// Outcome says what is known about a write after an error.
type Outcome uint8

// The outcomes.
const (
	Unknown    Outcome = iota // may or may not have been applied: reload first
	NotApplied                // certainly not applied, now or later
)

func (o Outcome) String() string {
	if o == NotApplied {
		return "not applied"
	}
	return "unknown outcome"
}

// Kind says why an operation did not succeed.
type Kind uint8

// The kinds of errors.
const (
	Internal     Kind = iota // a bug, here or in the server
	Conflict                 // a condition did not hold; Err is a *plan.Conflict if the cause is known
	Timeout                  // no answer in time, or the server gave up waiting
	Canceled                 // the caller's context was cancelled
	Unavailable              // no server could be asked, or it could not do it now
	Overloaded               // the server turned the request away to protect itself
	StorageFull              // the server's storage limit is reached
	Unauthorized             // wrong credentials or missing rights
	Invalid                  // the server does not understand the request, or its schema is another
	Corrupt                  // a stored row cannot be decoded
	Closed                   // the session is closed
)

var kindNames = [...]string{
	"internal", "conflict", "timeout", "canceled", "unavailable", "overloaded",
	"storage full", "unauthorized", "invalid", "corrupt", "closed",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds lists every kind, for metrics and tests.
func Kinds() []Kind {
	ks := make([]Kind, len(kindNames))
	for i := range ks {
		ks[i] = Kind(i)
	}
	return ks
}

// Stage says in which part of a write the error came up.
type Stage uint8

// The stages of a write.
const (
	Main  Stage = iota // the atomic part, or a read
	Ahead              // before the atomic part was sent
)

// Error is the only error type that leaves package exec.
type Error struct {
	Op      string // plan name, e.g. "UpdateWorkflowExecution"
	Key     string // table and key of the row concerned, if known; never a payload
	Kind    Kind
	Outcome Outcome // of the write; reads are always NotApplied
	Stage   Stage
	Err     error // cause, kept for errors.As
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Key != "" {
		b.WriteByte(' ')
		b.WriteString(e.Key)
	}
	b.WriteString(": ")
	b.WriteString(e.Kind.String())
	if e.Outcome == Unknown {
		b.WriteString(" (unknown outcome)")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err; Internal if it is none of ours.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
