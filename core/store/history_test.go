package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

func testToken(t *testing.T, s *ExecutionStore) []byte {
	t.Helper()
	return split.BranchToken(t, s.GetHistoryBranchUtil(), split.Branches[0])
}

func TestPlansOfHistoryCalls(t *testing.T) {
	tests := []struct {
		name string
		call func(ctx context.Context, s *ExecutionStore) error
	}{
		{"append", func(ctx context.Context, s *ExecutionStore) error {
			return s.AppendHistoryNodes(ctx, split.Append(split.Branches[0], 5, 70, false))
		}},
		{"append-new-branch", func(ctx context.Context, s *ExecutionStore) error {
			return s.AppendHistoryNodes(ctx, split.Append(split.Branches[0], 1, 70, true))
		}},
		{"fork", func(ctx context.Context, s *ExecutionStore) error {
			return s.ForkHistoryBranch(ctx, &p.InternalForkHistoryBranchRequest{
				ForkBranchInfo: &persistencespb.HistoryBranch{TreeId: split.Tree, BranchId: split.Branches[0]},
				NewBranchID:    split.Branches[1], TreeInfo: blob("tree"), ForkNodeID: 5,
			})
		}},
		{"delete-branch", func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteHistoryBranch(ctx, &p.InternalDeleteHistoryBranchRequest{
				BranchInfo: &persistencespb.HistoryBranch{TreeId: split.Tree, BranchId: split.Branches[1]},
				BranchRanges: []p.InternalDeleteHistoryBranchRange{
					{BranchId: split.Branches[1], BeginNodeId: 5}, {BranchId: split.Branches[0], BeginNodeId: 3},
				},
			})
		}},
		{"delete-node", func(ctx context.Context, s *ExecutionStore) error {
			return s.DeleteHistoryNodes(ctx, &p.InternalDeleteHistoryNodesRequest{
				BranchInfo: &persistencespb.HistoryBranch{TreeId: split.Tree, BranchId: split.Branches[0]}, NodeID: 5, TransactionID: 70,
			})
		}},
		{"read", func(ctx context.Context, s *ExecutionStore) error {
			for _, request := range []p.InternalReadHistoryBranchRequest{
				{}, {ReverseOrder: true}, {MetadataOnly: true}, {MetadataOnly: true, ReverseOrder: true},
			} {
				request.BranchToken, request.BranchID = testToken(t, s), split.Branches[0]
				request.MinNodeID, request.MaxNodeID, request.PageSize = 1, 9, 5
				if _, err := s.ReadHistoryBranch(ctx, &request); err != nil {
					return err
				}
			}
			return nil
		}},
		{"read-trees", func(ctx context.Context, s *ExecutionStore) error {
			if _, err := s.GetHistoryTreeContainingBranch(ctx, &p.InternalGetHistoryTreeContainingBranchRequest{BranchToken: testToken(t, s)}); err != nil {
				return err
			}
			_, err := s.GetAllHistoryTreeBranches(ctx, &p.GetAllHistoryTreeBranchesRequest{PageSize: 7})
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(splitNodes)
			s := newExecutions(t, r)
			r.text.Reset()
			require.NoError(t, tt.call(t.Context(), s))
			r.golden(t, "history/"+tt.name)
		})
	}
}

func TestReadHistoryBranchPutsTheNodeThatCountsFirst(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	for _, n := range []struct{ node, txn int64 }{{1, 10}, {3, 11}, {3, 15}, {3, 13}, {6, 12}} {
		require.NoError(t, s.AppendHistoryNodes(t.Context(), split.Append(split.Branches[0], n.node, n.txn, false)))
	}
	tests := []struct {
		name    string
		reverse bool
		meta    bool
		want    [][2]int64
	}{
		{"upwards", false, false, [][2]int64{{1, 10}, {3, 15}, {3, 13}, {3, 11}}},
		{"downwards", true, false, [][2]int64{{3, 11}, {3, 13}, {3, 15}, {1, 10}}},
		{"upwards, metadata only", false, true, [][2]int64{{1, 10}, {3, 15}, {3, 13}, {3, 11}}},
		{"downwards, metadata only", true, true, [][2]int64{{3, 11}, {3, 13}, {3, 15}, {1, 10}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := &p.InternalReadHistoryBranchRequest{
				BranchToken: testToken(t, s), BranchID: split.Branches[0], MinNodeID: 1, MaxNodeID: 6, PageSize: 3,
				ReverseOrder: tt.reverse, MetadataOnly: tt.meta,
			}
			var got [][2]int64
			for {
				response, err := s.ReadHistoryBranch(t.Context(), request)
				require.NoError(t, err)
				for _, n := range response.Nodes {
					got = append(got, [2]int64{n.NodeID, n.TransactionID})
					require.Equal(t, n.TransactionID-1, n.PrevTransactionID)
					require.Equal(t, tt.meta, len(n.Events.GetData()) == 0)
				}
				if request.NextPageToken = response.NextPageToken; len(request.NextPageToken) == 0 {
					break
				}
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestGetHistoryTreeContainingBranchReadsEveryPage(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	const branches = 2*treePage + 1
	for i := range branches {
		id := formatUUID([16]byte{14: byte(i >> 8), 15: byte(i)})
		require.NoError(t, s.AppendHistoryNodes(t.Context(), split.Append(id, 1, 1, true)))
	}
	response, err := s.GetHistoryTreeContainingBranch(t.Context(), &p.InternalGetHistoryTreeContainingBranchRequest{BranchToken: testToken(t, s)})
	require.NoError(t, err)
	require.Len(t, response.TreeInfos, branches)
}

func TestDeleteHistoryNodesLeavesAncestorsAlone(t *testing.T) {
	s := newExecutions(t, newRecorder(splitNodes))
	err := s.DeleteHistoryNodes(t.Context(), &p.InternalDeleteHistoryNodesRequest{
		BranchInfo: &persistencespb.HistoryBranch{
			TreeId: split.Tree, BranchId: split.Branches[1],
			Ancestors: []*persistencespb.HistoryBranchRange{{BranchId: split.Branches[0], BeginNodeId: 1, EndNodeId: 5}},
		}, NodeID: 4, TransactionID: 70,
	})
	requireBare(t, &p.InvalidPersistenceRequestError{}, err)
}

func TestDeleteHistoryBranchTakesTheNodesBeforeTheRowThatFindsThem(t *testing.T) {
	r := newRecorder(splitNodes)
	s := newExecutions(t, r)
	require.NoError(t, s.AppendHistoryNodes(t.Context(), split.Append(split.Branches[0], 1, 1, true)))
	stop := &stopAfter{recorder: r}
	s = newExecutions(t, stop)
	request := &p.InternalDeleteHistoryBranchRequest{
		BranchInfo:   &persistencespb.HistoryBranch{TreeId: split.Tree, BranchId: split.Branches[0]},
		BranchRanges: []p.InternalDeleteHistoryBranchRange{{BranchId: split.Branches[0], BeginNodeId: 1}},
	}
	for stop.steps = 0; stop.steps < 2; stop.steps++ {
		require.NoError(t, s.DeleteHistoryBranch(t.Context(), request))
		if r.State.Len(plan.HistoryNodes) > 0 {
			require.Equal(t, 1, r.State.Len(plan.HistoryTree), "nodes without a branch are lost to the scavenger")
		}
	}
	require.NoError(t, s.DeleteHistoryBranch(t.Context(), request))
	require.Empty(t, r.State.Dump())
}

// stopAfter runs only the first steps of ordered writes, as if the process died.
type stopAfter struct {
	*recorder
	steps int
}

func (s *stopAfter) Write(ctx context.Context, w *plan.Write) error {
	if s.steps >= len(w.Mutations) {
		return s.recorder.Write(ctx, w)
	}
	if s.steps == 0 {
		return nil
	}
	return s.recorder.Write(ctx, &plan.Write{Name: w.Name, Scope: w.Scope, Mutations: w.Mutations[:s.steps]})
}
