// Package wire speaks the server side of the CQL native protocol, versions 3
// and 4 (doc/native_protocol_v4.spec of Apache Cassandra).
//
// Decoding does not copy: strings are made only where the caller keeps them, and
// byte slices of a decoded request alias the frame that it came in. Encoding
// appends to a buffer that the caller owns. Nothing here does I/O except
// [Reader], and nothing is safe for concurrent use by itself.
//
// A malformed message gives an [*Error] with [CodeProtocolError], never a panic,
// and no length that a client sends is trusted before it was compared with the
// bytes that are there.
package wire
