package yugabyte

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	variant "github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// trait is what a keyspace's record says of an ability.
type trait struct{ able, stored bool }

var (
	readTraits = &cql.Statement{Text: `SELECT trait, able, stored FROM server_traits`, Plan: "Traits", Idempotent: true}
	writeTrait = &cql.Statement{Text: `INSERT INTO server_traits (trait, able, stored, outcome, recorded) VALUES (?, ?, ?, ?, ?)`, Plan: "Traits", Idempotent: true}
)

// errNoTraits is the cause when a keyspace has no tables for a record: its
// schema is missing or older than that.
var errNoTraits = errors.New("the keyspace has no record of what its servers can do: run \"temporal-server schema update\"")

// record reads a keyspace's record.
func record(ctx context.Context, s cql.Session) (map[string]trait, error) {
	rows, err := s.Query(ctx, cql.Call{Statement: readTraits}, cql.Page{})
	if err != nil {
		return nil, err
	}
	all := map[string]trait{}
	for name, t := "", (trait{}); rows.Scan(&name, &t.able, &t.stored); {
		all[name] = t
	}
	err = rows.Close()
	var e *cql.Error
	if errors.As(err, &e) && e.Reach == cql.Replied && e.Code == cql.CodeInvalid && strings.Contains(e.Message, "Object Not Found") {
		return nil, errNoTraits
	}
	if err != nil {
		return nil, fmt.Errorf("read the keyspace's record of what its servers can do: %w", err)
	}
	return all, nil
}

// annotate adds to findings what the record says.
func annotate(found []backend.Finding, recorded map[string]trait) {
	for i := range found {
		if t, ok := recorded[found[i].Name]; ok {
			found[i].Recorded = yesNo(t.able)
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// lacking is an error if an ability is missing that cannot be done without.
func lacking(abilities []ability, found []backend.Finding) error {
	var faults []string
	for i, a := range abilities {
		if a.needed && !found[i].Able {
			faults = append(faults, fmt.Sprintf("%s (it answered: %s): %s", a.name, found[i].Outcome, a.why))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("the server lacks %s", strings.Join(faults, "; "))
}

// agree decides what this process uses: what the server can do and the record
// allows, so that all hosts write alike. It fails where that is impossible.
func agree(abilities []ability, found []backend.Finding, recorded map[string]trait, log *slog.Logger) (variant.Abilities, error) {
	var use variant.Abilities
	if err := lacking(abilities, found); err != nil {
		return use, err
	}
	known := map[string]bool{}
	for i, a := range abilities {
		known[a.name] = true
		t, ok := recorded[a.name]
		able := found[i].Able
		switch {
		case t.able && !able && (a.stored || t.stored):
			return use, fmt.Errorf("the keyspace's rows are stored with %s, but this server answered: %s: all servers of a keyspace must have it", a.name, found[i].Outcome)
		case t.able && !able:
			log.Warn("a server cannot do what the keyspace's record says; it is done another way", "ability", a.name, "answered", found[i].Outcome)
		case ok && !t.able && able && a.use != nil:
			log.Info("a server can do more than the keyspace's record says: \"temporal-server schema update\" records it for all hosts", "ability", a.name)
		}
		if a.use != nil && able && t.able {
			a.use(&use)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(recorded)) {
		if t := recorded[name]; !known[name] && t.stored && t.able {
			return use, fmt.Errorf("the keyspace's rows are stored with %q, which this release does not know: use the release that last ran \"schema update\", or a later one", name)
		}
	}
	return use, nil
}

// keep writes what was found to the record. What decides how rows look stays as
// it was recorded first.
func keep(ctx context.Context, s cql.Session, abilities []ability, found []backend.Finding, recorded map[string]trait) error {
	if err := lacking(abilities, found); err != nil {
		return err
	}
	now := time.Now().UnixMilli()
	step := cql.Step{Mode: cql.Parallel}
	for i, a := range abilities {
		if t, ok := recorded[a.name]; ok && (a.stored || t.stored) {
			if t.able && !found[i].Able {
				return fmt.Errorf("the keyspace's rows are stored with %s, but this server answered: %s", a.name, found[i].Outcome)
			}
			continue
		}
		step.Calls = append(step.Calls, cql.Call{Statement: writeTrait, Args: []any{a.name, found[i].Able, a.stored, found[i].Outcome, now}})
	}
	if _, err := s.Exec(ctx, &step); err != nil {
		return fmt.Errorf("record what the servers can do: %w", err)
	}
	return nil
}
