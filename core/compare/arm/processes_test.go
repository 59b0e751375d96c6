package arm_test

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheDatabasesProcessesAreFound where they are on this machine; where one of them
// is not, that is said.
func TestTheDatabasesProcessesAreFound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	host, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	stock := func(set ...string) []string {
		for i := range set {
			set[i] = "persistence.datastores.default.cassandra." + set[i]
		}
		return set
	}
	ours := func(set ...string) []string {
		for i := range set {
			set[i] = "persistence.datastores.default.customDatastore.options." + set[i]
		}
		return set
	}
	tests := []struct {
		name, file string
		set        []string
		inside     bool
		pids       []int
		unknown    string
	}{
		{"stock Cassandra", "stock-cassandra.yaml", stock("hosts="+host, "port="+port), false, []int{os.Getpid()}, ""},
		{"ours", "ours-cassandra.yaml", ours("hosts="+host, "port="+port), false, []int{os.Getpid()}, ""},
		{"ours, the port beside the host", "ours-cassandra.yaml", ours("hosts=" + l.Addr().String()), false, []int{os.Getpid()}, ""},
		{"a node twice", "stock-cassandra.yaml", stock("hosts="+host+", localhost", "port="+port), false, []int{os.Getpid()}, ""},
		{"a node elsewhere", "stock-cassandra.yaml", stock("hosts="+host+",192.0.2.1", "port="+port), false, []int{os.Getpid()}, "192.0.2.1:" + port + ": no process on this machine"},
		{"the engine", "embedded-ycql-memory.yaml", nil, true, nil, ""},
		{"stock SQLite", "stock-sqlite-file.yaml", nil, true, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := load(t, arms+tt.file, tt.set...)
			require.Equal(t, tt.inside, a.Inside())
			pids, err := a.Processes()
			require.Equal(t, tt.pids, pids)
			if tt.unknown == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.unknown)
			}
		})
	}
}
