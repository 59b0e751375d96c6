// Package server serves the CQL native protocol to drivers on top of an [Engine].
//
// Each connection has one goroutine that reads and decodes; statements run on a
// pool of goroutines common to all connections; whoever finishes first writes the
// answers of all that finished meanwhile, so that nobody waits for a writer. A
// client that stops reading stops being read from, and is cut off when too much
// waits for it; nobody else notices.
//
// Bounds: connections, requests of a connection at a time, bytes of a request, of
// all requests, of answers not yet read by one and by all clients, of prepared
// statements. See [Options].
package server
