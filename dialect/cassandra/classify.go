package cassandra

import (
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/errs"
	"github.com/temporal-ycql/temporal-ycql/dialect/render"
)

// Classify implements dialect.Dialect. What is not known not to have been
// applied is Unknown: a conditional write that is sent again after it did take
// effect is refused by its own doing.
func (*Dialect) Classify(err error, write bool) (errs.Kind, errs.Outcome) {
	return render.Classify(err, write, reply)
}

// reply places an error that the server sent (native protocol v4 section 9, v5
// for 0x1600 and 0x1700).
func reply(e *cql.Error) (errs.Kind, errs.Outcome) {
	switch e.Code {
	case cql.CodeUnavailable:
		// The coordinator counts live replicas before it asks any, but a
		// conditional write counts anew in each of its phases: one that was
		// accepted before the count fell short is finished by the next round.
		return errs.Unavailable, errs.Unknown
	case cql.CodeBootstrapping:
		return errs.Unavailable, errs.NotApplied
	case cql.CodeOverloaded:
		if strings.Contains(e.Message, "hints") {
			// "Too many in flight hints": replicas may have got the write already.
			return errs.Overloaded, errs.Unknown
		}
		return errs.Overloaded, errs.NotApplied
	case cql.CodeWriteTimeout, cql.CodeReadTimeout, cql.CodeCASUnknown:
		// Of every write type: a batch whose log was written is replayed, and a
		// Paxos proposal that somebody accepted is finished by the next one. A
		// conditional write can time out in a read of its own, between proposals.
		return errs.Timeout, errs.Unknown
	case cql.CodeReadFailure, cql.CodeWriteFailure:
		return errs.Unavailable, errs.Unknown
	case cql.CodeCDCWriteFail:
		return errs.StorageFull, errs.Unknown
	case cql.CodeCredentials, cql.CodeUnauthorized:
		return errs.Unauthorized, errs.NotApplied
	case cql.CodeInvalid:
		if storageFull(e.Message) {
			return errs.StorageFull, errs.NotApplied
		}
		return errs.Invalid, errs.NotApplied
	case cql.CodeSyntax, cql.CodeConfig, cql.CodeAlreadyExists:
		return errs.Invalid, errs.NotApplied
	case cql.CodeProtocol:
		return errs.Internal, errs.NotApplied
	case cql.CodeUnprepared:
		// The driver prepares again by itself; a server that forgets at once
		// could not do it now.
		return errs.Unavailable, errs.NotApplied
	}
	return errs.Internal, errs.Unknown
}

// storageFull recognises the guardrail on disk usage (Cassandra 4.1 and later),
// which refuses writes before they begin.
func storageFull(message string) bool {
	return strings.Contains(strings.ToLower(message), "disk usage exceeds failure threshold")
}
