package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/migrate"
	"github.com/temporal-ycql/temporal-ycql/core/records/corpus"
	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// orderEnv makes the test binary a migrator that is killed.
const orderEnv = "TEMPORAL_YCQL_MIGRATE_ORDER"

// errand is what such a migrator does: all verbs that are due.
type errand struct {
	From, To, State string
	Back            bool
}

func TestMain(m *testing.M) {
	if text := os.Getenv(orderEnv); text != "" {
		var e errand
		err := json.Unmarshal([]byte(text), &e)
		if err == nil {
			err = e.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// run runs the verbs that are due, each with connections of its own.
func (e errand) run() error {
	for {
		done, err := e.next()
		if err != nil || done {
			return err
		}
	}
}

func (e errand) next() (done bool, err error) {
	from, err := at("cassandra", e.From)
	if err != nil {
		return false, err
	}
	to, err := at("ycql", e.To)
	if err != nil {
		return false, err
	}
	ctx := context.Background()
	m, err := migrate.Open(ctx, migrate.Options{
		From: from, To: to, State: e.State, Out: os.Stderr, Logger: quiet, Settle: time.Millisecond, Level: migrate.LevelMeaning, Fence: true,
	})
	if err != nil {
		return false, err
	}
	defer func() {
		if closing := m.Close(); err == nil {
			err = closing
		}
	}()
	run := m.Run()
	switch {
	case run == nil || run.FencedAt.IsZero():
		return false, m.Init(ctx)
	case run.Phase == migrate.RolledBack:
		return true, nil
	case e.Back:
		return false, m.Rollback(ctx)
	case run.Phase == migrate.Initialized || run.Phase == migrate.Copying:
		return false, m.Copy(ctx)
	case run.Phase == migrate.Copied && run.Verdict == nil:
		r, err := m.Verify(ctx)
		if err == nil && !r.Clean {
			err = fmt.Errorf("not clean:\n%s", r.Text())
		}
		return false, err
	default: // again, if it was switched and its shards were not all given
		return true, m.Switch(ctx)
	}
}

// start starts a migrator.
func (e errand) start(t *testing.T, said *strings.Builder) *childproc.Process {
	t.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orderEnv+"="+string(text))
	cmd.Stdout, cmd.Stderr = said, said
	p, err := childproc.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// kills is how often the test kills a migrator.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TEMPORAL_YCQL_MIGRATE_KILLS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A migrator that is killed at any point, there or back, and started again comes to
// the same end.
func TestKilled(t *testing.T) {
	random := rand.New(rand.NewPCG(seed(t), 2))
	left := kills(t)
	for left > 0 {
		dir := t.TempDir()
		e := errand{From: filepath.Join(dir, "a"), To: filepath.Join(dir, "b"), State: filepath.Join(dir, "state")}
		o := corpus.Options{Seed: random.Uint64(), Workflows: 120, Queues: 10, Backlog: 30}
		fill(t, directory(t, "cassandra", e.From), o)
		before := contents(t, directory(t, "cassandra", e.From))
		for _, e.Back = range []bool{false, true} {
			left -= e.killed(t, random, left)
			if !e.Back {
				equal(t, before, contents(t, directory(t, "ycql", e.To)))
			}
		}
		equal(t, before, contents(t, directory(t, "cassandra", e.From)))
		if t.Failed() {
			return
		}
	}
}

// killed kills a migrator at random points until it has come to its end, and
// returns how often.
func (e errand) killed(t *testing.T, random *rand.Rand, most int) (killed int) {
	t.Helper()
	for {
		var said strings.Builder
		p := e.start(t, &said)
		after := time.Duration(random.Int64N(int64(1500 * time.Millisecond)))
		kill := time.After(after)
		if killed >= min(most, 4) { // let it come to its end now and then, however long that takes
			kill = nil
		}
		select {
		case <-p.Done():
			if err := p.Wait(); err != nil {
				t.Fatalf("a migrator failed after %d kills: %v\n%s", killed, err, said.String())
			}
			return killed
		case <-kill:
			if err := p.Kill(); err != nil {
				t.Fatal(err)
			}
			killed++
			t.Logf("killed after %s, which had said:\n%s", after.Round(time.Millisecond), said.String())
		}
	}
}
