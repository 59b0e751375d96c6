package yugabyte

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Options are the keys under a data store's "options".
type Options struct {
	client.Options `koanf:",squash"`

	// PasswordEnv is the environment variable that holds the password of user
	// where neither password nor passwordFile is given.
	PasswordEnv string `koanf:"passwordEnv"`

	// HostSelection is partition-aware (the leader of the row's tablet first, then
	// its followers; statements without a known row to the servers in turn),
	// round-robin (always in turn), or dc-aware (like partition-aware, but in turn
	// means the hosts of datacenter, and others when none of those is up).
	HostSelection string `koanf:"hostSelection"`
	// PartitionRefresh is how often the places of tablets are asked for. They are
	// also asked for when servers come, go, or are unknown.
	PartitionRefresh time.Duration `koanf:"partitionRefresh"`
	// MaxInFlight bounds the requests that one connection pool has under way at one
	// server, for a server has so many CQL processors; others wait. Zero: no bound.
	MaxInFlight int `koanf:"maxInFlight"`
	// ReplicationFactor is how many copies each tablet should have. The cluster's
	// own configuration decides how many it has; a server warns at start where
	// they are fewer. Zero: not checked.
	ReplicationFactor int `koanf:"replicationFactor"`
}

// The values of Options.HostSelection.
const (
	partitionAware = "partition-aware"
	roundRobin     = "round-robin"
	dcAware        = "dc-aware"
)

// DefaultOptions returns the options that hold where nothing is configured.
func DefaultOptions() Options {
	o := Options{ //nolint:gosec // G101: the name of a variable is no credential
		Options:     client.DefaultOptions(),
		PasswordEnv: "YUGABYTE_PASSWORD", HostSelection: partitionAware,
		PartitionRefresh: time.Minute, MaxInFlight: 512,
	}
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
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if o.User != "" && o.Password == "" && o.PasswordFile == "" && o.PasswordEnv == "" {
		faults = append(faults, client.ErrNoPassword)
	}
	switch o.HostSelection {
	case partitionAware, roundRobin:
	case dcAware:
		if o.Datacenter == "" {
			fault("datacenter: hostSelection %s needs it", dcAware)
		}
	default:
		fault("hostSelection: %q is not one of %s, %s, %s", o.HostSelection, partitionAware, roundRobin, dcAware)
	}
	if o.PartitionRefresh <= 0 {
		fault("partitionRefresh: must be more than zero")
	}
	if o.MaxInFlight < 0 {
		fault("maxInFlight: must not be negative")
	}
	if o.ReplicationFactor < 0 {
		fault("replicationFactor: must not be negative")
	}
	if _, err := o.consistency(); err != nil {
		faults = append(faults, err)
	}
	if _, err := o.serialConsistency(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// currentPassword returns the password as it is now.
func (o *Options) currentPassword() (string, error) {
	if o.User == "" || o.Password != "" || o.PasswordFile != "" {
		return o.CurrentPassword()
	}
	password := os.Getenv(o.PasswordEnv)
	if password == "" {
		return "", fmt.Errorf("%w, and the environment variable %s is not set", client.ErrNoPassword, o.PasswordEnv)
	}
	return password, nil
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
