package migrate

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// RunVersion is the version of the run table's contents and of the state
// directory. A program reads the versions up to its own; what it does not know it
// refuses.
const RunVersion = 1

// Phase is how far a run has got. Each verb says from which it may start.
type Phase string

// The phases.
const (
	NoRun       Phase = ""             // init has not been run
	Initialized Phase = "initialized"  // the target is there, empty and held
	Copying     Phase = "copying"      // a copy has begun
	Copied      Phase = "copied"       // and is complete
	Switched    Phase = "switched"     // the target's servers may start
	RollingBack Phase = "rolling back" // a rollback has begun
	RolledBack  Phase = "rolled back"  // the source's servers may start again
)

// Run is what the run table says of a migration.
type Run struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	From    Place     `json:"from"`
	To      Place     `json:"to"`
	Shards  int32     `json:"shards"`
	// Number is in the fences' ranges, so that each run has its own.
	Number int64 `json:"number"`
	Phase  Phase `json:"phase"`

	// Fencing is set before the first shard of the source is fenced: a rollback takes
	// the fence off whatever became of the rest.
	Fencing bool `json:"fencing,omitempty"`
	// FencedAt is when the source was fenced; zero if it is not.
	FencedAt time.Time `json:"fencedAt,omitzero"`
	// Pass counts copies; the first one copies all, later ones what differs.
	// FencedPass is the first pass that began after the source had been fenced.
	Pass       int       `json:"pass"`
	FencedPass int       `json:"fencedPass,omitempty"`
	CopiedAt   time.Time `json:"copiedAt,omitzero"`
	// Verdict is the last verification's.
	Verdict *Verdict `json:"verdict,omitempty"`

	SwitchedAt   time.Time `json:"switchedAt,omitzero"`
	RolledBackAt time.Time `json:"rolledBackAt,omitzero"`
	// Back is how far a rollback got that copies back: "", "fenced", "copied",
	// "verified".
	Back string `json:"back,omitempty"`
}

// Verdict is the result of a verification.
type Verdict struct {
	Pass   int       `json:"pass"` // of the copy that it verified
	Level  Level     `json:"level"`
	At     time.Time `json:"at"`
	Clean  bool      `json:"clean"`
	Finds  int       `json:"finds"` // differences and problems
	Both   int       `json:"both"`  // problems that the source has as well
	Counts int64     `json:"records"`
}

// newRun makes the state of a migration that begins.
func newRun(from, to Place, shards int32, now time.Time) *Run {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return &Run{
		Version: RunVersion, ID: rand.Text()[:10], Created: now.UTC().Truncate(time.Second), From: from, To: to, Shards: shards,
		Number: int64(binary.BigEndian.Uint32(b[:])&0x7fffffff) + 1, Phase: Initialized,
	}
}

// order is what the run's verbs may follow on: the error says which verb is due.
func (r *Run) order(verb string, from, to string) error {
	wrong := func(why, then string) error {
		return fmt.Errorf("%s: %s: run \"temporal-server migrate %s --from %s --to %s\"", verb, why, then, from, to)
	}
	if r == nil {
		return wrong("the target has no run of a migration", "init")
	}
	switch r.Phase {
	case RolledBack:
		return fmt.Errorf("%s: run %s was rolled back at %s: drop the target's keyspace (or name another) and begin again with init",
			verb, r.ID, stamp(r.RolledBackAt))
	case RollingBack:
		if verb != "rollback" {
			return wrong(fmt.Sprintf("run %s is being rolled back", r.ID), "rollback")
		}
		return nil
	case Switched:
		if verb != "rollback" && verb != "switch" {
			return fmt.Errorf("%s: run %s was switched at %s and the target is in use: only \"migrate rollback\" copies again, back to the source",
				verb, r.ID, stamp(r.SwitchedAt))
		}
		return nil
	default:
	}
	switch verb {
	case "verify":
		if r.Phase != Copied {
			return wrong("the copy is not complete", "copy")
		}
	case "switch":
		switch {
		case r.Phase != Copied:
			return wrong("the copy is not complete", "copy")
		case r.FencedAt.IsZero():
			return wrong("the source is not fenced, so its servers could run on", "init --fence")
		case r.FencedPass == 0 || r.Pass < r.FencedPass:
			return wrong("the source was fenced after it had been copied", "copy")
		case r.Verdict == nil || r.Verdict.Pass != r.Pass:
			return wrong("the last copy has not been verified", "verify")
		case !r.Verdict.Clean:
			return wrong(fmt.Sprintf("the last verification found %d differences or problems", r.Verdict.Finds), "copy")
		case r.Verdict.Level < LevelContent:
			return wrong(fmt.Sprintf("the last verification was of level %s, and a switch needs content at least", r.Verdict.Level), "verify --level meaning")
		}
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// errNoRun is where the target holds no run.
var errNoRun = errors.New("the target has no run of a migration")
