// Package migrate moves a deployment from one keyspace to another, of any two
// backends, while its servers are stopped, and proves that nothing was lost.
//
// The parts know little of each other, so that a form that moves shards one by
// one while servers run can be built on them:
//
//   - what: units and parts of package records; [Side] is an open keyspace;
//   - how records move: copy.go (the first time: all of them), compare.go and
//     reconcile.go (what differs, in either direction), flow.go (limits);
//   - whether they arrived: verify.go, and explain.go for one unit;
//   - who owns them: fence.go and hosts.go, which verbs call in an order that
//     [Run] keeps;
//   - what is known: run.go, the run table in the target; statedir.go, a
//     directory of the machine that the tool runs on.
//
// The run table is the truth: it says which verbs are done and how far a copy
// got. Everything that is written may be cut off anywhere and repeated: records
// are written whole, by their keys, with the values of the source.
//
// From the first write until switch the target's shards and queues are held
// under the run's fence, so no server can own them; from init --fence on the
// source's are, too, and stay so after the switch. At most one side can be
// owned at any time. Both fences are the lease column alone: a statement back
// undoes them.
package migrate
