// Package store implements Temporal's persistence stores, once for all
// databases. A store call builds a plan.Write or runs a plan.Read on an
// exec.Executor; how that becomes CQL, and in how many rounds, is the business
// of the dialect below. No store knows which dialect it is.
//
// What every store here keeps to:
//
//   - Errors are Temporal's own types, unwrapped and filled: all of those that
//     come from plans pass through one function (outward).
//   - A write that may have taken effect is never reported as if it had not.
//   - Requests are never changed, snapshots least of all: the caller reuses them
//     after a conflict.
//   - A malformed row is an error that names its key.
package store
