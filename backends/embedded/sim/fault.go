package sim

import (
	"fmt"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

// Kind is what goes wrong.
type Kind uint8

// The kinds of faults. "Applied" says what became of the request's effects.
const (
	none Kind = iota
	// ConflictAborted: a write lost against a transaction of higher priority until its
	// deadline. 0x0000, not applied. YCQL.
	ConflictAborted
	// ConflictCommitted: a transaction whose commit was in fact accepted is reported
	// expired. 0x0000, applied. YCQL.
	ConflictCommitted
	// TimeoutBefore: a write timed out and was not applied: 0x2200 "passed its
	// deadline" (YCQL), 0x1100 (Cassandra).
	TimeoutBefore
	// TimeoutAfter: the same answer, but applied.
	TimeoutAfter
	// LeaseBefore: the tablet's leader lost its lease before the write. 0x2200, not
	// applied. YCQL.
	LeaseBefore
	// LeaseAfter: the same answer, but applied. YCQL.
	LeaseAfter
	// DuplicateRequest: an internal retry found the write already applied. 0x2200
	// "Duplicate request", applied. YCQL.
	DuplicateRequest
	// Rerun: the answer of a block's commit was lost inside the cluster and the proxy
	// ran the whole block again, on top of its own effects. The client gets the answer
	// of the second run, most often a condition that does not hold. Applied. YCQL,
	// blocks only.
	Rerun
	// Overloaded: 0x1001, not applied.
	Overloaded
	// CutBefore: the connection breaks before the request runs. Not applied.
	CutBefore
	// CutAfter: the connection breaks when the request has run, before its answer. Applied.
	CutAfter
	// Late: no answer; the write is applied after [Options.LateAfter], when its client
	// has given up.
	Late
	// StaleRead: a SELECT at consistency ONE shows a state at most
	// [Options.MaxStaleness] old.
	StaleRead
	// HalfBatch: of a native batch over several partitions only some partitions are
	// written, and the client is told that it timed out. Members of one partition
	// share their fate. YCQL.
	HalfBatch

	kinds
)

var kindNames = [...]string{
	"none", "conflict-aborted", "conflict-committed", "timeout-before", "timeout-after", "lease-before", "lease-after",
	"duplicate-request", "rerun", "overloaded", "cut-before", "cut-after", "late", "stale-read", "half-batch",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind finds a kind by its name, e.g. "cut-after".
func ParseKind(name string) (Kind, error) {
	for k, n := range kindNames {
		if n == name && Kind(k) != none {
			return Kind(k), nil
		}
	}
	return none, fmt.Errorf("no fault is named %q", name)
}

// Kinds are all kinds that a personality can show.
func Kinds(d parse.Dialect) []Kind {
	var list []Kind
	for k := none + 1; k < kinds; k++ {
		if k.possible(d) {
			list = append(list, k)
		}
	}
	return list
}

func (k Kind) possible(d parse.Dialect) bool {
	switch k {
	case TimeoutBefore, TimeoutAfter, Overloaded, CutBefore, CutAfter, Late, StaleRead:
		return true
	case none:
		return false
	default:
		return d == parse.YCQL && k < kinds
	}
}

// fits tells whether k can happen to a request.
func (k Kind) fits(r *shape) bool {
	switch k {
	case Rerun, ConflictCommitted:
		return r.block
	case StaleRead:
		return r.stale
	case HalfBatch:
		return r.partitions > 1
	case Overloaded, CutBefore, CutAfter:
		return true
	default:
		return r.writes
	}
}

// Fault is a rule. The first rule that fits a request and wins its draw decides.
type Fault struct {
	Kind Kind
	// Rate is the share of fitting requests that it happens to, above 0 to 1.
	Rate float64
	// Table limits it to requests that name this table, without keyspace.
	Table string
	// Skip spares so many fitting requests first; Limit is how often it happens at
	// most, 0 for no limit.
	Skip, Limit int
}

func (f Fault) check(d parse.Dialect) error {
	switch {
	case !f.Kind.possible(d):
		return fmt.Errorf("fault %s does not happen to %s", f.Kind, d)
	case !(f.Rate > 0 && f.Rate <= 1):
		return fmt.Errorf("fault %s: Rate %v is not above 0 and at most 1", f.Kind, f.Rate)
	case f.Skip < 0 || f.Limit < 0:
		return fmt.Errorf("fault %s: Skip and Limit must not be negative", f.Kind)
	}
	return nil
}

// answer is the error that the client gets.
func (e *Engine) answer(k Kind, r *shape) error {
	switch k {
	case ConflictAborted:
		return wire.Errorf(wire.CodeServerError,
			"Operation failed. Try again: %s Conflicts with higher priority transaction: %s (transaction error 3)", e.uuid(), e.uuid())
	case ConflictCommitted:
		return wire.Errorf(wire.CodeServerError, "Operation expired: Transaction expired: %s (transaction error 1)", e.uuid())
	case TimeoutBefore, TimeoutAfter, HalfBatch:
		if e.dialect == parse.Cassandra {
			return &wire.Error{
				Code: wire.CodeWriteTimeout, Message: "Operation timed out - received only 0 responses.",
				Consistency: r.consistency, Received: 0, Required: 1, WriteType: r.writeType(),
			}
		}
		return e.execution("Write(tablet: %s, num_ops: 1, num_attempts: 4, txn: %s) passed its deadline", e.id(), e.uuid())
	case LeaseBefore, LeaseAfter:
		return e.execution("Write(tablet: %s, num_ops: 1, num_attempts: 4, txn: %s): Leader does not have a valid lease", e.id(), e.uuid())
	case DuplicateRequest:
		return e.execution("Duplicate request")
	case Overloaded:
		if e.dialect == parse.Cassandra {
			return wire.Errorf(wire.CodeOverloaded, "Server is in overloaded state. Cannot accept more requests at this point")
		}
		return wire.Errorf(wire.CodeOverloaded, "Unable to allocate CQL processor, already allocated 1000 of 1000")
	default:
		return wire.Errorf(wire.CodeServerError, "fault %s has no answer", k)
	}
}

// execution is YCQL's execution error without location: ql error -300, sent as
// 0x2200 (ycql.md 4.2).
func (e *Engine) execution(format string, args ...any) error {
	return wire.Errorf(wire.CodeInvalid, "Execution Error: %s (ql error -300)", fmt.Sprintf(format, args...))
}
