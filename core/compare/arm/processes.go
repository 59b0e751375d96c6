package arm

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/compare/machine"
)

// cqlPort is the default of Cassandra and YugabyteDB.
const cqlPort = 9042

// Inside tells that the database is part of the process that opens it.
func (a *Arm) Inside() bool { return a.kind == inProcess || a.kind == sqlite }

// Processes are the database's own on this machine: whoever listens on the loopback
// interface where the configuration points to. There is none of a database that is
// [Arm.Inside]. The error says why those of some addresses are unknown; beside it are
// the ones that are known, whose sum would only look like the whole.
func (a *Arm) Processes() (pids []int, err error) {
	var unknown []error
	for _, address := range a.addresses() {
		pid, err := listenerAt(address)
		if err != nil {
			unknown = append(unknown, err)
		} else if !slices.Contains(pids, pid) {
			pids = append(pids, pid)
		}
	}
	return pids, errors.Join(unknown...)
}

// addresses are those of the database as host:port.
func (a *Arm) addresses() []string {
	var hosts []string
	port := 0
	switch a.kind {
	case cassandra:
		hosts, port = strings.Split(a.store().Cassandra.Hosts, ","), a.store().Cassandra.Port
	case sqlServer:
		hosts = []string{a.store().SQL.ConnectAddr}
	case remote:
		if r, ok := a.loaded.Chosen.Opener.(backend.Remote); ok {
			hosts = r.Security().Contacts
		}
	default:
	}
	if port == 0 {
		port = cqlPort
	}
	var all []string
	for _, host := range hosts {
		host = strings.TrimSpace(host)
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, strconv.Itoa(port))
		}
		all = append(all, host)
	}
	return all
}

// option is an option's value in the configuration of a backend of ours.
func (a *Arm) option(path string) string {
	for _, o := range backend.DescribeOptions(a.loaded.Chosen.Opener.Options()) {
		if o.Path == path {
			return o.Default
		}
	}
	return ""
}

// errNoListener says that no process of this machine that we may look at listens
// at an address: whoever answers there is on another machine or another user's.
var errNoListener = errors.New("no process on this machine that can be looked at listens there")

// listenerAt returns the process that listens at a TCP address of this machine.
func listenerAt(address string) (int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("find who listens at %q: %w", address, err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("find who listens at %q: %w", address, err)
	}
	pid, ok := machine.Listener(host, int(port))
	if !ok {
		return 0, fmt.Errorf("%s: %w", address, errNoListener)
	}
	return pid, nil
}
