package result

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/temporal-ycql/temporal-ycql/core/compare/load"
)

// Read reads a run from a file.
func Read(path string) (*Run, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a comparison: %w", err)
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, fmt.Errorf("read the comparison %s: %w", path, err)
	}
	if version.Version != Version {
		return nil, fmt.Errorf("read the comparison %s: it has version %d, this program reads %d: compare again, or use the program that wrote it",
			path, version.Version, Version)
	}
	r := new(Run)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read the comparison %s: %w", path, err)
	}
	return r, nil
}

// Write replaces a file by this run, whole or not at all.
func (r *Run) Write(path string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write the comparison %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".compare-*")
	if err != nil {
		return fmt.Errorf("write a comparison: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone if all went well
	_, err = f.Write(append(data, '\n'))
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the comparison %s: %w", path, err)
	}
	return nil
}

// Used returns the blocks that count, in order: those that none repeats.
func (r *Run) Used() []*Block {
	repeated := map[int]bool{}
	for _, b := range r.Blocks {
		if b.Repeats != nil {
			repeated[*b.Repeats] = true
		}
	}
	var used []*Block
	for _, b := range r.Blocks {
		if !repeated[b.Index] {
			used = append(used, b)
		}
	}
	return used
}

// Scenarios lists the scenarios in the order in which they first ran.
func (r *Run) Scenarios() []string {
	var names []string
	for _, b := range r.Blocks {
		if !slices.Contains(names, b.Scenario) {
			names = append(names, b.Scenario)
		}
	}
	return names
}

// Pair holds the used blocks of both arms.
type Pair struct{ A, B *Block }

// Pairs returns the complete pairs of a scenario, in order.
func (r *Run) Pairs(scenario string) []Pair {
	byPair := map[int]*Pair{}
	var order []int
	for _, b := range r.Used() {
		if b.Scenario != scenario {
			continue
		}
		p := byPair[b.Pair]
		if p == nil {
			p = new(Pair)
			byPair[b.Pair] = p
			order = append(order, b.Pair)
		}
		if b.Arm == A {
			p.A = b
		} else {
			p.B = b
		}
	}
	var pairs []Pair
	for _, i := range order {
		if p := byPair[i]; p.A != nil && p.B != nil {
			pairs = append(pairs, *p)
		}
	}
	return pairs
}

// Merged sums up one call of one arm over all used blocks of a scenario; nil if
// there was none.
func (r *Run) Merged(scenario, arm, call string) *Call {
	var sum *Call
	for _, b := range r.Used() {
		if c := b.Calls[call]; c != nil && b.Scenario == scenario && b.Arm == arm {
			if sum == nil {
				sum = NewCall()
			}
			sum.Add(c)
		}
	}
	return sum
}

// NewCall returns a call that nothing was measured of.
func NewCall() *Call {
	return &Call{Response: load.NewHistogram(), Service: load.NewHistogram(), Errors: map[string]int64{}}
}

// Add sums up. Distinct texts are not summed: it is the largest number that counts.
func (c *Call) Add(o *Call) {
	c.Response.Merge(o.Response)
	c.Service.Merge(o.Service)
	for kind, n := range o.Errors {
		c.Errors[kind] += n
	}
	c.Refusals += o.Refusals
	c.Unknown += o.Unknown
	c.Completed += o.Completed
	for _, f := range []struct {
		to   **int64
		from *int64
	}{
		{&c.Statements, o.Statements},
		{&c.RoundTrips, o.RoundTrips},
		{&c.SerialRounds, o.SerialRounds},
		{&c.Commits, o.Commits},
		{&c.Rows, o.Rows},
		{&c.BytesOut, o.BytesOut},
		{&c.BytesIn, o.BytesIn},
		{&c.Attempts, o.Attempts},
	} {
		if f.from == nil {
			continue
		}
		if *f.to == nil {
			*f.to = new(int64)
		}
		**f.to += *f.from
	}
	if o.Texts != nil && (c.Texts == nil || *o.Texts > *c.Texts) {
		n := *o.Texts
		c.Texts = &n
	}
}
