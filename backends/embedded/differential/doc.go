// Package differential holds the random test that compares the embedded engine
// with a real Apache Cassandra: a generator of schemas, writes and paged reads
// sends the same statements to both and compares every answer, rows and
// metadata byte for byte. A case that differs is shrunk to the statements that
// matter and printed with its seed.
//
// An ordinary run takes the same cases each time, so that it tells of the code and
// not of luck; -random takes others. Further flags: -statements for the length,
// -seed to begin with one case, -workers for how many run side by side, -limit for
// the time, -results for a file with what was compared.
//
// Another test gives the engine bugs, one at a time, and compares it with itself
// without them: each has to be found. It needs no Cassandra.
//
// What the generator leaves out, because Cassandra contradicts itself there, is
// said where it does so (generator.whole, generator.read).
package differential
