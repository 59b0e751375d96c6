package doctor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Clocks: leases and TTL are decided by servers, timers of workflows by Temporal's
// hosts. YugabyteDB stops a node whose clock is 500 ms away from another's
// (max_clock_skew_usec), and Cassandra orders plain writes by clocks.
const (
	skewWarning = 100 * time.Millisecond
	skewProblem = 500 * time.Millisecond
)

// node is what one node said of itself.
type node struct {
	address, dataCenter, release string
	// skew of its clock against this process's, known to within uncertainty.
	skew, uncertainty time.Duration
	clockErr, err     error
}

// nodes asks every node of the cluster by itself.
func (e *examination) nodes(ctx context.Context) {
	remote, ok := e.Opener.(backend.Remote)
	if !ok {
		e.report.add("nodes", Skipped, "this backend does not reach nodes one by one", "")
		return
	}
	addresses, err := e.addresses(ctx, remote)
	if err != nil {
		e.report.add("nodes", Warning, "the cluster does not say who belongs to it: "+err.Error(), "")
		return
	}
	found := make([]node, len(addresses))
	var all sync.WaitGroup
	for i, address := range addresses {
		all.Go(func() { found[i] = e.ask(ctx, remote, address) })
	}
	all.Wait()
	releases := map[string]int{}
	for _, n := range found {
		name := "node " + n.address
		if n.err != nil {
			e.report.add(name, Problem, n.err.Error(), "every host of the server must reach every node")
			continue
		}
		e.up++
		releases[n.release]++
		text := strings.TrimSpace(fmt.Sprintf("release %s, data center %s", n.release, n.dataCenter))
		e.report.add(name, Good, text, "")
		e.clock(name, &n)
	}
	if len(releases) > 1 {
		e.report.add("releases", Warning, fmt.Sprintf("nodes have %d different releases", len(releases)),
			"right while a rolling upgrade is under way, and not for long")
	}
}

// addresses are those of the contact points' cluster.
func (e *examination) addresses(ctx context.Context, remote backend.Remote) ([]string, error) {
	_, port, err := net.SplitHostPort(remote.Security().Contacts[0])
	if err != nil {
		return nil, err
	}
	var all []string
	add := func(rows []cql.Row, columns ...string) {
		for _, row := range rows {
			for _, c := range columns {
				address, ok := row[c].(string)
				if !ok || address == "" || net.ParseIP(address).IsUnspecified() {
					continue
				}
				if p, ok := row["native_port"].(int64); ok && p > 0 {
					address = net.JoinHostPort(address, fmt.Sprint(p))
				} else {
					address = net.JoinHostPort(address, port)
				}
				all = append(all, address)
				break
			}
		}
	}
	if rows, err := e.admin.Query(ctx, `SELECT peer, native_address, native_port FROM system.peers_v2`); err == nil {
		add(rows, "native_address", "peer")
	} else {
		rows, err := e.admin.Query(ctx, `SELECT peer, rpc_address FROM system.peers`)
		if err != nil {
			return nil, err
		}
		add(rows, "rpc_address", "peer")
	}
	// The node that was asked is not among its own peers. It is one of the contact
	// points, which must be good by themselves in any case.
	for _, contact := range remote.Security().Contacts {
		if !slices.Contains(all, contact) {
			all = append(all, contact)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func (e *examination) ask(ctx context.Context, remote backend.Remote, address string) node {
	n := node{address: address}
	admin, err := connect(ctx, remote.At(address), e.env)
	if err != nil {
		n.err = err
		return n
	}
	defer func() { _ = admin.Close() }()
	rows, err := admin.Query(ctx, `SELECT release_version, data_center FROM system.local WHERE key = 'local'`)
	if err == nil && len(rows) == 0 {
		err = errNoAnswer
	}
	if err != nil {
		n.err = fmt.Errorf("ask for its release: %w", err)
		return n
	}
	n.release, _ = rows[0]["release_version"].(string)
	n.dataCenter, _ = rows[0]["data_center"].(string)
	n.skew, n.uncertainty, n.clockErr = clockOf(ctx, admin)
	return n
}

// clockOf compares a node's clock with this one. Of several answers the quickest
// says most.
func clockOf(ctx context.Context, admin cql.Admin) (skew, uncertainty time.Duration, err error) {
	uncertainty = time.Hour
	for range 5 {
		before := time.Now()
		rows, err := admin.Query(ctx, `SELECT toUnixTimestamp(now()) AS at FROM system.local WHERE key = 'local'`)
		took := time.Since(before)
		if err != nil {
			return 0, 0, err
		}
		if len(rows) == 0 {
			return 0, 0, errNoAnswer
		}
		ms, ok := rows[0]["at"].(int64)
		if !ok {
			return 0, 0, fmt.Errorf("it gives its time as a %T", rows[0]["at"])
		}
		if took/2 < uncertainty {
			uncertainty = took / 2
			// The answer is cut to milliseconds: half of one is the likeliest rest.
			skew = time.UnixMilli(ms).Add(500 * time.Microsecond).Sub(before.Add(took / 2))
		}
	}
	return skew, uncertainty + 500*time.Microsecond, nil
}

func (e *examination) clock(name string, n *node) {
	name = "clock of " + strings.TrimPrefix(name, "node ")
	if n.clockErr != nil {
		e.report.add(name, Warning, "it cannot be asked: "+n.clockErr.Error(), "compare it by other means")
		return
	}
	found := fmt.Sprintf("%+.1f ms against this host's, +- %.1f", ms(n.skew), ms(n.uncertainty))
	switch away := n.skew.Abs() - n.uncertainty; {
	case away > skewProblem:
		e.report.add(name, Problem, found, "let NTP or PTP keep the clocks of all hosts together")
	case away > skewWarning:
		e.report.add(name, Warning, found, "let NTP or PTP keep the clocks of all hosts together")
	default:
		e.report.add(name, Good, found, "")
	}
}

// security says how connections are protected.
func (e *examination) security() {
	remote, ok := e.Opener.(backend.Remote)
	if !ok {
		return
	}
	s := remote.Security()
	local := !slices.ContainsFunc(s.Contacts, func(c string) bool { return !loopback(c) })
	bad := Warning
	if local {
		bad = Good // nobody else is on the wire
	}
	switch {
	case !s.TLS:
		e.report.add("TLS", bad, "off", "set tls.enabled: what workflows hold travels in the open")
	case !s.Verified:
		e.report.add("TLS", Warning, "on, but the server's name and certificate are not checked", "set tls.enableHostVerification")
	default:
		e.report.add("TLS", Good, "on, with the server's certificate and name checked", "")
	}
	if s.User == "" {
		e.report.add("login", bad, "none", "set user and password, and let the database ask for them")
	} else {
		e.report.add("login", Good, "as "+s.User, "")
	}
}

func loopback(contact string) bool {
	host, _, err := net.SplitHostPort(contact)
	if err != nil {
		host = contact
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
