// Package differential holds the random test that compares the embedded engine
// with a real Apache Cassandra: a generator of schemas, writes and paged reads
// sends the same statements to both and compares every answer, rows and
// metadata byte for byte. A case that differs is shrunk to the statements that
// matter and printed with its seed.
//
// The test has a short run by default. Flags: -statements for its length, -seed
// to repeat one, -workers for how many cases run side by side.
package differential
