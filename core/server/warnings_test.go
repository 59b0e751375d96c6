package server_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log"

	"github.com/temporal-ycql/temporal-ycql/core/server"
)

// warnings returns those that hold a text.
func (l *lines) warnings(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.all), func(line string) bool {
		return !strings.HasPrefix(line, "warn: ") || !strings.Contains(line, text)
	})
}

// TestShardConcurrencyIsWarnedOf: our stores write one at a time for each shard; who
// asks for more is told that it has no effect.
func TestShardConcurrencyIsWarnedOf(t *testing.T) {
	for content, want := range map[string]int{
		"history.shardIOConcurrency: [{value: 4}]\n": 1,
		"history.shardIOConcurrency: [{value: 1}]\n": 0,
		"frontend.rps: [{value: 4}]\n":               0,
	} {
		path := filepath.Join(t.TempDir(), "dynamic.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		// It ends before it opens a store: there is no keyspace.
		p, _ := load(t, &database{none: true}, "backend=cassandra", "dynamicConfigClient={filepath: "+path+", pollInterval: 10s}")
		logger := &lines{Logger: log.NewNoopLogger()}
		p.Logger = logger
		require.ErrorContains(t, server.Run(p, nil, mustNotAbort), "does not exist")
		got := logger.warnings("history.shardIOConcurrency has no effect")
		require.Len(t, got, want, content)
		if want == 1 {
			require.Contains(t, got[0], "value=4")
		}
	}
}
