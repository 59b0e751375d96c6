package embedded_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
)

// gauges are the names that were told.
type gauges struct {
	mu    sync.Mutex
	names map[string]bool
}

func (*gauges) Count(string, int64, ...string)        {}
func (*gauges) Time(string, time.Duration, ...string) {}

func (g *gauges) Gauge(name string, _ float64, _ ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.names[name] = true
}

// TestASessionTellsWhatTheEngineDoes to whoever measures, and ends with the session.
func TestASessionTellsWhatTheEngineDoes(t *testing.T) {
	nothingLeft(t)
	o := opener(t, embedded.New(), raw{"ephemeral": true})
	release, err := o.Hold(env)
	require.NoError(t, err)
	keyspace(t, o)
	measured, to := env, &gauges{names: map[string]bool{}}
	measured.Metrics = to
	for range 2 {
		conn, err := o.Open(t.Context(), measured)
		require.NoError(t, err)
		to.mu.Lock()
		for _, name := range []string{"embedded_compactions", "embedded_flushes", "embedded_log_syncs", "embedded_disk_bytes"} {
			require.True(t, to.names[name], name)
		}
		clear(to.names)
		to.mu.Unlock()
		require.NoError(t, conn.Session.Close())
		require.NoError(t, conn.Session.Close(), "twice")
	}
	n, open := o.Compactions()
	require.True(t, open)
	require.GreaterOrEqual(t, n, int64(0))
	require.NoError(t, release())
	_, open = o.Compactions()
	require.False(t, open)
}
