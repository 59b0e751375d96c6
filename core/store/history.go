package store

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Event histories: a tree for each workflow execution, branches for its lines,
// nodes for batches of events. The row of a branch in the tree is how the
// scavenger finds its nodes, so it is written before them and deleted after
// them: a crash in between leaves something that can be found.

// AppendHistoryNodes stores one node, and the row of its branch if that is new.
// Nodes never change, so a failed append may be made again; all that is not
// certain is a *persistence.AppendHistoryTimeoutError.
func (s *ExecutionStore) AppendHistoryNodes(ctx context.Context, request *p.InternalAppendHistoryNodesRequest) error {
	const op = "AppendHistoryNodes"
	branch, err := parseBranch(request.BranchInfo.GetTreeId(), request.BranchInfo.GetBranchId())
	if err != nil {
		return invalid(op, err)
	}
	w := &plan.Write{Name: op, Scope: plan.Ordered, Mutations: make([]plan.Mutation, 0, 2)}
	if request.IsNewBranch {
		w.Mutations = append(w.Mutations, branch.insert(request.TreeInfo))
	}
	w.Mutations = append(w.Mutations, branch.append(&request.Node))
	return outward(s.ex.Write(ctx, w), appending, nil)
}

// addEvents adds history nodes to a write of executions, ahead of its atomic
// part. Appends to one branch that begins in this write stay in order behind the
// row of the branch; all others may be stored side by side.
func addEvents(w *plan.Write, lists ...[]*p.InternalAppendHistoryNodesRequest) error {
	type begun struct {
		branch branchKey
		group  int
	}
	var (
		fresh []begun
		last  = taskGroup
	)
	for _, list := range lists {
		for _, request := range list {
			branch, err := parseBranch(request.BranchInfo.GetTreeId(), request.BranchInfo.GetBranchId())
			if err != nil {
				return invalid(w.Name, err)
			}
			group := 0
			for _, b := range fresh {
				if b.branch == branch {
					group = b.group
				}
			}
			if group == 0 {
				last++
				group = last
			}
			if request.IsNewBranch {
				fresh = append(fresh, begun{branch, group})
				row := branch.insert(request.TreeInfo)
				row.Ahead, row.Group = true, group
				w.Mutations = append(w.Mutations, row)
			}
			node := branch.append(&request.Node)
			node.Ahead, node.Group = true, group
			w.Mutations = append(w.Mutations, node)
		}
	}
	return nil
}

// ForkHistoryBranch stores the row of a new branch, whose first nodes are those
// of the branch that it comes from.
func (s *ExecutionStore) ForkHistoryBranch(ctx context.Context, request *p.InternalForkHistoryBranchRequest) error {
	const op = "ForkHistoryBranch"
	branch, err := parseBranch(request.ForkBranchInfo.GetTreeId(), request.NewBranchID)
	if err != nil {
		return invalid(op, err)
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic, Mutations: []plan.Mutation{branch.insert(request.TreeInfo)},
	})
	return writeError(err, nil)
}

// DeleteHistoryBranch deletes ranges of nodes, of the branch and of ancestors
// that nobody else needs, and then the row of the branch. Deleting again what is
// gone is no error.
func (s *ExecutionStore) DeleteHistoryBranch(ctx context.Context, request *p.InternalDeleteHistoryBranchRequest) error {
	const op = "DeleteHistoryBranch"
	tree, err := parseBranch(request.BranchInfo.GetTreeId(), request.BranchInfo.GetBranchId())
	if err != nil {
		return invalid(op, err)
	}
	w := &plan.Write{Name: op, Scope: plan.Ordered, Mutations: make([]plan.Mutation, 0, 1+len(request.BranchRanges))}
	for _, r := range request.BranchRanges {
		branch, err := parseUUID("branch ID", r.BranchId)
		if err != nil {
			return invalid(op, err)
		}
		w.Mutations = append(w.Mutations, plan.Mutation{
			Table: plan.HistoryNodes, Op: plan.DeleteRange, Key: []any{tree.tree, branch},
			From: plan.Bound{Compare: plan.GreaterOrEqual, Values: []any{r.BeginNodeId}},
		})
	}
	w.Mutations = append(w.Mutations, plan.Mutation{Table: plan.HistoryTree, Op: plan.Delete, Key: tree.row()})
	return writeError(s.ex.Write(ctx, w), nil)
}

// DeleteHistoryNodes deletes one node of the branch itself; a node of an
// ancestor is a *persistence.InvalidPersistenceRequestError.
func (s *ExecutionStore) DeleteHistoryNodes(ctx context.Context, request *p.InternalDeleteHistoryNodesRequest) error {
	const op = "DeleteHistoryNodes"
	branch, err := parseBranch(request.BranchInfo.GetTreeId(), request.BranchInfo.GetBranchId())
	if err != nil {
		return invalid(op, err)
	}
	if begin := p.GetBeginNodeID(request.BranchInfo); request.NodeID < begin {
		return invalid(op, fmt.Errorf("node %d belongs to an ancestor, the branch begins at %d", request.NodeID, begin))
	}
	err = s.ex.Write(ctx, &plan.Write{
		Name: op, Scope: plan.Atomic,
		Mutations: []plan.Mutation{{
			Table: plan.HistoryNodes, Op: plan.Delete, Key: branch.node(request.NodeID, request.TransactionID),
		}},
	})
	return writeError(err, nil)
}

// branchKey names a branch of a tree.
type branchKey struct{ tree, branch [16]byte }

func parseBranch(treeID, branchID string) (branchKey, error) {
	var (
		k   branchKey
		err error
	)
	if k.tree, err = parseUUID("tree ID", treeID); err != nil {
		return branchKey{}, err
	}
	if k.branch, err = parseUUID("branch ID", branchID); err != nil {
		return branchKey{}, err
	}
	return k, nil
}

func (k branchKey) row() []any { return []any{k.tree, k.branch} }

func (k branchKey) node(node, txn int64) []any { return []any{k.tree, k.branch, node, txn} }

func (k branchKey) insert(info *commonpb.DataBlob) plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryTree, Op: plan.Insert, Key: k.row(),
		Effects: []plan.Effect{{Op: plan.Set, Column: plan.BranchInfo, Value: toBlob(info)}},
	}
}

func (k branchKey) append(n *p.InternalHistoryNode) plan.Mutation {
	return plan.Mutation{
		Table: plan.HistoryNodes, Op: plan.Insert, Key: k.node(n.NodeID, n.TransactionID),
		Effects: []plan.Effect{
			{Op: plan.Set, Column: plan.NodePrevTxnID, Value: n.PrevTransactionID},
			{Op: plan.Set, Column: plan.NodeEvents, Value: toBlob(n.Events)},
		},
	}
}
