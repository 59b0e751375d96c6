package records_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	persistencespb "go.temporal.io/server/api/persistence/v1"
	"google.golang.org/protobuf/proto"

	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// histories are many trees: some without a row, some without nodes, one with very
// many nodes and one with very many branches.
func histories(seed uint64, trees int) (all []records.Record) {
	r := rand.New(rand.NewPCG(seed, 2))
	uuid := func() (u [16]byte) {
		for i := range u {
			u[i] = byte(r.Uint32())
		}
		u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
		return u
	}
	add := func(branches, nodes int) {
		tree, unit := uuid(), records.Unowned
		if branches == 0 {
			unit = records.Treeless
		}
		for range branches {
			all = append(all, records.Record{
				Kind: records.Branch, Unit: unit, Key: []any{tree, uuid()}, Values: []any{blob("no branch")},
			})
		}
		branch := uuid()
		for n := range int64(nodes) {
			all = append(all, records.Record{
				Kind: records.Node, Unit: unit, Key: []any{tree, branch, n + 1, r.Int64()}, Values: []any{n, blob("events")},
			})
		}
	}
	for range trees {
		add(r.IntN(3), r.IntN(6))
	}
	add(1, trees)
	add(trees/2, 3)
	return all
}

// Whatever the size of pages and of windows, every branch and node is read once,
// and a source that begins anew after every page goes on where the last one was.
func TestHistoriesAreReadOnce(t *testing.T) {
	seed := seed(t)
	for _, s := range []*store{inMemory(t), engine(t, "cassandra"), engine(t, "ycql")} {
		t.Run(s.name, func(t *testing.T) {
			trees := 1500
			if s.name == "memory" { // it walks over all rows for each page
				trees = 300
			}
			made := histories(seed, trees)
			s.put(t, 1, made)
			want := make(map[string]records.Unit)
			for i := range made {
				want[made[i].KeyString()] = made[i].Unit
			}
			for _, o := range []records.Options{{PageRows: 1000}, {PageRows: 300, Concurrency: 1}, {PageRows: 150, PageBytes: 20_000, Concurrency: 3}} {
				o.Shards = 1
				got := make(map[string]bool)
				for _, part := range s.source(t, o).Parts(2) {
					if part.Stage != records.HistoryStage {
						continue
					}
					var at records.Cursor
					for {
						page, err := s.source(t, o).Page(t.Context(), part, at)
						if err != nil {
							t.Fatal(err)
						}
						for i := range page.Records {
							r := &page.Records[i]
							if got[r.KeyString()] {
								t.Fatalf("%+v: %s comes twice", o, r.KeyString())
							}
							got[r.KeyString()] = true
							if unit := want[r.KeyString()]; unit != r.Unit {
								t.Errorf("%+v: %s is of %s, want %s", o, r.KeyString(), r.Unit, unit)
							}
						}
						if at = page.Next; at == nil {
							break
						}
					}
				}
				missing := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), func(name string) bool { return got[name] })
				if len(missing) > 0 || len(got) != len(want) {
					t.Errorf("%+v: %d records, want %d; missing are %q", o, len(got), len(want), missing[:min(len(missing), 12)])
				}
			}
		})
	}
}

// A tree whose branches name workflows of several shards is of one unit, whatever
// order a server keeps branches in.
func TestBranchesThatDisagree(t *testing.T) {
	const shards = 8
	branch := func(b byte, workflow string) records.Record {
		info := &persistencespb.HistoryTreeInfo{Info: plan.FormatValue(id(1)) + ":" + workflow + ":" + plan.FormatValue(id(2))}
		data, err := proto.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		return records.Record{
			Kind: records.Branch, Key: []any{id(3), id(b)}, Values: []any{plan.Blob{Data: data, Encoding: "Proto3"}},
		}
	}
	var workflows [2]string // of the shards 2 and 7
	for i := 0; workflows[0] == "" || workflows[1] == ""; i++ {
		name := fmt.Sprint("w", i)
		switch records.ShardOf(id(1), name, shards) {
		case 2:
			workflows[0] = name
		case 7:
			workflows[1] = name
		}
	}
	for _, order := range [][2]int{{0, 1}, {1, 0}} {
		s := inMemory(t)
		s.put(t, shards, []records.Record{branch(4, workflows[order[0]]), branch(5, workflows[order[1]])})
		all, _ := s.read(t, records.Options{Shards: shards})
		for i := range all {
			if r := &all[i]; r.Kind == records.Branch && r.Unit != records.ShardUnit(2) {
				t.Errorf("%s is of %s", r.KeyString(), r.Unit)
			}
		}
	}
}
