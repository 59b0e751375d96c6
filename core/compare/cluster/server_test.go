package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

func inMemory(dir, binary string) ServerOptions {
	return ServerOptions{
		Arm: "a", Binary: binary, Dir: dir,
		Source: config.Source{
			File: filepath.Join("..", "..", "..", "config", "embedded.yaml"),
			Set:  []string{"backends.embedded.dataDir=", "backends.embedded.ephemeral=true"},
		},
		Registry: func() (*backend.Registry, error) { return backend.NewRegistry([]backend.Backend{embedded.New()}) },
	}
}

// program writes a shell script that plays a server.
func program(t *testing.T, dir, text string) string {
	t.Helper()
	path := filepath.Join(dir, "server")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\ncd "+dir+"\necho run >> runs\n"+text), 0o700))
	return path
}

// TestAPortThatSomebodyTookMeanwhileIsNoDeath starts again, at other ports; what
// else is wrong is reported at once.
func TestAPortThatSomebodyTookMeanwhileIsNoDeath(t *testing.T) {
	dir := t.TempDir()
	binary := program(t, dir, `if [ "$(wc -l < runs)" = 1 ]; then echo 'listen tcp 127.0.0.1:1: bind: address already in use'; else echo broken; fi; exit 1`)
	_, err := Start(t.Context(), inMemory(dir, binary))
	require.EqualError(t, err, "the server of arm a ended by itself (exit status 1); its log ends with: broken")
	runs, err := os.ReadFile(filepath.Join(dir, "runs"))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(runs), "run"))
}

func TestPortsOfAServerDiffer(t *testing.T) {
	s := &Server{dir: t.TempDir()}
	o := inMemory(s.dir, "")
	registry, err := o.Registry()
	require.NoError(t, err)
	loaded, err := config.Load(o.Source, registry)
	require.NoError(t, err)
	set, err := s.moved(loaded.Config, o)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, setting := range set {
		name, value, _ := strings.Cut(setting, "=")
		if strings.HasSuffix(name, "Port") {
			require.False(t, seen[value], "%s: %v", name, set)
			seen[value] = true
		}
	}
	require.GreaterOrEqual(t, len(seen), 9, "%v", set)
}

func TestAServerWithTLSOrAnAuthorizerIsRefused(t *testing.T) {
	for _, tt := range []struct {
		set  []string
		want string
	}{
		{[]string{"global.authorization.authorizer=default"}, "global.authorization: "},
		{[]string{"global.tls.frontend.server.certFile=c.pem", "global.tls.frontend.server.keyFile=k.pem"}, "global.tls: "},
		{[]string{"global.tls.internode.server.certFile=c.pem", "global.tls.internode.server.keyFile=k.pem"}, "global.tls: "},
	} {
		dir := t.TempDir()
		o := inMemory(dir, program(t, dir, "exit 1"))
		o.Source.Set = append(o.Source.Set, tt.set...)
		_, err := Start(t.Context(), o)
		require.ErrorContains(t, err, tt.want)
		require.NoFileExists(t, filepath.Join(dir, "runs"), "it was not started")
	}
}

func TestTheEndOfALogIsShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	text := fmt.Sprintf("one\ntwo\n{\"msg\":\"three\",\"stacktrace\":\"%s\"}\n%s\n", strings.Repeat("s", 1000), strings.Repeat("x", 1000))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	require.Equal(t, `two | {"msg":"three" | `+strings.Repeat("x", lineWidth), tail(path, 3))
}
