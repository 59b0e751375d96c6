// Package harness runs whole Temporal servers as child processes, this
// repository's and the stock one, in the same way: one process or one role a
// process, any visibility store, any dynamic configuration, killed and started
// again. End-to-end tests and benchmarks are written against a [Server] and say
// with a [Launcher] which program it is.
//
// Everything listens on loopback addresses.
package harness
