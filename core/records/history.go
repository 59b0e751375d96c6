package records

import (
	"context"
	"strings"

	"github.com/dgryski/go-farm"
	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// openTree reads the branches of a tree and tells the shard to which the tree
// belongs: every branch names the run that made it, and a tree never crosses
// shards. The run may be gone while another still uses its branch.
func (s *Source) openTree(ctx context.Context, key []any) (opened, error) {
	res := opened{unit: Unowned}
	alive := !s.o.SkipGarbage
	sc := &scan{read: readBranches}
	var token []byte
	for {
		all, next, err := s.readPage(ctx, sc, key, token, s.o.PageRows)
		if err != nil {
			return opened{}, err
		}
		for i := range all {
			run, ok := s.ownerOf(&all[i])
			if !ok {
				alive = true // nobody can tell that it is garbage
				continue
			}
			if res.unit == Unowned {
				shard, _ := run[0].(int64)
				res.unit = ShardUnit(shard)
			}
			if !alive {
				if alive, err = s.exists(ctx, run); err != nil {
					return opened{}, err
				}
			}
		}
		res.records = append(res.records, all...)
		if token = next; token == nil {
			break
		}
	}
	if !alive {
		return opened{garbage: true}, nil
	}
	for i := range res.records {
		res.records[i].Unit = res.unit
	}
	return res, nil
}

// ownerOf is the key of the execution that a branch was made for.
func (s *Source) ownerOf(branch *Record) (key []any, ok bool) {
	var info persistencespb.HistoryTreeInfo
	if decodeProto(branch.Blob(plan.BranchInfo), &info) != nil {
		return nil, false
	}
	// namespace id:workflow id:run id, where a workflow id may hold colons
	// (persistence.SplitHistoryGarbageCleanupInfo).
	text := info.GetInfo()
	first, last := strings.IndexByte(text, ':'), strings.LastIndexByte(text, ':')
	if first < 0 || first == last {
		return nil, false
	}
	namespace, err := parseUUID(text[:first])
	if err != nil {
		return nil, false
	}
	run, err := parseUUID(text[last+1:])
	if err != nil {
		return nil, false
	}
	workflow := text[first+1 : last]
	return []any{ShardOf(namespace, workflow, s.o.Shards), namespace, workflow, run}, true
}

// ShardOf is the shard of a workflow id, 1 to shards, as the server computes it
// (common.WorkflowIDToHistoryShard).
func ShardOf(namespace [16]byte, workflow string, shards int32) int64 {
	return int64(farm.Fingerprint32([]byte(formatUUID(namespace)+"_"+workflow))%uint32(shards)) + 1
}
