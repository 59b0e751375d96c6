package cassandra

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Options are the keys under a data store's "options".
type Options struct {
	client.Options `koanf:",squash"`

	// HostSelection is token-aware (a replica of the row first), round-robin,
	// or dc-aware (like token-aware, but hosts outside of datacenter are asked
	// when no other is up).
	HostSelection string `koanf:"hostSelection"`
}

// The values of Options.HostSelection.
const (
	tokenAware = "token-aware"
	roundRobin = "round-robin"
	dcAware    = "dc-aware"
)

// DefaultOptions returns the options that hold where nothing is configured.
func DefaultOptions() Options {
	return Options{Options: client.DefaultOptions(), HostSelection: tokenAware}
}

// ParseOptions decodes raw over the defaults and reports every fault at once.
func ParseOptions(raw map[string]any) (Options, error) {
	o := DefaultOptions()
	if err := backend.Decode(raw, &o); err != nil {
		return Options{}, fmt.Errorf("cassandra options: %w", err)
	}
	if err := o.validate(); err != nil {
		return Options{}, fmt.Errorf("cassandra options: %w", err)
	}
	return o, nil
}

func (o *Options) validate() error {
	faults := o.Check()
	if o.User != "" && o.Password == "" && o.PasswordFile == "" {
		faults = append(faults, client.ErrNoPassword)
	}
	switch o.HostSelection {
	case tokenAware, roundRobin:
	case dcAware:
		if o.Datacenter == "" {
			faults = append(faults, fmt.Errorf("datacenter: hostSelection %s needs it", dcAware))
		}
	default:
		faults = append(faults, fmt.Errorf("hostSelection: %q is not one of %s, %s, %s", o.HostSelection, tokenAware, roundRobin, dcAware))
	}
	if _, err := o.consistency(); err != nil {
		faults = append(faults, err)
	}
	if _, err := o.serialConsistency(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (o *Options) consistency() (gocql.Consistency, error) {
	var c gocql.Consistency
	if err := c.UnmarshalText([]byte(strings.ToUpper(o.Consistency.Default.Consistency))); err != nil {
		return 0, fmt.Errorf("consistency.default.consistency: %q is not a consistency level, e.g. LOCAL_QUORUM", o.Consistency.Default.Consistency)
	}
	return c, nil
}

func (o *Options) serialConsistency() (gocql.SerialConsistency, error) {
	var c gocql.SerialConsistency
	if err := c.UnmarshalText([]byte(strings.ToUpper(o.Consistency.Default.SerialConsistency))); err != nil {
		return 0, fmt.Errorf("consistency.default.serialConsistency: %q is neither LOCAL_SERIAL nor SERIAL", o.Consistency.Default.SerialConsistency)
	}
	return c, nil
}
