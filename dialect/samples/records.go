package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

// recordSamples are reads of tools that walk over whole tables (package
// core/records). The ends of a span are within those of the dialect's hashes.
func recordSamples() []Sample {
	return []Sample{
		read("records-partitions", "record stream: queues between two hashes", plan.Read{
			Name: "Records/tasks/partitions", Table: plan.Tasks, Span: true, Distinct: true,
			Columns: columns(plan.QueueNamespaceID, plan.QueueName, plan.QueueTaskType),
		}, int64(0), int64(65535)),
		read("records-span", "record stream: namespace IDs between two hashes", plan.Read{
			Name: "Records/namespace_ids/span", Table: plan.NamespaceIDs, Span: true,
			Columns: columns(plan.NamespaceIDKey, plan.NamespaceIDName),
		}, int64(0), int64(65535)),
		read("records-branches", "record stream: branches of the trees between two hashes", plan.Read{
			Name: "Records/history_tree/span", Table: plan.HistoryTree, Span: true,
			Columns: columns(plan.TreeID, plan.BranchID, plan.BranchInfo),
		}, int64(0), int64(65535)),
		read("records-nodes", "record stream: nodes of the trees between two hashes", plan.Read{
			Name: "Records/history_node/span", Table: plan.HistoryNodes, Span: true,
			Columns: columns(plan.TreeID, plan.BranchID, plan.NodeID, plan.NodeTxnID, plan.NodePrevTxnID, plan.NodeEvents),
		}, int64(0), int64(65535)),
	}
}
