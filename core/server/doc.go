// Package server runs Temporal's server in an outer fx application: it chooses
// the database, checks that its schema fits before anything else touches it,
// hands Temporal a factory for its stores, and starts and stops the whole.
//
// The graph of temporal.NewServer is its own (an fx application per role); what
// crosses over are server options. All I/O happens in lifecycle hooks, because
// NewServer connects, writes cluster metadata and binds ports, and because a
// listener that it bound stays bound when it fails.
package server
