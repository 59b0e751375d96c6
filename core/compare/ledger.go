package compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare/arm"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
)

// The ledger lists the databases that a run has made, one a line with its arm,
// before they are made: a run that goes on where one was killed drops what that one
// left, and nothing else.
const ledgerName = "databases.txt"

// name makes the name of a block's database and notes it in the ledger.
func (r *runner) name(a *arm.Arm, scenario string, pair, attempt int) (string, error) {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %d %d", scenario, time.Now().UnixNano(), os.Getpid())
	name := fmt.Sprintf("compare_%s_p%d_%d_%08x", a.Name(), pair, attempt, h.Sum32())
	f, err := os.OpenFile(filepath.Join(r.o.Dir, ledgerName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("note a database of this run: %w", err)
	}
	_, err = fmt.Fprintln(f, a.Name(), name)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("note a database of this run: %w", err)
	}
	return name, nil
}

// clear drops what a run has left that was killed.
func (r *runner) clear() error {
	path := filepath.Join(r.o.Dir, ledgerName)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if r.o.Keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastResort)
	defer cancel()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		armName, name, ok := strings.Cut(lines.Text(), " ")
		if !ok || !strings.HasPrefix(name, "compare_") {
			continue
		}
		a := r.o.A
		if armName == result.B {
			a = r.o.B
		}
		if err := a.Drop(ctx, name); err != nil {
			return fmt.Errorf("clear what an interrupted run left: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return os.Remove(path)
}
