package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestCommandLineOfStock holds commands, flags, variables, texts and exit statuses
// to those of stock Temporal's server, whose place this one takes: both are run with
// the same arguments in the same directory. No case gets as far as a database.
func TestCommandLineOfStock(t *testing.T) {
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("stock Temporal is what it is")
	}
	own, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	stock, err := harness.StockServer(t.Context())
	require.NoError(t, err)

	dir := t.TempDir()
	file := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	file("good.yaml", "frontend.namespaceRPS: [{value: 7}]\n")
	file("bad.yaml", "frontend.namespaceRPS: 7\n")
	file("unknown.yaml", "no.such.key: [{value: 7}]\n")
	file("config/empty/.keep", "")
	file("config/incomplete.yaml", "log: {level: fatal}\npersistence: {numHistoryShards: 4}\n")
	file("template.yaml", "# enable-template\nlog: {level: {{ nothing }}}\n")

	tests := []struct {
		name string
		args []string
		env  []string
		// differs says why the exit status is another one, on purpose.
		differs string
	}{
		{"version", []string{"--version"}, nil, ""},
		{"help of start", []string{"start", "--help"}, nil, ""},
		{"help of render-config", []string{"render-config", "--help"}, nil, ""},
		{"help of validate-dynamic-config", []string{"validate-dynamic-config", "--help"}, nil, ""},
		{"arguments of start", []string{"start", "frontend"}, nil, ""},
		{"a file and an environment", []string{"--config-file", "x", "--env", "y", "start"}, nil, ""},
		{"a file and a root, by variables", []string{"start"}, []string{"TEMPORAL_SERVER_CONFIG_FILE_PATH=x", "TEMPORAL_ROOT=y"}, ""},
		{"a directory without files", []string{"--config", "config/empty", "start"}, nil, ""},
		{"a root, a directory and a zone", []string{"--root", "/nowhere", "--config", "c", "--zone", "z", "start"}, nil, ""},
		{"a zone by the variable with the typing error", []string{"start"}, []string{"TEMPORAL_AVAILABILTY_ZONE=z", "TEMPORAL_CONFIG_DIR=config/empty"}, ""}, //nolint:misspell // upstream's own
		{"a configuration that lacks what is required", []string{"--env", "incomplete", "start"}, nil, ""},
		{"what is required is missing, by render-config", []string{"--env", "incomplete", "render-config"}, nil, ""},
		{"a template with a fault", []string{"--config-file", "template.yaml", "start"}, nil, ""},
		{"services as stock took them once", []string{"--config", "config/empty", "start", "--services=frontend,history"}, nil, ""},
		{"dynamic configuration", []string{"validate-dynamic-config", "good.yaml", "unknown.yaml"}, nil, ""},
		{"dynamic configuration with faults", []string{"validate-dynamic-config", "bad.yaml"}, nil, "stock's main drops the error"},
		{"dynamic configuration that is not there", []string{"validate-dynamic-config", "none.yaml"}, nil, "stock's main drops the error"},
		{"a flag that does not exist", []string{"start", "--colour"}, nil, "stock's main drops the error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want, wantStatus := runIn(t, dir, stock, tt.env, tt.args)
			got, gotStatus := runIn(t, dir, own, tt.env, tt.args)
			if tt.differs != "" {
				require.Zero(t, wantStatus, tt.differs)
				require.Equal(t, 1, gotStatus)
				require.True(t, strings.HasPrefix(got, want), "stock says\n%s\nthis one\n%s", want, got)
				return
			}
			require.Equal(t, wantStatus, gotStatus, "stock says\n%s\nthis one\n%s", want, got)
			wantLines, gotLines := distinct(want), distinct(got)
			require.Len(t, gotLines, len(wantLines), "stock says\n%s\nthis one\n%s", want, got)
			for i, line := range wantLines {
				// This one may say more.
				require.True(t, strings.HasPrefix(gotLines[i], strings.TrimSuffix(line, ".")), "stock says\n%s\nthis one\n%s", line, gotLines[i])
			}
		})
	}
}

// distinct drops lines that say again what the one before said: stock logs twice that
// it loads a directory.
func distinct(text string) []string { return slices.Compact(strings.Split(text, "\n")) }

var timeOfDay = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `)

// runIn runs a program and returns all that it prints, without times.
func runIn(t *testing.T, dir, binary string, env, args []string) (text string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, append(cleanEnvironment(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, ctx.Err(), "it does not end: %s", out)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return timeOfDay.ReplaceAllString(string(out), ""), cmd.ProcessState.ExitCode()
}
