// Package command is "temporal-server compare" without its flags: it reads a plan,
// loads the arms, runs the comparison, writes run and page, and says what was found.
package command

import (
	"errors"
	"fmt"
	"os"

	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare"
	"github.com/temporal-ycql/temporal-ycql/core/compare/cluster"
	"github.com/temporal-ycql/temporal-ycql/core/compare/result"
	"github.com/temporal-ycql/temporal-ycql/core/compare/storelevel"
)

// The levels of a plan.
const (
	storeLevel   = "store"
	clusterLevel = "cluster"
)

// Plan says what is measured and how often. Unknown keys are errors.
type Plan struct {
	// Level is "store" (store calls in this process) or "cluster" (whole servers).
	Level string `koanf:"level" json:"level"`
	// Pairs is how many pairs of blocks there are for each scenario.
	Pairs int `koanf:"pairs" json:"pairs"`
	// Seed determines the work, its times and the bootstrap.
	Seed uint64 `koanf:"seed" json:"seed"`
	// Margin within which arms count as the same: 0.05 is 5 %.
	Margin float64 `koanf:"margin" json:"margin"`
	// ReplicationFactor is that of keyspaces that are made.
	ReplicationFactor int `koanf:"replicationFactor" json:"replicationFactor"`
	// Contamination says which blocks are repeated.
	Contamination compare.Contamination `koanf:"contamination" json:"contamination"`
	// Prices turn what workflows use into money; the cluster level alone runs any.
	Prices result.Prices `koanf:"prices" json:"prices"`
	// Store is the plan of the store level.
	Store storelevel.Options `koanf:"store" json:"store"`
	// Cluster is the plan of the cluster level.
	Cluster cluster.Plan `koanf:"cluster" json:"cluster"`
}

// DefaultPlan is a full run of the store level.
func DefaultPlan() Plan {
	return Plan{
		Level: storeLevel, Pairs: 10, Seed: 1, Margin: 0.05, ReplicationFactor: 1,
		Prices:        result.DefaultPrices(),
		Contamination: defaultContamination, Store: storelevel.DefaultOptions(), Cluster: cluster.DefaultPlan(),
	}
}

// readPlan reads a plan over the defaults.
func readPlan(path string) (Plan, error) {
	p := DefaultPlan()
	data, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("read the plan: %w", err)
	}
	raw := map[string]any{}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return p, fmt.Errorf("read the plan %s: %w", path, err)
	}
	if err := p.decode(raw); err != nil {
		return p, fmt.Errorf("plan %s: %w", path, err)
	}
	return p, nil
}

// decode reads the scenarios of a cluster apart: they are a list of mappings.
func (p *Plan) decode(raw map[string]any) error {
	var faults []error
	if c, ok := raw["cluster"].(map[string]any); ok {
		if list, given := c["scenarios"]; given {
			delete(c, "scenarios")
			p.Cluster.Scenarios = nil
			items, ok := list.([]any)
			if !ok {
				faults = append(faults, errors.New("cluster.scenarios: must be a list"))
			}
			for i, item := range items {
				var s cluster.PlanScenario
				m, ok := item.(map[string]any)
				if !ok {
					faults = append(faults, fmt.Errorf("cluster.scenarios[%d]: must be a mapping of keys to values", i))
					continue
				}
				if err := backend.Decode(m, &s); err != nil {
					faults = append(faults, fmt.Errorf("cluster.scenarios[%d]: %w", i, err))
				}
				p.Cluster.Scenarios = append(p.Cluster.Scenarios, s)
			}
		}
	}
	if err := backend.Decode(raw, p); err != nil {
		faults = append(faults, err)
	}
	if len(faults) == 0 {
		faults = append(faults, p.validate())
	}
	return errors.Join(faults...)
}

func (p *Plan) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(p.Pairs < 1, "pairs: %d: give 1 or more; below 4 there are no intervals", p.Pairs)
	fault(p.Margin <= 0 || p.Margin >= 1, "margin: %v: give a share between 0 and 1, 0.05 is 5 %%", p.Margin)
	fault(p.ReplicationFactor < 1, "replicationFactor: %d: give 1 or more", p.ReplicationFactor)
	c := p.Contamination
	fault(c.Others < 0 || c.Others > 1, "contamination.others: %v: give a share of the machine, 0 to 1", c.Others)
	fault(c.Lag < 0, "contamination.lag: %s is negative", c.Lag)
	fault(c.Repeats < 0, "contamination.repeats: %d is negative", c.Repeats)
	if err := p.Prices.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("prices: %w", err))
	}
	switch p.Level {
	case storeLevel:
		fault(p.Prices.Any(), "prices: they are for workflows, and the store level runs none: take level cluster, or leave them out")
		faults = append(faults, p.Store.Validate())
	case clusterLevel:
		if err := p.Cluster.Complete(); err != nil {
			faults = append(faults, fmt.Errorf("cluster: %w", err))
		}
	default:
		fault(true, "level: %q is neither store nor cluster", p.Level)
	}
	return errors.Join(faults...)
}
