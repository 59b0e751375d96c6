package yugabyte

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Options are the keys under a data store's "options".
type Options struct {
	client.Options `koanf:",squash"`
}

// DefaultOptions returns the options that hold where nothing is configured.
func DefaultOptions() Options {
	o := Options{Options: client.DefaultOptions()}
	o.Consistency.Default = client.ConsistencyLevels{Consistency: "QUORUM", SerialConsistency: "SERIAL"}
	return o
}

// ParseOptions decodes raw over the defaults and reports every fault at once.
func ParseOptions(raw map[string]any) (Options, error) {
	o := DefaultOptions()
	if err := backend.Decode(raw, &o); err != nil {
		return Options{}, fmt.Errorf("yugabyte options: %w", err)
	}
	if err := o.validate(); err != nil {
		return Options{}, fmt.Errorf("yugabyte options: %w", err)
	}
	return o, nil
}

func (o *Options) validate() error {
	faults := o.Check()
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
		return 0, fmt.Errorf("consistency.default.consistency: %q is not a consistency level, e.g. QUORUM", o.Consistency.Default.Consistency)
	}
	if c == gocql.One {
		return 0, errors.New("consistency.default.consistency: ONE reads from followers, which may be seconds behind: Temporal needs QUORUM")
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
