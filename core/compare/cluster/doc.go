// Package cluster is the level of a comparison that runs whole servers.
//
// A [Server] is one arm: "temporal-server start" in a child process, with the arm's
// own configuration but at loopback addresses of its own. [Drive] puts a load of
// workflows on it through the SDK, whose worker is in this process, and measures
// what each of them cost. Several scenarios make up the load, and each knows what
// its workflows must answer: one that answers something else, or that was accepted
// and never ends, is an error of the run and no line in its statistics.
package cluster
