// Package owners holds the numbered writes of shards (package sequence) to their
// promise on the embedded engine, over its protocol and the driver for
// YugabyteDB: owners that are stopped before and after each of their requests
// while others take their shards, and everything else that goes wrong in a
// cluster, drawn by chance.
package owners
