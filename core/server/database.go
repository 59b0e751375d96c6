package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
)

// fewShards is a number of history shards that limits a cluster's throughput
// for ever: each shard's writes go one after the other.
const fewShards = 16

// checkDatabase looks at the database of ours that is chosen, before Temporal
// touches it: a wrong address, password, schema or number of shards shows as
// one line that says what to do, and nothing has been written. Stock stores
// check themselves.
func checkDatabase(ctx context.Context, p Params, logger log.Logger) error {
	if p.Loaded.Chosen == nil {
		return nil
	}
	warnShardConcurrency(p, logger)
	if o, ok := p.Loaded.Chosen.Opener.(backend.InProcess); ok {
		if err := makeSchema(ctx, o, logger); err != nil {
			return err
		}
	}
	if err := checkSchema(ctx, p.Loaded.Chosen.Opener, logger); err != nil {
		return err
	}
	return checkShards(ctx, p, logger)
}

// holdDatabase keeps a database that is part of this process open until release
// is called. Others need no holding.
func holdDatabase(p Params, logger log.Logger) (release func() error, err error) {
	if p.Loaded.Chosen != nil {
		if o, ok := p.Loaded.Chosen.Opener.(backend.InProcess); ok {
			return o.Hold(backend.Env{Logger: log.NewSlogLogger(logger), Application: "temporal-server", Broken: p.broken})
		}
	}
	return func() error { return nil }, nil
}

// schemaTimeout bounds the making of a schema on this machine's disk.
const schemaTimeout = 2 * time.Minute

// makeSchema makes or updates the keyspace of a database that nobody but this
// process can reach.
func makeSchema(ctx context.Context, opener backend.InProcess, logger log.Logger) error {
	set, err := schema.For(opener.Dialect().Name())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, schemaTimeout)
	defer cancel()
	env := backend.Env{Logger: log.NewSlogLogger(logger), Application: "temporal-server"}
	admin, err := opener.OpenAdmin(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // every statement has been answered
	before, err := schema.ReadVersion(ctx, admin, opener.Keyspace())
	missing := errors.Is(err, schema.ErrNoKeyspace) || errors.Is(err, schema.ErrNoSchema)
	if err != nil && !missing {
		return err
	}
	tool := &schema.Tool{
		Admin: admin, Set: set, Keyspace: opener.Keyspace(), Out: io.Discard, Alone: true,
		Prepare: schema.Preparing(opener, env, io.Discard),
	}
	if missing {
		if err := tool.Create(ctx, schema.Replication{}); err != nil {
			return err
		}
	}
	if err := tool.Update(ctx); err != nil {
		return err
	}
	after, err := schema.ReadVersion(ctx, admin, opener.Keyspace())
	if err != nil {
		return err
	}
	if after != before {
		logger.Info("The schema of the database was made or updated.",
			tag.String("keyspace", opener.Keyspace()), tag.String("from", before.Current), tag.String("to", after.Current))
	}
	return nil
}

func checkSchema(ctx context.Context, opener backend.Opener, logger log.Logger) error {
	set, err := schema.For(opener.Dialect().Name())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	admin, err := opener.OpenAdmin(ctx, backend.Env{Logger: log.NewSlogLogger(logger), Application: "temporal-server"})
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // it was used for reading alone
	return schema.Check(ctx, admin, set, opener.Keyspace())
}

// checkShards compares the configured number of history shards with the one
// that the cluster was made with. Temporal itself would warn and go on with the
// latter; a process that computes shards otherwise than its operator believes
// is not what anybody wants to find out later.
func checkShards(ctx context.Context, p Params, logger log.Logger) error {
	cfg := p.Loaded.Config
	store := cfg.Persistence.DataStores[cfg.Persistence.DefaultStore].CustomDataStoreConfig
	f, err := (&stores{registry: p.Registry, make: p.Stores}).open(*store, resolver.NewNoopResolver(), cfg.ClusterMetadata.CurrentClusterName,
		logger, metrics.NoopMetricsHandler, serialization.NewSerializer())
	if err != nil {
		return err
	}
	defer f.Close()
	clusters, err := f.NewClusterMetadataStore()
	if err != nil {
		return err
	}
	manager := persistence.NewClusterMetadataManagerImpl(clusters, serialization.NewSerializer(), cfg.ClusterMetadata.CurrentClusterName, logger)
	defer manager.Close()
	ctx, cancel := context.WithTimeout(headers.SetCallerInfo(ctx, headers.SystemOperatorCallerInfo), openTimeout)
	defer cancel()
	found, err := manager.GetClusterMetadata(ctx, &persistence.GetClusterMetadataRequest{ClusterName: cfg.ClusterMetadata.CurrentClusterName})
	configured := cfg.Persistence.NumHistoryShards
	var none *serviceerror.NotFound
	switch {
	case errors.As(err, &none):
		// A database inside of the process is for one machine, as few shards are.
		if _, ok := p.Loaded.Chosen.Opener.(backend.InProcess); !ok && configured < fewShards {
			logger.Warn(fmt.Sprintf("A new cluster is made with %d history shards. The number limits its throughput and can never be changed: for production use 512 or more.", configured),
				tag.Key("persistence.numHistoryShards"))
		}
		return nil
	case err != nil:
		return fmt.Errorf("read cluster metadata: %w", err)
	case found.HistoryShardCount != configured:
		return fmt.Errorf("cluster %q in keyspace %q was made with %d history shards, persistence.numHistoryShards is %d: set it to %d, it can never be changed",
			cfg.ClusterMetadata.CurrentClusterName, p.Loaded.Chosen.Opener.Keyspace(), found.HistoryShardCount, configured, found.HistoryShardCount)
	}
	return nil
}

// warnShardConcurrency tells that a setting has no effect here. Upstream forces
// it to 1 for its own Cassandra store; our stores write one after the other for
// each shard, whatever it says.
func warnShardConcurrency(p Params, logger log.Logger) {
	client := p.Loaded.Config.DynamicConfigClient
	if client == nil || client.Filepath == "" {
		return
	}
	content, err := os.ReadFile(client.Filepath)
	if err != nil {
		return // the server reports it
	}
	for _, v := range dynamicconfig.LoadYamlFile(content).Map[dynamicconfig.ShardIOConcurrency.Key()] {
		if n, ok := v.Value.(int); ok && n > 1 {
			logger.Warn("Dynamic configuration: history.shardIOConcurrency has no effect: this data store writes one at a time for each shard.", tag.Int("value", n))
			return
		}
	}
}
