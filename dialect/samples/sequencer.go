package samples

import "github.com/temporal-ycql/temporal-ycql/core/plan"

// sequencerSamples are what the sequencer of a shard's writes does by itself.
func sequencerSamples() []Sample {
	nonce := id(0x99)
	lease := func(conds []plan.Cond, effects ...plan.Effect) plan.Mutation {
		return plan.Mutation{
			Table: plan.NumberedShards, Op: plan.Update, Key: []any{shard}, Conds: conds, Effects: effects,
			Show: plan.LeaseColumns(),
		}
	}
	held := []plan.Cond{equal(plan.ShardRangeID, rangeID), equal(plan.ShardWriteSeq, last)}
	task := func(number int64) plan.Mutation {
		return plan.Mutation{
			Table: plan.NumberedTasks, Op: plan.Delete, Ahead: true,
			Key: []any{shard, int64(1), plan.Immediate, int64(100), rangeID, number},
		}
	}
	all := []Sample{
		write("sequencer-barrier", "any owner's write (barrier)", "Barrier", lease(held,
			set(plan.ShardWriteSeq, number), set(plan.ShardEnds, "39:880"), set(plan.ShardBurned, "40:881-881"))),
		write("sequencer-take", "UpdateShard (new range)", "TakeShard", lease(held,
			set(plan.ShardRangeID, rangeID+1), set(plan.ShardWriteSeq, last), set(plan.ShardEnds, "39:880 40:900"),
			set(plan.ShardNonce, nonce), set(plan.ShardInfo, blob("shard")))),
		write("sequencer-fence", "UpdateShard (new range of a shard that is written to)", "FenceShard", lease(held[:1],
			set(plan.ShardRangeID, rangeID+1), set(plan.ShardNonce, nonce), set(plan.ShardInfo, blob("shard")))),
		write("sequencer-end", "UpdateShard (after that, the end of the old range)", "EndRange", lease(
			[]plan.Cond{equal(plan.ShardRangeID, rangeID+1), equal(plan.ShardWriteSeq, last)},
			set(plan.ShardEnds, "39:880 40:900"))),
		write("sequencer-clean", "any owner's write (rows of a write that did not take effect)", "CleanTasks", task(881), task(882)),
		read("sequencer-state", "GetHistoryTasks (not by the owner)", plan.Read{
			Name: "ShardState", Table: plan.NumberedShards, Eq: 1, Columns: plan.LeaseColumns(),
		}, shard),
		read("sequencer-scan", "any owner's write (rows of ranges that have ended)", plan.Read{
			Name: "ScanTasks", Table: plan.NumberedTasks, Eq: 1, Columns: plan.NumberedTasks.Key[1:],
		}, shard),
	}
	for i := range all {
		all[i].Sequenced = true
	}
	return all
}
