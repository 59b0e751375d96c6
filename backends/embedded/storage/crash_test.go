package storage

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/cqltype"
)

// The crash test: writers commit, readers look, and at a random moment the
// machine loses power: a clone of the file system is taken that has all that
// was synced and a part of what was not. What the clone holds is compared with
// what anybody had been told before that moment.
//
// Each writer owns two partitions and writes the same numbered entry to both in
// one transaction, together with a transfer between two accounts. So a commit
// that is there in part shows, a gap shows, and the accounts keep their sum.
const (
	crashWriters  = 16
	crashReaders  = 4
	crashAccounts = 8
	crashStart    = 1000 // balance of an account
	crashMirror   = 100  // partition numbers of the second entries begin here
	crashAccount  = 500  // and those of the accounts here
)

func crashTable(t testing.TB) *Table {
	integer := native(cqltype.Int)
	tab, err := NewTable(Definition{
		ID: 1, Partition: []*cqltype.Type{integer}, Clustering: []Clustering{{Type: integer}},
		Columns: []Column{
			{ID: 1, Type: integer},
			{ID: 2, Type: native(cqltype.Blob)},
			{ID: 3, Type: cqltype.MapOf(integer, integer, false)},
			{ID: 4, Type: integer, Static: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

type crashRound struct {
	t     testing.TB
	tab   *Table
	s     *Store
	seed  uint64
	stop  atomic.Bool
	acked [crashWriters]atomic.Int64 // newest entry that somebody was told of
	parts map[int]Partition
}

func (c *crashRound) partition(p int) Partition { return c.parts[p] }

// entry writes entry n of writer w, and a transfer.
func (c *crashRound) entry(r *rand.Rand, w, n int) error {
	from, to := crashAccount+r.IntN(crashAccounts), crashAccount+r.IntN(crashAccounts)
	a, b, x, y := c.partition(w), c.partition(crashMirror+w), c.partition(from), c.partition(to)
	tx, err := c.s.Begin(TxnOptions{Sequential: true}, a.Latch(), b.Latch(), x.Latch(), y.Latch())
	if err != nil {
		return err
	}
	defer tx.Abort()
	blob := make([]byte, r.IntN(2000))
	for _, p := range []Partition{a, b} {
		if err := tx.Apply(&Write{
			Table: c.tab, Partition: p, Clustering: [][]byte{i32(n)}, Insert: true,
			Ops: []Op{
				{Column: 0, Value: i32(n)},
				{Column: 1, Value: blob},
				{Kind: Replace, Column: 2, Elems: [][]byte{i32(1), i32(n), i32(2), i32(-n)}},
			},
		}); err != nil {
			return err
		}
		if err := tx.Apply(&Write{Table: c.tab, Partition: p, Static: true, Ops: []Op{{Column: 3, Value: i32(n)}}}); err != nil {
			return err
		}
	}
	amount := r.IntN(10)
	for _, move := range []struct {
		p  Partition
		by int
	}{{x, -amount}, {y, amount}} {
		var row Row
		if _, err := tx.View().Get(c.tab, move.p, [][]byte{i32(0)}, nil, &row); err != nil {
			return err
		}
		balance := toInt(row.Cells[0].Value) + move.by
		if err := tx.Apply(&Write{
			Table: c.tab, Partition: move.p, Clustering: [][]byte{i32(0)},
			Ops: []Op{{Column: 0, Value: i32(balance)}},
		}); err != nil {
			return err
		}
	}
	if n%7 == 3 && r.IntN(2) == 0 {
		// A refused transaction leaves nothing; the next try has this number.
		if err := tx.Apply(&Write{Table: c.tab, Partition: a, Clustering: [][]byte{i32(-1)}, Insert: true}); err != nil {
			return err
		}
		if err := tx.Abort().Wait(); err != nil {
			return err
		}
		return c.entry(r, w, n)
	}
	ticket, err := tx.Commit()
	if err != nil {
		return err
	}
	if err := ticket.Wait(); err != nil {
		return err
	}
	raiseTo(&c.acked[w], int64(n))
	return nil
}

func raiseTo(v *atomic.Int64, n int64) {
	old := v.Load()
	for old < n && !v.CompareAndSwap(old, n) {
		old = v.Load()
	}
}

// look reads the newest entry of a writer, as a client would.
func (c *crashRound) look(r *rand.Rand) error {
	w := r.IntN(crashWriters)
	p := c.partition(w)
	v := c.s.Snapshot()
	defer v.Close()
	it := v.Rows(c.tab, p, Slice{}, true, nil)
	n := 0
	if it.Next() {
		n = toInt(it.Row().Clustering[0])
	}
	if err := it.Close(); err != nil {
		return err
	}
	if err := v.Ticket(p).Wait(); err != nil {
		return err
	}
	raiseTo(&c.acked[w], int64(n))
	return nil
}

// check compares a store that was opened after the crash with what was told.
func (c *crashRound) check(s *Store, told [crashWriters]int64) error {
	v := s.Snapshot()
	defer v.Close()
	for w := range crashWriters {
		var newest [2]int
		for i, p := range []Partition{c.partition(w), c.partition(crashMirror + w)} {
			it := v.Rows(c.tab, p, Slice{}, false, nil)
			n := 0
			for it.Next() {
				row := it.Row()
				n++
				if got := toInt(row.Clustering[0]); got != n {
					it.Close()
					return fmt.Errorf("writer %d: entry %d where %d should be", w, got, n)
				}
				if !row.Inserted || toInt(row.Cells[0].Value) != n || row.Cells[1].Value == nil || len(row.Elements[2]) != 2 ||
					toInt(row.Elements[2][0].Value) != n || toInt(row.Elements[2][1].Value) != -n {
					it.Close()
					return fmt.Errorf("writer %d: entry %d is not whole", w, n)
				}
			}
			if err := it.Close(); err != nil {
				return err
			}
			var row Row
			if _, err := v.GetStatic(c.tab, p, nil, &row); err != nil {
				return err
			}
			if n > 0 && toInt(row.Cells[3].Value) != n {
				return fmt.Errorf("writer %d: the static row is not of entry %d", w, n)
			}
			newest[i] = n
		}
		if newest[0] != newest[1] {
			return fmt.Errorf("writer %d: %d entries in one partition, %d in the other", w, newest[0], newest[1])
		}
		if int64(newest[0]) < told[w] {
			return fmt.Errorf("writer %d: %d acknowledged, %d after the crash", w, told[w], newest[0])
		}
	}
	sum := 0
	for a := range crashAccounts {
		var row Row
		ok, err := v.Get(c.tab, c.partition(crashAccount+a), [][]byte{i32(0)}, nil, &row)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("account %d is gone", a)
		}
		sum += toInt(row.Cells[0].Value)
	}
	if sum != crashAccounts*crashStart {
		return fmt.Errorf("the accounts hold %d, not %d", sum, crashAccounts*crashStart)
	}
	return nil
}

// accounts makes the accounts, if they are not there yet. They must be there
// whatever happens, in the negative control too.
func (c *crashRound) accounts() error {
	var row Row
	if ok, err := c.s.Peek().Get(c.tab, c.partition(crashAccount), [][]byte{i32(0)}, nil, &row); ok || err != nil {
		return err
	}
	tx, err := c.s.Begin(TxnOptions{Sequential: true})
	if err != nil {
		return err
	}
	defer tx.Abort()
	for a := range crashAccounts {
		if err := tx.Apply(&Write{
			Table: c.tab, Partition: c.partition(crashAccount + a), Clustering: [][]byte{i32(0)}, Insert: true,
			Ops: []Op{{Column: 0, Value: i32(crashStart)}},
		}); err != nil {
			return err
		}
	}
	if _, err := tx.Commit(); err != nil {
		return err
	}
	return c.s.syncLog()
}

// told is what somebody was told of, and how much it is together.
func (c *crashRound) told() (told [crashWriters]int64, sum int64) {
	for w := range told {
		told[w] = c.acked[w].Load()
		sum += told[w]
	}
	return told, sum
}

// run does one round and returns what was wrong after the crash, which comes when
// life is over and least entries were acknowledged.
func (c *crashRound) run(fs *vfs.MemFS, unsafe bool, kept int, life time.Duration, least int64) error {
	open := func(fs vfs.FS) (*Store, error) {
		return Open(Options{Dir: "data", FS: fs, MemtableBytes: 256 << 10, CacheBytes: 1 << 20, UnsafeAckBeforeSync: unsafe})
	}
	var err error
	if c.s, err = open(fs); err != nil {
		c.t.Fatal(err)
	}
	if err := c.accounts(); err != nil {
		c.t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(c.seed, uint64(w)))
			for n := 1; !c.stop.Load(); n++ {
				if err := c.entry(r, w, n); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	for i := range crashReaders {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(c.seed, uint64(100+i)))
			for !c.stop.Load() {
				if err := c.look(r); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	<-time.After(life)
	told, sum := c.told()
	for ; sum < least && !c.t.Failed(); told, sum = c.told() {
		time.Sleep(time.Millisecond)
	}
	clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rand.New(rand.NewPCG(c.seed, 99))})
	c.stop.Store(true)
	wg.Wait()
	if err := c.s.Close(); err != nil {
		c.t.Fatal(err)
	}
	s, err := open(clone)
	if err != nil {
		return err
	}
	defer s.Close()
	return c.check(s, told)
}

func newCrashRound(t testing.TB, seed uint64) *crashRound {
	c := &crashRound{t: t, tab: crashTable(t), seed: seed, parts: map[int]Partition{}}
	for _, first := range []int{0, crashMirror, crashAccount} {
		for i := range max(crashWriters, crashAccounts) {
			p, err := c.tab.PartitionOf([][]byte{i32(first + i)})
			if err != nil {
				t.Fatal(err)
			}
			c.parts[first+i] = p
		}
	}
	return c
}

func TestNothingAcknowledgedIsLostInACrash(t *testing.T) {
	r, _ := testRand(t)
	rounds := 120
	if testing.Short() {
		rounds = 12
	}
	for i := range rounds {
		c := newCrashRound(t, r.Uint64())
		kept := []int{0, 30, 70, 100}[i%4]
		life := time.Duration(1+r.IntN(60)) * time.Millisecond
		// Any moment will do, that before the first entry too.
		if err := c.run(vfs.NewCrashableMem(), false, kept, life, 0); err != nil {
			t.Fatalf("round %d, seed %d, %d %% of the unsynced data kept: %v", i, c.seed, kept, err)
		}
	}
}

// TestCrashTestNoticesLoss is the negative control: a store that answers before
// the sync must be caught.
func TestCrashTestNoticesLoss(t *testing.T) {
	r, _ := testRand(t)
	for range 20 {
		c := newCrashRound(t, r.Uint64())
		// Where nothing was acknowledged, nothing is lost: on a slow machine it takes longer.
		if err := c.run(vfs.NewCrashableMem(), true, 0, 40*time.Millisecond, 1); err != nil {
			t.Logf("caught: %v", err)
			return
		}
	}
	t.Fatal("20 crashes of a store that acknowledges before it syncs lost nothing: the crash test is blind")
}
