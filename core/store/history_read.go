package store

import (
	"context"
	"fmt"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// directions is a read from low to high keys, and from high to low.
type directions struct{ up, down *plan.Read }

// readNodes reads the nodes of a branch from a node ID up to another, excluded.
// Upwards the node that counts, the one with the highest transaction ID, is the
// first of its node ID; downwards it is the last.
func readNodes(name string, columns ...*plan.Column) directions {
	up := plan.Read{
		Name: name, Table: plan.HistoryNodes, Eq: 2,
		From:    plan.RangeEnd{Compare: plan.GreaterOrEqual, Width: 1},
		To:      plan.RangeEnd{Compare: plan.Less, Width: 1},
		Columns: columns,
	}
	down := up
	down.Name += "/reverse"
	down.Desc = true
	return directions{&up, &down}
}

var (
	readBranch         = readNodes("ReadHistoryBranch", plan.NodeID, plan.NodeTxnID, plan.NodePrevTxnID, plan.NodeEvents)
	readBranchMetadata = readNodes("ReadHistoryBranch/metadata", plan.NodeID, plan.NodeTxnID, plan.NodePrevTxnID)

	readTree = &plan.Read{
		Name: "GetHistoryTreeContainingBranch", Table: plan.HistoryTree, Eq: 1,
		Columns: []*plan.Column{plan.BranchID, plan.BranchInfo},
	}
	scanTrees = &plan.Read{
		Name: "GetAllHistoryTreeBranches", Table: plan.HistoryTree,
		Columns: []*plan.Column{plan.TreeID, plan.BranchID, plan.BranchInfo},
	}
)

// ReadHistoryBranch returns a page of the nodes of one branch, without those of
// its ancestors. With MetadataOnly their events are left out.
func (s *ExecutionStore) ReadHistoryBranch(
	ctx context.Context, request *p.InternalReadHistoryBranchRequest,
) (*p.InternalReadHistoryBranchResponse, error) {
	const op = "ReadHistoryBranch"
	info, err := s.branches.ParseHistoryBranchInfo(request.BranchToken)
	if err != nil {
		return nil, err
	}
	branch, err := parseBranch(info.GetTreeId(), request.BranchID)
	if err != nil {
		return nil, invalid(op, err)
	}
	reads := readBranch
	if request.MetadataOnly {
		reads = readBranchMetadata
	}
	read := reads.up
	if request.ReverseOrder {
		read = reads.down
	}
	rows, err := s.ex.Read(ctx, read, plan.Page{Size: request.PageSize, Token: request.NextPageToken},
		branch.tree, branch.branch, request.MinNodeID, request.MaxNodeID)
	if err != nil {
		return nil, readError(err)
	}
	response := &p.InternalReadHistoryBranchResponse{}
	var bad error
	for rows.Next() {
		node := p.InternalHistoryNode{
			NodeID: rows.Int(0), TransactionID: rows.Int(1), PrevTransactionID: rows.Int(2),
			Events: fromBlob(plan.Blob{}),
		}
		if !request.MetadataOnly {
			if rows.Null(3) {
				id := fmt.Sprintf("tree %s, branch %s, node %d, transaction %d",
					info.GetTreeId(), request.BranchID, node.NodeID, node.TransactionID)
				bad = malformed(op, id, "has no events")
				break
			}
			node.Events = fromBlob(rows.Blob(3))
		}
		response.Nodes = append(response.Nodes, node)
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	if bad != nil {
		return nil, bad
	}
	return response, nil
}

// GetHistoryTreeContainingBranch returns what is known of all branches of a
// tree. A branch that was overlooked would let its nodes be deleted with
// another, so the pages are read to the end or not at all.
func (s *ExecutionStore) GetHistoryTreeContainingBranch(
	ctx context.Context, request *p.InternalGetHistoryTreeContainingBranchRequest,
) (*p.InternalGetHistoryTreeContainingBranchResponse, error) {
	const op = "GetHistoryTreeContainingBranch"
	info, err := s.branches.ParseHistoryBranchInfo(request.BranchToken)
	if err != nil {
		return nil, err
	}
	tree, err := parseUUID("tree ID", info.GetTreeId())
	if err != nil {
		return nil, invalid(op, err)
	}
	response := &p.InternalGetHistoryTreeContainingBranchResponse{}
	for token := []byte(nil); ; {
		rows, err := s.ex.Read(ctx, readTree, plan.Page{Size: treePage, Token: token}, tree)
		if err != nil {
			return nil, readError(err)
		}
		var bad error
		for rows.Next() {
			if rows.Null(1) {
				bad = malformed(op, "tree "+info.GetTreeId()+", branch "+formatUUID(rows.UUID(0)), "has no info")
				break
			}
			response.TreeInfos = append(response.TreeInfos, fromBlob(rows.Blob(1)))
		}
		token = rows.Token()
		if err := rows.Close(); err != nil {
			return nil, readError(err)
		}
		if bad != nil {
			return nil, bad
		}
		if len(token) == 0 {
			return response, nil
		}
	}
}

// treePage is how many branches are asked for at once: nearly every tree has one.
const treePage = 100

// GetAllHistoryTreeBranches returns a page of the branches of all trees, in no
// particular order. Branches that come or go meanwhile may be missed or repeated.
func (s *ExecutionStore) GetAllHistoryTreeBranches(
	ctx context.Context, request *p.GetAllHistoryTreeBranchesRequest,
) (*p.InternalGetAllHistoryTreeBranchesResponse, error) {
	const op = "GetAllHistoryTreeBranches"
	rows, err := s.ex.Read(ctx, scanTrees, plan.Page{Size: request.PageSize, Token: request.NextPageToken})
	if err != nil {
		return nil, readError(err)
	}
	response := &p.InternalGetAllHistoryTreeBranchesResponse{}
	var bad error
	for rows.Next() {
		tree, branch, info := formatUUID(rows.UUID(0)), formatUUID(rows.UUID(1)), rows.Blob(2)
		if rows.Null(2) {
			bad = malformed(op, "tree "+tree+", branch "+branch, "has no info")
			break
		}
		response.Branches = append(response.Branches, p.InternalHistoryBranchDetail{
			TreeID: tree, BranchID: branch, Data: info.Data, Encoding: info.Encoding,
		})
	}
	response.NextPageToken = rows.Token()
	if err := rows.Close(); err != nil {
		return nil, readError(err)
	}
	if bad != nil {
		return nil, bad
	}
	return response, nil
}
