package visibility

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/config"
)

func TestParseOptions(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file := filepath.Join(dir, "v.db")
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(dir, link))
	tests := []struct {
		name string
		give config.SQL
		want options
	}{
		{"nothing but a name", config.SQL{DatabaseName: file}, options{path: file}},
		{"another name of it", config.SQL{DatabaseName: filepath.Join(link, "v.db")}, options{path: file}},
		{
			"the sample for stock's plugin",
			config.SQL{DatabaseName: file, ConnectAttributes: map[string]string{
				"mode": "rwc", "setup": "true", "journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "cache": "private",
			}},
			options{path: file, busyTimeout: 5 * time.Second},
		},
		{"in memory", config.SQL{ConnectAttributes: map[string]string{"mode": "memory"}}, options{ephemeral: true}},
		{
			"tuned",
			config.SQL{DatabaseName: file, ConnectAttributes: map[string]string{"linger": "50ms", "cache_size": "-8000"}},
			options{path: file, linger: 50 * time.Millisecond, pragmas: map[string]string{"cache_size": "-8000"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.linger == 0 {
				tt.want.linger = defaultLinger
			}
			if tt.want.busyTimeout == 0 {
				tt.want.busyTimeout = defaultBusyTimeout
			}
			if tt.want.pragmas == nil {
				tt.want.pragmas = map[string]string{}
			}
			got, err := parseOptions(&tt.give)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestParseOptionsRefuses(t *testing.T) {
	dir := t.TempDir()
	tests := []struct{ key, value, want string }{
		{"mode", "ro", `connectAttributes.mode is "ro": want rwc (a file) or memory`},
		{"linger", "2s", "want a duration from 0s to 1s"},
		{"linger", "20", "want a duration"},
		{"linger", "-1ms", "want a duration"},
		{"busy_timeout", "10s", "want milliseconds"},
		{"journal_mode", "delete", "groups of writes need wal"},
		{"synchronous", "normal", "for data that need not last set mode: memory"},
		{"setup", "false", "leave the key out"},
		{"cache", "shared", "want private"},
		{"cache_size", "big", "want a number"},
		{"lingr", "20ms", "unknown; known are busy_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.key+"="+tt.value, func(t *testing.T) {
			_, err := parseOptions(&config.SQL{DatabaseName: filepath.Join(dir, "v.db"), ConnectAttributes: map[string]string{tt.key: tt.value}})
			require.ErrorContains(t, err, "connectAttributes."+tt.key)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := parseOptions(&config.SQL{DatabaseName: filepath.Join(dir, "missing", "v.db"), ConnectAttributes: map[string]string{"mode": "ro", "lingr": "1"}})
	require.ErrorContains(t, err, "connectAttributes.mode")
	require.ErrorContains(t, err, "connectAttributes.lingr")
	require.ErrorContains(t, err, "its directory cannot be used")
	_, err = parseOptions(&config.SQL{})
	require.ErrorContains(t, err, "databaseName is empty")
}
