package migrate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/lease"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// Table is the run table's name. It is in the target's keyspace, so that it is
// saved and restored with what it speaks of, and no part of Temporal's schema: no
// server looks at it.
const Table = schema.MigrationTable

// Items of the run table. Each is a text under (run, item); the one run of a
// keyspace has the name of its format, so that a program of another format finds
// that there is one.
const (
	runName      = "migration"
	itemRun      = "run"
	itemLease    = "lease"
	itemPart     = "part/"
	itemProgress = "progress"
)

// errRunTable is in every failure to read or write the run table.
var errRunTable = errors.New("run table")

// table is the run table of a target.
type table struct {
	admin    cql.Admin
	name     string // quoted, with keyspace
	keyspace string
	dialect  string
}

func (s *Side) table() *table {
	quote := func(n string) string { return `"` + strings.ReplaceAll(n, `"`, `""`) + `"` }
	ks := s.Opener.Keyspace()
	return &table{admin: s.admin, keyspace: ks, name: quote(ks) + "." + Table, dialect: s.dialect.Name()}
}

// create makes the table, if it is not there.
func (t *table) create(ctx context.Context) error {
	text := "CREATE TABLE IF NOT EXISTS " + t.name + " (run text, item text, value text, PRIMARY KEY ((run), item))"
	if t.dialect == "ycql" {
		text += " WITH transactions = {'enabled': false}" // single rows; the lease expires
	}
	if err := t.admin.Exec(ctx, text); err != nil {
		return fmt.Errorf("make the %w %s: %w", errRunTable, t.name, err)
	}
	return nil
}

// exists tells whether there is a run table.
func (t *table) exists(ctx context.Context) (bool, error) {
	rows, err := t.admin.Query(ctx, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?", t.keyspace, Table)
	if err != nil {
		return false, fmt.Errorf("look for the %w %s: %w", errRunTable, t.name, err)
	}
	return len(rows) > 0, nil
}

func (t *table) get(ctx context.Context, item string) (value string, found bool, err error) {
	rows, err := t.admin.Query(ctx, "SELECT value FROM "+t.name+" WHERE run = ? AND item = ?", runName, item)
	if err != nil {
		return "", false, fmt.Errorf("read %s of the %w: %w", item, errRunTable, err)
	}
	if len(rows) == 0 {
		return "", false, nil
	}
	value, _ = rows[0]["value"].(string)
	return value, value != "", nil
}

func (t *table) put(ctx context.Context, item, value string) error {
	if err := t.admin.Exec(ctx, "INSERT INTO "+t.name+" (run, item, value) VALUES (?, ?, ?)", runName, item, value); err != nil {
		return fmt.Errorf("write %s of the %w: %w", item, errRunTable, err)
	}
	return nil
}

func (t *table) remove(ctx context.Context, item string) error {
	if err := t.admin.Exec(ctx, "DELETE FROM "+t.name+" WHERE run = ? AND item = ?", runName, item); err != nil {
		return fmt.Errorf("remove %s of the %w: %w", item, errRunTable, err)
	}
	return nil
}

// load returns the run; nil if there is none. One of a newer program is an error.
func (t *table) load(ctx context.Context) (*Run, error) {
	found, err := t.exists(ctx)
	if err != nil || !found {
		return nil, err
	}
	text, found, err := t.get(ctx, itemRun)
	if err != nil || !found {
		return nil, err
	}
	return decodeRun(text)
}

func decodeRun(text string) (*Run, error) {
	// The version first: the rest may be of another form.
	var v struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("read the run in the target's run table: it is damaged: %w", err)
	}
	if v.Version < 1 || v.Version > RunVersion {
		return nil, fmt.Errorf("read the run in the target's run table: it has version %d, this program reads 1 to %d: use the release that began it", v.Version, RunVersion)
	}
	r := &Run{}
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("read the run in the target's run table: it is damaged: %w", err)
	}
	return r, nil
}

func (t *table) save(ctx context.Context, r *Run) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return t.put(ctx, itemRun, string(text))
}

// parts returns the copy's work list by its items.
func (t *table) parts(ctx context.Context) (map[string]*work, error) {
	rows, err := t.admin.Query(ctx, "SELECT item, value FROM "+t.name+" WHERE run = ? AND item >= ? AND item < ?", runName, itemPart, itemPart+"~")
	if err != nil {
		return nil, fmt.Errorf("read the work list: %w", err)
	}
	all := make(map[string]*work, len(rows))
	for _, row := range rows {
		item, _ := row["item"].(string)
		value, _ := row["value"].(string)
		w, err := decodeWork(value)
		if err != nil {
			return nil, fmt.Errorf("read the work list: %s: %w", item, err)
		}
		all[item] = w
	}
	return all, nil
}

// leaseTime is how long a migrator that died keeps others out.
const leaseTime = 30 * time.Second

// errBusy is the cause where another migrator is at work.
var errBusy = errors.New("another migrator is at work on this target")

// owner is the text of a lease. State is the id of its state directory.
type owner struct {
	Host    string `json:"host"`
	Process int    `json:"process"`
	State   string `json:"state"`
	Nonce   string `json:"nonce"`
}

func (o owner) String() string { return fmt.Sprintf("process %d on %s", o.Process, o.Host) }

// take takes the lease of the run, the right to change it: one migrator at a time.
// It fails at once if somebody else has it who may be alive: a migrator before this
// one that used the same state directory, whose lock the caller holds, is not. The
// context that it returns ends when the lease is lost.
func (t *table) take(ctx context.Context, state string) (*lease.Held, context.Context, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}
	text, err := json.Marshal(owner{Host: host, Process: os.Getpid(), State: state, Nonce: rand.Text()[:8]})
	if err != nil {
		return nil, nil, err
	}
	row := &lease.Row{
		Admin: t.admin, Table: t.name, Key: []string{"run", "item"}, Values: []any{runName, itemLease}, Column: "value", Time: leaseTime,
	}
	begin := time.Now()
	ok, err := row.Take(ctx, string(text))
	if err != nil {
		return nil, nil, fmt.Errorf("take the lease of the run: %w", err)
	}
	if !ok {
		holder, err := row.Owner(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("look who has the lease of the run: %w", err)
		}
		var other owner
		if err := json.Unmarshal([]byte(holder), &other); err == nil && other.State == state {
			if ok, err = row.Replace(ctx, holder, string(text)); err != nil {
				return nil, nil, fmt.Errorf("take the lease of the run: %w", err)
			}
		}
		if !ok {
			return nil, nil, fmt.Errorf("%w (%s): wait until it has ended; if it was killed, its lease ends within %s", errBusy, other, leaseTime)
		}
	}
	l, held := row.Keep(ctx, string(text), begin, func(err error) error {
		if err != nil {
			return fmt.Errorf("the lease of the run could not be renewed: %w: when that is mended, run the command again", err)
		}
		return errors.New("the lease of the run was lost to another migrator: run the command again when that has ended")
	})
	return l, held, nil
}
