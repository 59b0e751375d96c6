package records

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/dgryski/go-farm"
	persistencespb "go.temporal.io/server/api/persistence/v1"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
)

// Histories lie in two tables, branches of trees in one and nodes in the other,
// both placed by the hash of the tree. They are read side by side in windows:
// pieces of the space of hashes that are narrow enough for all their branches to
// be held in memory. The branches tell the units of the nodes that follow, and
// every node is read, whether its tree has a branch or not. Hashes spread evenly,
// so the width that fitted one window fits the next; a window that is too wide is
// read again in pieces.

// window is the trees whose hash lies between First and Last, both included.
type window struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	// Begun tells that the branches have been returned; Token is the server's, of
	// the next page of nodes.
	Begun bool   `json:"begun,omitempty"`
	Token []byte `json:"token,omitempty"`
}

// windows is how far the reading of histories has come.
type windows struct {
	// Next is the first hash that no window has had; Ended: there is none.
	Next  int64 `json:"next"`
	Ended bool  `json:"ended,omitempty"`
	// Density is about how many rows there are for each hash; 0: nobody knows.
	Density float64 `json:"density,omitempty"`
	// Open are the windows that were not read to their end.
	Open []window `json:"open,omitempty"`
}

// fill opens windows of about rows rows up to the hash last, until there are n.
func (w *windows) fill(last int64, n, rows int) {
	width := uint64(math.MaxUint64) // all of it, which may fit
	if hashes := float64(rows) / w.Density; hashes < math.MaxInt64 {
		width = uint64(max(1, hashes)) - 1
	}
	for len(w.Open) < n && !w.Ended {
		next := window{First: w.Next, Last: last}
		if width < uint64(last)-uint64(w.Next) {
			next.Last = int64(uint64(w.Next) + width)
		}
		w.Open = append(w.Open, next)
		w.Next, w.Ended = next.Last+1, next.Last == last
	}
}

// hashes is how many hashes a window has.
func (w *window) hashes() float64 { return float64(uint64(w.Last)-uint64(w.First)) + 1 }

// narrower cuts a window that has too many branches.
func (w window) narrower() []window {
	parts := ranges(HistoryStage, w.First, w.Last, tooWide)
	cut := make([]window, len(parts))
	for i, p := range parts {
		cut[i] = window{First: p.First, Last: p.Last}
	}
	return cut
}

const (
	// tooWide is into how many pieces a window is cut that does not fit.
	tooWide = 32
	// widens bounds by how much windows may be wider than those before.
	widens = 8
)

// histories reads some of each of several windows of a part.
func (r *reading) histories(ctx context.Context, p Part) error {
	w := r.pos.Windows
	if w == nil {
		w = &windows{Next: p.First, Density: r.s.density()}
		r.pos.Windows = w
	}
	size := max(1, min(r.rows, max(16, r.rows/4)))
	// A window that is read by one request of nodes is read best.
	w.fill(p.Last, r.s.o.Concurrency, max(1, size*3/4))
	if len(w.Open) == 0 {
		r.nextStep()
		return nil
	}
	batch := w.Open[:min(len(w.Open), r.s.o.Concurrency)]
	results := make([]windowRead, len(batch))
	var wg sync.WaitGroup
	for i := range batch {
		wg.Go(func() { results[i] = r.s.readWindow(ctx, batch[i], size) })
	}
	wg.Wait()
	var left []window
	var hashes, rows float64
	for i := range results {
		res := &results[i]
		if res.err != nil {
			return res.err
		}
		if res.wide {
			left = append(left, batch[i].narrower()...)
			w.Density = max(w.Density, tooWide*float64(size)/batch[i].hashes())
			continue
		}
		if !batch[i].Begun {
			hashes += batch[i].hashes()
			rows += res.expect
		}
		r.add(res.records)
		r.garbage += res.garbage
		if !res.done {
			left = append(left, res.at)
		}
	}
	w.Open = slices.Concat(left, w.Open[len(batch):])
	if hashes > 0 {
		w.Density = max(rows/hashes, w.Density/widens)
		r.s.rowsPerHash.Store(math.Float64bits(w.Density))
	}
	return nil
}

// density is what parts that were read before let one expect.
func (s *Source) density() float64 { return math.Float64frombits(s.rowsPerHash.Load()) }

// windowRead is what was read of a window.
type windowRead struct {
	records []Record
	garbage int     // trees
	expect  float64 // about how many rows the whole window has
	at      window
	wide    bool // it has too many branches: nothing else was read
	done    bool
	err     error
}

// readWindow reads at most about size rows of a window.
func (s *Source) readWindow(ctx context.Context, w window, size int) (res windowRead) {
	most := math.MaxInt
	if !w.Begun && w.First < w.Last {
		most = max(size, firstRows)
	}
	trees, fits, err := s.readTrees(ctx, w, most)
	if err != nil || !fits {
		res.wide, res.err = err == nil, err
		return res
	}
	rows := 0 // read, those of garbage included
	if !w.Begun {
		for _, t := range trees.all {
			rows += len(t.branches)
			if t.garbage {
				res.garbage++
			} else {
				res.records = append(res.records, t.branches...)
			}
		}
	}
	branches := rows
	res.at, res.at.Begun = w, true
	bytes, seen := 0, 0
	var last [16]byte
	for asked := false; ; asked = true {
		// Branches alone may be enough for a page; after them every call reads
		// some nodes, or it would never end.
		if (asked || !w.Begun) && (rows >= size || bytes > s.o.PageBytes/s.o.Concurrency) {
			break
		}
		nodes, next, err := s.readPage(ctx, &scan{read: spanNodes}, []any{w.First, w.Last}, res.at.Token, size)
		if err != nil {
			res.err = err
			return res
		}
		for i := range nodes {
			rows++
			bytes += nodes[i].Size()
			id, _ := nodes[i].Key[0].([16]byte)
			if id != last || seen == 0 {
				last, seen = id, seen+1
			}
			nodes[i].Unit = Treeless
			if t := trees.byID[id]; t != nil {
				if t.garbage {
					continue
				}
				nodes[i].Unit = t.unit
			}
			res.records = append(res.records, nodes[i])
		}
		if res.at.Token = next; next == nil {
			res.done = true
			break
		}
	}
	// Nodes come tree by tree: of what share of the trees they were read tells how
	// many are left.
	res.expect = float64(branches)
	if n := float64(rows - branches); res.done {
		res.expect += n
	} else {
		res.expect += max(n, float64(size)) * max(2, float64(len(trees.all))/float64(max(1, seen)))
	}
	return res
}

// tree is what the branches of a tree tell.
type tree struct {
	unit     Unit
	branches []Record
	garbage  bool // it is left out
}

// forest is the trees of a window, in the order of the server's.
type forest struct {
	all  []*tree
	byID map[[16]byte]*tree
}

// readTrees reads the branches of a window, and tells the shard to which each
// tree belongs: every branch names the run that made it, and a tree never
// crosses shards. The run may be gone while another still uses its branch. fits
// is false if there are more than most branches.
func (s *Source) readTrees(ctx context.Context, w window, most int) (f forest, fits bool, err error) {
	f.byID = make(map[[16]byte]*tree)
	var token []byte
	for n := 0; ; {
		all, next, err := s.readPage(ctx, &scan{read: spanBranches}, []any{w.First, w.Last}, token, min(most, s.o.PageRows))
		if err != nil {
			return forest{}, false, err
		}
		for i := range all {
			id, _ := all[i].Key[0].([16]byte)
			t := f.byID[id]
			if t == nil {
				t = &tree{unit: Unowned}
				f.byID[id], f.all = t, append(f.all, t)
			}
			t.branches = append(t.branches, all[i])
		}
		n += len(all)
		if token = next; token == nil {
			break
		}
		if n >= most {
			return forest{}, false, nil
		}
	}
	for _, t := range f.all {
		if err := s.judge(ctx, t); err != nil {
			return forest{}, false, err
		}
	}
	return f, true, nil
}

// judge tells the unit of a tree, and whether it is garbage.
func (s *Source) judge(ctx context.Context, t *tree) error {
	alive := !s.o.SkipGarbage
	var least int64
	for i := range t.branches {
		run, ok := s.ownerOf(&t.branches[i])
		if !ok {
			alive = true // nobody can tell that it is garbage
			continue
		}
		// Should branches disagree, the least shard: servers order branches in
		// ways of their own.
		if shard, _ := run[0].(int64); t.unit == Unowned || shard < least {
			least, t.unit = shard, ShardUnit(shard)
		}
		if !alive {
			var err error
			if alive, err = s.exists(ctx, run); err != nil {
				return err
			}
		}
	}
	t.garbage = !alive
	for i := range t.branches {
		t.branches[i].Unit = t.unit
	}
	return nil
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
