package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// work is one entry of a copy's work list: a part, and how far it got.
type work struct {
	Version int            `json:"version"`
	Part    string         `json:"part"`
	Done    bool           `json:"done,omitempty"`
	Cursor  records.Cursor `json:"cursor,omitempty"`
	Rows    int64          `json:"rows"`
	Bytes   int64          `json:"bytes"`
	Garbage int64          `json:"garbage,omitempty"`
	Error   string         `json:"error,omitempty"` // of the last attempt

	part records.Part
}

func newWork(p records.Part) *work { return &work{Version: RunVersion, Part: p.String(), part: p} }

func decodeWork(text string) (*work, error) {
	w := &work{}
	if err := json.Unmarshal([]byte(text), w); err != nil {
		return nil, err
	}
	if w.Version < 1 || w.Version > RunVersion {
		return nil, fmt.Errorf("has version %d, this program reads 1 to %d: use the release that began the run", w.Version, RunVersion)
	}
	var err error
	w.part, err = records.ParsePart(w.Part)
	return w, err
}

func (w *work) item() string { return itemPart + w.Part }

func (t *table) saveWork(ctx context.Context, w *work) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return t.put(ctx, w.item(), string(text))
}

// phases are the order in which stages are copied: histories, which never change,
// first; last what changes most.
var phases = [][]records.Stage{
	{records.HistoryStage},
	{
		records.DLQStage, records.MessageStage, records.MessageV2Stage, records.UserDataStage, records.NexusStage,
		records.QueueStage, records.FairQueueStage,
	},
	{records.ExecutionStage, records.ShardStage},
	{records.NamespaceStage, records.ClusterStage},
}

// spans is into how many parts each table is divided that is read by ranges of
// the partition hash.
func spans(shards int32) int { return int(min(max(8, shards/2), 256)) }

// shuffled returns the parts of a phase that are left to do, in random order: in
// the order of their tokens they would load one node after the other.
func shuffled(all map[string]*work, phase []records.Stage) []*work {
	var left []*work
	for _, w := range all {
		if !w.Done && slices.Contains(phase, w.part.Stage) {
			left = append(left, w)
		}
	}
	rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] }) //nolint:gosec // the order is no secret
	return left
}
