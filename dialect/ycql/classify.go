package ycql

import (
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Classify implements dialect.Dialect. YugabyteDB says with one code (0x2200)
// that a statement is wrong, that a tablet has no leader and that it gave up
// waiting, so errors are told apart by their texts. A text that is not known to
// mean that nothing was written leaves the outcome unknown.
func (*Dialect) Classify(err error, write bool) (errs.Kind, errs.Outcome) {
	return render.Classify(err, write, reply)
}

// meaning is what a fragment of a message says.
type meaning struct {
	text    string
	kind    errs.Kind
	outcome errs.Outcome
}

// meanings are looked at in this order, whatever the code: a message that
// speaks of several things means the one that promises least.
var meanings = []meaning{
	{"Duplicate request", errs.Timeout, errs.Unknown}, // of a retry within the server: most likely applied
	{"passed its deadline", errs.Timeout, errs.Unknown},
	{"Timed out", errs.Timeout, errs.Unknown},
	{"timed out", errs.Timeout, errs.Unknown},
	{"Leader does not have a valid lease", errs.Timeout, errs.Unknown},
	{"Not the leader", errs.Timeout, errs.Unknown},
	{"num_attempts", errs.Timeout, errs.Unknown},
	{"Unknown transaction", errs.Timeout, errs.Unknown}, // of a commit, perhaps
	{"Transaction expired", errs.Timeout, errs.Unknown},
	{"recently aborted", errs.Timeout, errs.Unknown},
	{"Conflicts with", errs.Timeout, errs.Unknown}, // for as long as the server tried
	{"transaction error", errs.Timeout, errs.Unknown},
	{"Value write after transaction start", errs.Timeout, errs.Unknown},
	{"Restart read required", errs.Unavailable, errs.Unknown},
	{"emory limit exceeded", errs.Overloaded, errs.Unknown}, // Soft, Hard: by one of several tablets
	{"emory pressure", errs.Overloaded, errs.Unknown},
	{"stale metadata cache", errs.Unavailable, errs.Unknown},
	{"No space left", errs.StorageFull, errs.Unknown},
	{"not authenticated user", errs.Unauthorized, errs.NotApplied},
}

// reply places an error that the server sent.
func reply(e *cql.Error) (errs.Kind, errs.Outcome) {
	switch {
	case e.Code == cql.CodeOverloaded:
		// Turned away before a processor was found for it.
		return errs.Overloaded, errs.NotApplied
	case Refused(e):
		// A session says this otherwise (see the package comment). By itself it
		// may be a block's own doing: the server runs blocks again.
		return errs.Conflict, errs.Unknown
	}
	head, _, _ := strings.Cut(e.Message, "\n") // what follows is the statement
	for _, m := range meanings {
		if strings.Contains(head, m.text) {
			return m.kind, m.outcome
		}
	}
	switch e.Code {
	case cql.CodeCredentials, cql.CodeUnauthorized:
		return errs.Unauthorized, errs.NotApplied
	case cql.CodeSyntax, cql.CodeConfig, cql.CodeAlreadyExists:
		return errs.Invalid, errs.NotApplied
	case cql.CodeProtocol:
		return errs.Internal, errs.NotApplied
	case cql.CodeBootstrapping:
		// YugabyteDB does not send it; by the protocol nothing was begun.
		return errs.Unavailable, errs.NotApplied
	case cql.CodeUnprepared:
		// The driver prepares again by itself; a server that forgets at once
		// could not do it now.
		return errs.Unavailable, errs.NotApplied
	case cql.CodeInvalid:
		if strings.HasPrefix(head, "Execution Error") || head == "" {
			return errs.Internal, errs.Unknown
		}
		return errs.Invalid, errs.NotApplied // found while the statement was analysed
	case cql.CodeWriteTimeout, cql.CodeReadTimeout, cql.CodeCASUnknown:
		return errs.Timeout, errs.Unknown
	case cql.CodeUnavailable, cql.CodeReadFailure, cql.CodeWriteFailure:
		return errs.Unavailable, errs.Unknown
	}
	return errs.Internal, errs.Unknown
}
