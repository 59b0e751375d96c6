package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	p "go.temporal.io/server/common/persistence"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/plan"
	"github.com/temporal-ycql/temporal-ycql/core/records"
)

// host is a member of a cluster that said lately that it lives. Servers say so
// every 10 s and take each other for dead after 20 s (server v1.32.2,
// common/membership/ringpop/monitor.go, healthyHostLastHeartbeatCutoff).
type host struct {
	role    string
	address string
	id      string
	beat    time.Time
}

func (h host) String() string { return fmt.Sprintf("%s at %s", h.role, h.address) }

var roles = map[p.ServiceType]string{p.Frontend: "frontend", p.History: "history", p.Matching: "matching", p.Worker: "worker", p.InternalFrontend: "internal-frontend"}

// hosts lists the members that have said within d that they live, by the clock of
// this machine.
func (s *Side) hosts(ctx context.Context, d time.Duration) (map[string]host, error) {
	f, err := s.stores()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	store, err := f.NewClusterMetadataStore()
	if err != nil {
		return nil, err
	}
	found := make(map[string]host)
	var token []byte
	for {
		page, err := store.GetClusterMembers(ctx, &p.GetClusterMembersRequest{LastHeartbeatWithin: d, PageSize: 100, NextPageToken: token})
		if err != nil {
			return nil, fmt.Errorf("look for living hosts of the %s: %w", s.Name, err)
		}
		for _, m := range page.ActiveMembers {
			h := host{role: roles[m.Role], address: fmt.Sprintf("%s:%d", m.RPCAddress, m.RPCPort), id: hex.EncodeToString(m.HostID), beat: m.LastHeartbeat}
			found[h.role+h.id] = h
		}
		if token = page.NextPageToken; len(token) == 0 {
			return found, nil
		}
	}
}

// stopped proves that no host of a side is alive: no heartbeat is younger than the
// timeout, and no shard changes while one waits. It waits for heartbeats of hosts
// that have just stopped to grow old, and fails as soon as one of them beats again.
func (m *Migration) stopped(ctx context.Context, s *Side) error {
	if _, local := s.Opener.(backend.InProcess); local {
		return nil // this process has it open, so no other has
	}
	var before map[string]host
	for {
		found, err := s.hosts(ctx, m.HostTimeout)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			break
		}
		for id, h := range found {
			if old, seen := before[id]; before != nil && (!seen || h.beat.After(old.beat)) {
				return fmt.Errorf("prove that the servers of the %s are stopped: %s has just said that it is alive: stop every host of %s and run the command again",
					s.Name, h, s.File)
			}
		}
		if before == nil {
			names := make([]string, 0, len(found))
			for _, h := range found {
				names = append(names, h.String())
			}
			slices.Sort(names)
			m.progress.say(fmt.Sprintf("waiting up to %s for the last heartbeats of the %s to grow old: %s", m.HostTimeout, s.Name, strings.Join(slices.Compact(names), ", ")))
		}
		before = found
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
	a, err := m.shardRows(ctx, s)
	if err != nil {
		return err
	}
	if err := sleep(ctx, m.Settle); err != nil {
		return err
	}
	b, err := m.shardRows(ctx, s)
	if err != nil {
		return err
	}
	for shard, row := range b {
		if a[shard] != row {
			return fmt.Errorf("prove that the servers of the %s are stopped: shard %d was written within the last %s: stop every host of %s and run the command again",
				s.Name, shard, m.Settle, s.File)
		}
	}
	return nil
}

// shardRow is what is looked at of a shard.
type shardRow struct {
	found   bool
	rangeID int64
	info    [32]byte
	inBlob  int64 // the range that the state names
}

var errNoShard = errors.New("has no row: no server has ever run on it")

// shardRows reads the rows of all shards as they stand.
func (m *Migration) shardRows(ctx context.Context, s *Side) (map[int64]shardRow, error) {
	src, err := s.source(records.Options{})
	if err != nil {
		return nil, err
	}
	all := make(map[int64]shardRow)
	rows := make([]shardRow, s.Shards+1)
	err = each(ctx, int(s.Shards), func(ctx context.Context, i int) error {
		shard := int64(i) + 1
		r, err := src.Get(ctx, records.Ref{Kind: records.Shard, Unit: records.ShardUnit(shard), Key: []any{shard}})
		if err != nil {
			return fmt.Errorf("read shard %d of the %s: %w", shard, s.Name, err)
		}
		if r == nil {
			return nil
		}
		blob := r.Blob(plan.ShardInfo)
		row := shardRow{found: true, rangeID: r.Int(plan.ShardRangeID), info: sha256.Sum256(blob.Data)}
		if len(blob.Data) > 0 {
			info, err := decodeShard(blob)
			if err != nil {
				return fmt.Errorf("read shard %d of the %s: its state is damaged: %w", shard, s.Name, err)
			}
			row.inBlob = info.GetRangeId()
		}
		rows[shard] = row
		return nil
	})
	for shard := int64(1); shard <= int64(s.Shards); shard++ {
		all[shard] = rows[shard]
	}
	return all, err
}

// sortedShards are the keys in order.
func sortedShards(rows map[int64]shardRow) []int64 { return slices.Sorted(maps.Keys(rows)) }
