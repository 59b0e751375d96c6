package yugabyte

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// policy is a gocql.HostSelectionPolicy that sends a statement where the session
// decided: see choose. Statements that were not decided about, such as the
// driver's own, go where its fallback says. It belongs to one gocql session.
type policy struct {
	gocql.HostSelectionPolicy
	limit   int    // of requests at once to one host; 0: none
	changed func() // called when hosts come, go or change their state

	mu    sync.Mutex
	hosts atomic.Pointer[hosts] // copied when it is changed
}

// hosts are the servers that the driver knows, by its name for them and by the
// addresses that the database may have for them.
type hosts struct {
	byInfo    map[*gocql.HostInfo]*host
	byAddress map[string]*host
}

// with returns a copy of h with or without a server. At one address the one that
// came last is found.
func (h *hosts) with(added *host, removed *gocql.HostInfo) *hosts {
	all := &hosts{byInfo: maps.Clone(h.byInfo), byAddress: map[string]*host{}}
	delete(all.byInfo, removed)
	if added != nil {
		all.byInfo[added.HostInfo] = added
	}
	index := func(one *host) {
		for _, ip := range []net.IP{one.Peer(), one.RPCAddress(), one.BroadcastAddress(), one.ConnectAddress()} {
			if len(ip) > 0 {
				all.byAddress[ip.String()] = one
			}
		}
	}
	for _, one := range all.byInfo {
		if one != added {
			index(one)
		}
	}
	if added != nil {
		index(added)
	}
	return all
}

// host is a server with what is under way on it.
type host struct {
	*gocql.HostInfo
	slots chan struct{} // nil without a limit
}

func newPolicy(fallback gocql.HostSelectionPolicy, limit int, changed func()) *policy {
	p := &policy{HostSelectionPolicy: fallback, limit: limit, changed: changed}
	p.hosts.Store(&hosts{byInfo: map[*gocql.HostInfo]*host{}})
	return p
}

// AddHost implements gocql.HostStateNotifier.
func (p *policy) AddHost(h *gocql.HostInfo) {
	p.add(h)
	p.HostSelectionPolicy.AddHost(h)
	p.changed()
}

// HostUp implements gocql.HostStateNotifier.
func (p *policy) HostUp(h *gocql.HostInfo) {
	p.add(h)
	p.HostSelectionPolicy.HostUp(h)
	p.changed()
}

// HostDown implements gocql.HostStateNotifier. The host is kept: it says itself
// that it is down.
func (p *policy) HostDown(h *gocql.HostInfo) {
	p.HostSelectionPolicy.HostDown(h)
	p.changed()
}

// RemoveHost implements gocql.HostStateNotifier.
func (p *policy) RemoveHost(h *gocql.HostInfo) {
	p.mu.Lock()
	p.hosts.Store(p.hosts.Load().with(nil, h))
	p.mu.Unlock()
	p.HostSelectionPolicy.RemoveHost(h)
	p.changed()
}

func (p *policy) add(h *gocql.HostInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.hosts.Load()
	if old.byInfo[h] != nil {
		return
	}
	added := &host{HostInfo: h}
	if p.limit > 0 {
		added.slots = make(chan struct{}, p.limit)
	}
	p.hosts.Store(old.with(added, nil))
}

// find returns the host that has an address, as the database names it.
func (p *policy) find(address string) *host { return p.hosts.Load().byAddress[address] }

// choice is where a statement goes: to these hosts first, then to the rest.
type choice struct {
	first []*gocql.HostInfo
	rest  gocql.NextHost
}

type choiceKey struct{}

// choose decides where a statement goes whose rows are on replicas, the best
// first; no replicas: to the servers in turn. It waits until the first of its
// hosts has room for another request, and returns the context to send it with
// and what to call when it was answered. The error is ctx's: nothing was sent.
func (p *policy) choose(ctx context.Context, replicas []string) (context.Context, func(), error) {
	c := choice{rest: p.HostSelectionPolicy.Pick(nil)}
	var first *host
	use := func(h *host) {
		if h == nil || !h.IsUp() {
			return
		}
		if first == nil {
			first = h
		}
		c.first = append(c.first, h.HostInfo)
	}
	for _, address := range replicas {
		use(p.find(address))
	}
	for first == nil {
		s := c.rest()
		if s == nil {
			// No host is up. The driver tries and says so.
			return context.WithValue(ctx, choiceKey{}, &c), func() {}, nil
		}
		use(p.hosts.Load().byInfo[s.Info()])
	}
	release, err := first.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	return context.WithValue(ctx, choiceKey{}, &c), release, nil
}

// enter waits until the host has room for a request.
func (h *host) enter(ctx context.Context) (leave func(), err error) {
	if h.slots == nil {
		return func() {}, nil
	}
	leave = func() { <-h.slots }
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case h.slots <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, &cql.Error{
			Reach: cql.Unsent, Err: ctx.Err(),
			Message: fmt.Sprintf("%d requests to %s are under way (maxInFlight), and none ended: %v", cap(h.slots), h.HostnameAndPort(), ctx.Err()),
		}
	}
}

// Pick implements gocql.HostSelectionPolicy.
func (p *policy) Pick(q gocql.ExecutableQuery) gocql.NextHost {
	if q == nil {
		return p.HostSelectionPolicy.Pick(q)
	}
	c, ok := q.Context().Value(choiceKey{}).(*choice)
	if !ok {
		return p.HostSelectionPolicy.Pick(q)
	}
	next := 0
	return func() gocql.SelectedHost {
		for next < len(c.first) {
			h := c.first[next]
			next++
			if h.IsUp() {
				return selected{h}
			}
		}
		for s := c.rest(); s != nil; s = c.rest() {
			if !slices.Contains(c.first, s.Info()) {
				return s
			}
		}
		return nil
	}
}

// selected implements gocql.SelectedHost.
type selected struct{ host *gocql.HostInfo }

// Info implements gocql.SelectedHost.
func (s selected) Info() *gocql.HostInfo { return s.host }

// Mark implements gocql.SelectedHost.
func (selected) Mark(error) {}
