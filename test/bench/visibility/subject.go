package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

// subjects are what is compared: upstream's plugin as its samples configure it,
// and ours.
var subjects = []struct {
	name, plugin string
	attributes   map[string]string
}{
	{"stock-file", sqlite.PluginName, map[string]string{"mode": "rwc", "setup": "true", "journal_mode": "wal", "synchronous": "2", "busy_timeout": "10000"}},
	{"stock-memory", sqlite.PluginName, map[string]string{"mode": "memory", "cache": "private"}},
	{"own-file", visibility.PluginName, map[string]string{}},
	{"own-ephemeral", visibility.PluginName, map[string]string{"mode": "memory"}},
}

// subject is one open store.
type subject struct {
	name             string
	customAttributes bool
	db               sqlplugin.DB
}

// open opens subject i in dir, with so many finished workflows in it.
func open(ctx context.Context, i int, dir string, customAttributes bool, rows int) (*subject, error) {
	visibility.Register()
	s := subjects[i]
	cfg := &config.SQL{
		PluginName: s.plugin, ConnectAddr: "localhost", ConnectProtocol: "tcp", ConnectAttributes: s.attributes,
		DatabaseName: filepath.Join(dir, fmt.Sprintf("%s-%v.db", s.name, customAttributes)),
	}
	db, err := sql.NewSQLDB(sqlplugin.DbKindVisibility, cfg, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.name, err)
	}
	out := &subject{s.name, customAttributes, db}
	if err := out.fill(ctx, rows); err != nil {
		return nil, fmt.Errorf("fill %s: %w", s.name, err)
	}
	return out, nil
}

// fill goes around both ways of writing, in one commit.
func (s *subject) fill(ctx context.Context, rows int) error {
	tx, err := s.db.BeginTx(ctx)
	if err != nil {
		return err
	}
	for range rows {
		row := s.start()
		closeRow(row)
		if _, err := tx.ReplaceIntoVisibility(ctx, row); err != nil {
			_ = tx.Rollback() // the error before it says more
			return err
		}
	}
	return tx.Commit()
}

// workflow does the three writes of a workflow with one workflow task and an
// unversioned worker: start, build ids, close.
func (s *subject) workflow(ctx context.Context) error {
	row := s.start()
	if _, err := s.db.InsertIntoVisibility(ctx, row); err != nil {
		return fmt.Errorf("record the start: %w", err)
	}
	(*row.SearchAttributes)["BuildIds"] = []string{"unversioned", "unversioned:9f2c8a7be1"}
	row.Version++
	if _, err := s.db.ReplaceIntoVisibility(ctx, row); err != nil {
		return fmt.Errorf("record search attributes: %w", err)
	}
	closeRow(row)
	if _, err := s.db.ReplaceIntoVisibility(ctx, row); err != nil {
		return fmt.Errorf("record the close: %w", err)
	}
	return nil
}

// start is the row of a workflow that has begun. The custom attributes are one of
// each type that has a column of its own.
func (s *subject) start() *sqlplugin.VisibilityRow {
	now := time.Now().UTC()
	attributes := sqlplugin.VisibilitySearchAttributes{}
	if s.customAttributes {
		attributes["Keyword01"] = uuid.NewString()
		attributes["Text01"] = "shipped to " + uuid.NewString()[:8]
		attributes["Int01"] = now.UnixMilli() % 1000
		attributes["Double01"] = float64(now.UnixMicro()%1000) / 8
		attributes["Bool01"] = now.UnixMicro()%2 == 0
		attributes["Datetime01"] = now
	}
	run, id := uuid.NewString(), "order-"+uuid.NewString()
	return &sqlplugin.VisibilityRow{
		NamespaceID: "0f1d6c3e-6d0f-4a86-8a51-6f6a6a0b1b7e", RunID: run, WorkflowID: id, WorkflowTypeName: "OrderWorkflow",
		StartTime: now, ExecutionTime: now, Status: 1, Encoding: "Proto3", TaskQueue: "orders",
		SearchAttributes: &attributes, RootWorkflowID: id, RootRunID: run, Version: now.UnixNano(),
	}
}

// closeRow makes it the row of one that has completed.
func closeRow(row *sqlplugin.VisibilityRow) {
	closed := time.Now().UTC()
	length, size, transitions, duration := int64(11), int64(1400), int64(7), closed.Sub(row.StartTime).Nanoseconds()
	row.CloseTime, row.HistoryLength, row.HistorySizeBytes = &closed, &length, &size
	row.StateTransitionCount, row.ExecutionDuration = &transitions, &duration
	row.Status = 2
	row.Version++
}
