package storage

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

var killsFlag = flag.Int("kills", 10, "rounds of the kill test")

// childDir in the environment makes this test binary the child of the kill
// test: it writes to the store in that directory until it is killed.
const (
	childDir  = "STORAGE_KILL_DIR"
	childSeed = "STORAGE_KILL_SEED"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		seed, err := strconv.ParseUint(os.Getenv(childSeed), 10, 64)
		if err == nil {
			err = writeUntilKilled(dir, seed)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled goes on with the entries of the crash test where they end,
// and says on standard output what is acknowledged.
func writeUntilKilled(dir string, seed uint64) error {
	s, err := Open(Options{Dir: dir, MemtableBytes: 256 << 10})
	if err != nil {
		return err
	}
	t := &testing.B{} // only carries errors, none of which are used below
	c := newCrashRound(t, seed)
	c.s = s
	if err := c.accounts(); err != nil {
		return err
	}
	fmt.Println("ready")
	errs := make(chan error)
	for w := range crashWriters {
		go func() {
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			first, err := c.newest(s, w)
			for n := first + 1; err == nil; n++ {
				if err = c.entry(r, w, n); err == nil {
					_, err = fmt.Printf("%d %d\n", w, n)
				}
			}
			errs <- err
		}()
	}
	return <-errs
}

// newest returns the number of a writer's last entry.
func (c *crashRound) newest(s *Store, w int) (int, error) {
	it := s.Peek().Rows(c.tab, c.partition(w), Slice{}, true, nil)
	n := 0
	if it.Next() {
		n = toInt(it.Row().Clustering[0])
	}
	return n, it.Close()
}

func TestNothingAcknowledgedIsLostByKill(t *testing.T) {
	r, _ := testRand(t)
	rounds := *killsFlag
	if testing.Short() {
		rounds = min(rounds, 2)
	}
	dir := t.TempDir()
	var told [crashWriters]int64
	total, round := 0, 0
	// Where the machine is slow, children are killed before they were told of anything.
	// Then there are more of them, which live until they were.
	for ; round < rounds || total < rounds; round++ {
		seed := r.Uint64()
		told = killOne(t, dir, seed, told, time.Duration(r.IntN(150))*time.Millisecond, round >= rounds)
		s, err := Open(Options{Dir: dir, MemtableBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		c := newCrashRound(t, seed)
		if err := c.check(s, told); err != nil {
			t.Fatalf("round %d, seed %d: %v", round, seed, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		total = 0
		for _, n := range told {
			total += int(n)
		}
	}
	t.Logf("%d acknowledged commits survived %d kills", total, round)
}

// killOne runs a child and kills it after a life that begins at once, or with the first
// commit that it was told of. It returns what all children had acknowledged.
func killOne(t *testing.T, dir string, seed uint64, told [crashWriters]int64, life time.Duration, first bool) [crashWriters]int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childSeed+"="+strconv.FormatUint(seed, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() { once.Do(func() { _ = cmd.Process.Kill() }) }
	defer kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the child said %q", lines.Text())
	}
	if !first {
		time.AfterFunc(life, kill) // any moment will do
	}
	for lines.Scan() {
		if first {
			first = false
			time.AfterFunc(life, kill)
		}
		var w, n int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err != nil || w < 0 || w >= crashWriters {
			continue // cut off by the kill
		}
		told[w] = max(told[w], n)
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return told
}
