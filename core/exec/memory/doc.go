// Package memory interprets plans over maps in this process. It is what a plan
// means, written down a second time and without any CQL: stores are tested on
// it without a database, and dialects are compared with it.
//
// It promises what the plan language promises and no more: rows ahead of a
// refused write stay if they are harmless alone (history nodes) and vanish if
// their table is sequenced (tasks); expiry follows the clock that it is given;
// pages go on from a key, so rows may come and go between them.
package memory
