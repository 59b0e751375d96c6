// Package storelevel compares two databases by the store calls that history and
// matching services make, without a server around them.
//
// A block plays a sequence of calls that a seed alone determines: workflows that are
// created, updated with drawn numbers of map entries and tasks, read, completed and
// some of them deleted; queues of tasks that are appended to, read and acknowledged;
// history that is read; ranges of history tasks that are read and completed. Calls go
// through Temporal's own managers (persistence.ExecutionManager and the like), so that
// stock stores and ours take the same requests.
//
// Calls are offered in an open loop, at a rate or at a ramp of rates. What must follow
// one another does so as in a server: calls of one workflow and of one task queue are
// made in order, writes of one shard one at a time (service/history/shard,
// ioSemaphore). Waiting for that is part of the response time and not of the service
// time. So whatever the timing, the same sequence leaves the same state, which
// [Level.Agree] compares.
//
// Warming up uses shards, a namespace and history trees of its own, which are left
// out of that comparison.
package storelevel
