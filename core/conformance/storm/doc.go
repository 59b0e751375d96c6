// Package storm holds the stores to what they say while their database is in
// trouble: random calls on the embedded engine with its faults switched on, each
// write judged by the interpreter of package memory. Its tests are all of it.
package storm
