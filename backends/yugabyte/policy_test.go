package yugabyte

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

func addHosts(p *policy, addresses ...string) {
	for i, a := range addresses {
		h := (&gocql.HostInfo{}).SetConnectAddress(net.ParseIP(a))
		h.SetHostID(fmt.Sprint(i))
		p.AddHost(h)
	}
}

// order returns all hosts that the driver would ask, in their order.
func order(t *testing.T, p *policy, replicas ...string) []string {
	t.Helper()
	ctx, leave, err := p.choose(t.Context(), replicas)
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	var all []string
	pick := p.Pick(new(gocql.Query).WithContext(ctx))
	for h := pick(); h != nil; h = pick() {
		all = append(all, h.Info().ConnectAddress().String())
	}
	return all
}

func TestStatementsGoToTheLeaderFirst(t *testing.T) {
	p := newPolicy(gocql.RoundRobinHostPolicy(), 0, func() {})
	addHosts(p, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
	for range 8 {
		got := order(t, p, "10.0.0.3", "10.0.0.1")
		if len(got) != 4 || got[0] != "10.0.0.3" || got[1] != "10.0.0.1" {
			t.Fatalf("hosts asked: %v", got)
		}
		if slices.Sort(got); len(slices.Compact(got)) != 4 {
			t.Fatalf("a host is asked twice: %v", got)
		}
	}
	if got := order(t, p, "10.9.9.9", "10.0.0.2"); got[0] != "10.0.0.2" || len(got) != 4 {
		t.Fatalf("with a leader that the driver does not know: %v", got)
	}
}

func TestStatementsOfUnknownPartitionsGoToAllInTurn(t *testing.T) {
	p := newPolicy(gocql.RoundRobinHostPolicy(), 0, func() {})
	addHosts(p, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	first := map[string]int{}
	for range 9 {
		got := order(t, p)
		if len(got) != 3 {
			t.Fatalf("hosts asked: %v", got)
		}
		first[got[0]]++
	}
	for a, n := range first {
		if n != 3 {
			t.Fatalf("%s was first %d times of 9: %v", a, n, first)
		}
	}
}

func TestHostsThatAreGoneAreNotAsked(t *testing.T) {
	changes := 0
	p := newPolicy(gocql.RoundRobinHostPolicy(), 0, func() { changes++ })
	addHosts(p, "10.0.0.1", "10.0.0.2")
	p.RemoveHost(p.find("10.0.0.1").HostInfo)
	if got := order(t, p, "10.0.0.1", "10.0.0.2"); !slices.Equal(got, []string{"10.0.0.2"}) {
		t.Fatalf("hosts asked: %v", got)
	}
	p.HostDown(p.find("10.0.0.2").HostInfo)
	if changes != 4 {
		t.Fatalf("%d changes were noticed, want 4", changes)
	}
	p.RemoveHost(p.find("10.0.0.2").HostInfo)
	if got := order(t, p, "10.0.0.1", "10.0.0.2"); len(got) != 0 {
		t.Fatalf("hosts asked: %v", got)
	}
}

func TestRequestsToOneHostAreBounded(t *testing.T) {
	p := newPolicy(gocql.RoundRobinHostPolicy(), 2, func() {})
	addHosts(p, "10.0.0.1", "10.0.0.2")
	var leave []func()
	for range 2 {
		_, l, err := p.choose(t.Context(), []string{"10.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := p.choose(ctx, []string{"10.0.0.1"})
	var e *cql.Error
	if !errors.As(err, &e) || e.Reach != cql.Unsent || !errors.Is(err, context.Canceled) {
		t.Fatalf("a third request: %v", err)
	}
	if _, _, err := p.choose(ctx, []string{"10.0.0.2"}); err != nil {
		t.Fatalf("a request to another host: %v", err)
	}
	entered := make(chan error)
	go func() {
		_, _, err := p.choose(t.Context(), []string{"10.0.0.1"})
		entered <- err
	}()
	leave[0]()
	if err := <-entered; err != nil {
		t.Fatalf("a request after another has ended: %v", err)
	}
}

func TestFollowersComeAfterTheLeader(t *testing.T) {
	got := newTablet([]byte{0x80, 0}, map[string]string{"10.0.0.9": "FOLLOWER", "10.0.0.5": "READ_REPLICA", "10.0.0.7": "LEADER", "10.0.0.1": "FOLLOWER", "10.0.0.2": "NEW"})
	if got.start != 0x8000 || got.copies != 4 || !slices.Equal(got.replicas, []string{"10.0.0.7", "10.0.0.1", "10.0.0.9", "10.0.0.5", "10.0.0.2"}) {
		t.Fatalf("newTablet() = %+v", got)
	}
}

func TestTabletsAreFoundByHash(t *testing.T) {
	p := partitions{"t": {{start: 0, replicas: []string{"a"}}, {start: 100, replicas: []string{"b"}}, {start: 0xff00, replicas: []string{"c"}}}}
	for hash, want := range map[uint16]string{0: "a", 99: "a", 100: "b", 0xfeff: "b", 0xff00: "c", 0xffff: "c"} {
		if got := p.replicas("t", hash); len(got) != 1 || got[0] != want {
			t.Errorf("replicas(%d) = %v, want %s", hash, got, want)
		}
	}
	if got := p.replicas("other", 5); got != nil {
		t.Errorf("replicas of an unknown table: %v", got)
	}
}
