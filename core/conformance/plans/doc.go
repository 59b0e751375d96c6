// Package plans holds dialects and their servers to what plans mean: it makes
// random plans, runs each on a database and on the interpreter of package
// memory, and compares refusals, their explanations, and what reads return.
//
// The plans are wilder than those of the stores, but keep to what every store
// does: writers of a row set the columns that mark it (see required).
package plans
