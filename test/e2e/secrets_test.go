package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// vault holds secrets and everything that was said while a program knew them.
type vault struct {
	t       *testing.T
	binary  string
	dir     string
	secrets map[string]string // what it is -> its text
	ran     map[string]bool   // commands
}

// TestNobodyTellsSecrets runs every command with configurations full of secrets,
// right and wrong ones, and looks for them in all that is printed, logged, served as
// metrics or written to a report.
func TestNobodyTellsSecrets(t *testing.T) {
	if os.Getenv(harness.SubjectEnv) == "stock" {
		t.Skip("stock Temporal masks otherwise")
	}
	t.Parallel()
	binary, err := harness.OwnServer(t.Context())
	require.NoError(t, err)
	v := &vault{t: t, binary: binary, dir: t.TempDir(), ran: map[string]bool{}, secrets: map[string]string{
		"the database's password": "sentinel-db-5fk2q8",
		"a wrong password":        "sentinel-wrong-9dk3x1",
		"visibility's password":   "sentinel-vis-7hh4c6",
		"a token":                 "sentinel-token-2mm8z0",
	}}
	key := v.key()
	passwordFile := filepath.Join(v.dir, "password")
	require.NoError(t, os.WriteFile(passwordFile, []byte(v.secrets["the database's password"]+"\n"), 0o600))

	d, err := harness.StartCQL(t.Context(), "ycql", t.TempDir(), "--user", "temporal", "--password-file", passwordFile)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Kill() })
	v.ran["cql"] = true
	d.User, d.Password = "temporal", v.secrets["the database's password"]
	l, err := harness.Over(t.Context(), d)
	require.NoError(t, err)
	visibility := harness.SQLite(v.dir)
	visibility["sql"].(map[string]any)["password"] = v.secrets["visibility's password"] //nolint:forcetypeassert // it is one
	s := launch(t, l, harness.Spec{Visibility: visibility, Metrics: true})
	v.ran["schema"], v.ran["start"] = true, true
	work(t, s.Client, "secrets", worker.Options{})
	require.Equal(t, "done", result[string](t, start(t, s.Client, "secrets", wfEcho, "done")))

	good := s.ConfigFile(0)
	bad := v.change(good, "wrong.yaml", func(options map[string]any) { options["password"] = v.secrets["a wrong password"] })
	// A key that belongs to another certificate, and a server that knows no TLS.
	tls := v.change(good, "tls.yaml", func(options map[string]any) {
		options["tls"] = map[string]any{"enabled": true, "certData": v.certificate(), "keyData": key}
	})
	mistyped := v.change(good, "mistyped.yaml", func(options map[string]any) {
		options["pasword"], options["password"] = v.secrets["the database's password"], []any{v.secrets["a token"]}
	})
	for _, config := range []string{good, bad, tls, mistyped} {
		for _, command := range [][]string{
			{"render-config"},
			{"schema", "version"},
			{"schema", "verify"},
			{"schema", "update"},
			{"schema", "create", "--dry-run"},
			{"schema", "drop"},
			{"schema", "explain"},
			{"doctor", "--rounds", "1"},
			{"doctor", "--json", "--rounds", "1"},
		} {
			v.run(append([]string{"--config-file", config}, command...)...)
		}
		if config != good {
			v.run("--config-file", config, "start")
		}
		for _, verb := range []string{"assess", "status", "verify"} {
			v.run("migrate", verb, "--from", config, "--to", good, "--state", filepath.Join(v.dir, "migration"))
		}
		v.run("compare", "--quick", "--a", config, "--b", bad, "--out", filepath.Join(v.dir, "compare-"+filepath.Base(config)))
	}
	v.run("--set", "backend=yugabyte", "--set", "backends.yugabyte.password="+v.secrets["a token"], "render-config")
	v.run("start-dev", "--ephemeral", "--headless", "--backend", "yugabyte", "--set", "backends.yugabyte.hosts=127.0.0.1:1",
		"--set", "backends.yugabyte.password="+v.secrets["a token"])
	v.run("cql", "--dialect", "ycql", "--ephemeral", "--listen", d.Addr(), "--user", "u", "--password-file", passwordFile)
	v.run("validate-dynamic-config", passwordFile)
	v.run("version")
	v.run("help")
	v.everyCommand()
	v.compared(good)
	v.look("metrics", fetch(t, "http://"+s.MetricsOf(0)+"/metrics", http.StatusOK))
	require.NoError(t, s.Stop())
	v.migrated(good, passwordFile)

	// The files that hold them: this would see them elsewhere too.
	for _, config := range []string{good, bad, tls, filepath.Join(v.dir, "stock.yaml"), filepath.Join(v.dir, "target.yaml")} {
		text, err := os.ReadFile(config)
		require.NoError(t, err)
		require.NotEmpty(t, v.find(string(text)), "secrets are not found where they are")
	}
	v.look("the server's log", s.Log(0))
	v.look("the engine's log", d.Log())
	// All that the commands left, reports among it.
	require.NoError(t, filepath.WalkDir(v.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == passwordFile || strings.HasSuffix(path, ".yaml") || strings.HasSuffix(path, ".pem") {
			return err
		}
		text, err := os.ReadFile(path)
		v.look(path, string(text))
		return err
	}))
}

// compared compares two databases whose configurations hold passwords, to the end: the
// second is a stock one.
func (v *vault) compared(good string) {
	v.t.Helper()
	stock := v.changeStore(good, "stock.yaml", func(store map[string]any) {
		delete(store, "customDatastore")
		store["sql"] = map[string]any{
			"pluginName": "sqlite", "databaseName": filepath.Join(v.dir, "stock.db"), "connectAddr": "localhost", "connectProtocol": "tcp",
			"connectAttributes": map[string]any{"mode": "rwc", "setup": "true"}, "maxConns": 1, "maxIdleConns": 1,
			"user": "temporal", "password": v.secrets["a token"],
		}
	})
	plan := filepath.Join(v.dir, "plan.yaml")
	require.NoError(v.t, os.WriteFile(plan, []byte("pairs: 1\ncontamination: {others: 1, lag: 0s, repeats: 0}\n"+
		"store: {rates: [50], duration: 1s, warmupLeast: 0s, warmupMost: 0s, open: 10, timeout: 1m, deadAfter: 2m}\n"), 0o600))
	out := filepath.Join(v.dir, "compared")
	v.mustRun("compare", "--a", good, "--b", stock, "--plan", plan, "--out", out)
	for _, file := range []string{"run.json", "report.html"} { // the walk looks into them
		text, err := os.ReadFile(filepath.Join(out, file))
		require.NoError(v.t, err)
		require.Contains(v.t, string(text), "password", "%s shows the configurations", file)
	}
}

// migrated moves the deployment to another database with a password, and back.
func (v *vault) migrated(good, passwordFile string) {
	v.t.Helper()
	to, err := harness.StartCQL(v.t.Context(), "ycql", v.t.TempDir(), "--user", "temporal", "--password-file", passwordFile)
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = to.Kill() })
	target := v.change(good, "target.yaml", func(options map[string]any) { options["port"], options["keyspace"] = to.Port, "moved" })
	state := filepath.Join(v.dir, "moved")
	for _, verb := range [][]string{
		{"assess"},
		{"init", "--fence", "--host-timeout", "1s", "--settle", "1s"},
		{"copy"},
		{"status"},
		{"verify"},
		{"explain", "namespaces", "--decoded"},
		{"switch"},
		{"rollback", "--host-timeout", "1s", "--settle", "1s"},
	} {
		v.mustRun(append(append([]string{"migrate"}, verb...), "--from", good, "--to", target, "--state", state)...)
	}
	kept, err := os.ReadDir(state)
	require.NoError(v.t, err)
	require.NotEmpty(v.t, kept, "the walk looks into it")
	v.look("the target's log", to.Log())
}

// key makes a private key, whose every line is a secret.
func (v *vault) key() string {
	v.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(v.t, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(v.t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if !strings.HasPrefix(line, "-----") {
			v.secrets[fmt.Sprintf("line %d of a key", i)] = line
		}
	}
	return text
}

// certificate is no secret, and nothing that a key belongs to.
func (*vault) certificate() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not one")}))
}

// change writes a configuration with other options of its store.
func (v *vault) change(path, name string, change func(options map[string]any)) string {
	v.t.Helper()
	return v.changeStore(path, name, func(store map[string]any) {
		for _, step := range []string{"customDatastore", "options"} {
			next, ok := store[step].(map[string]any)
			require.True(v.t, ok, step)
			store = next
		}
		change(store)
	})
}

// changeStore writes a configuration with another store.
func (v *vault) changeStore(path, name string, change func(store map[string]any)) string {
	v.t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(v.t, err)
	var config map[string]any
	require.NoError(v.t, json.Unmarshal(text, &config))
	at := config
	for _, step := range []string{"persistence", "datastores", "default"} {
		next, ok := at[step].(map[string]any)
		require.True(v.t, ok, step)
		at = next
	}
	change(at)
	text, err = json.Marshal(config)
	require.NoError(v.t, err)
	out := filepath.Join(v.dir, name)
	require.NoError(v.t, os.WriteFile(out, text, 0o600))
	return out
}

// commandLimit is for a command that hangs: a comparison, or a migration's check, takes
// seconds on a machine that is free.
const commandLimit = 10 * time.Minute

// run runs a command to its end, or for a while, and looks at what it said.
func (v *vault) run(args ...string) {
	v.t.Helper()
	_, _ = v.try(args...) // many fail, and that is the point
}

// mustRun is run for a command that must not fail.
func (v *vault) mustRun(args ...string) {
	v.t.Helper()
	out, err := v.try(args...)
	require.NoError(v.t, err, "%v\n%s", args, out)
}

func (v *vault) try(args ...string) (string, error) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, v.binary, args...)
	cmd.Dir = v.dir
	out, err := cmd.CombinedOutput()
	require.NoError(v.t, ctx.Err(), "%v does not end", args)
	if err != nil {
		require.NotEmpty(v.t, out, "%v fails and says nothing", args)
	}
	for _, a := range args {
		v.ran[a] = true
	}
	v.look(strings.Join(args, " "), string(out))
	return string(out), err
}

// look fails if a text holds a secret.
func (v *vault) look(where, text string) {
	v.t.Helper()
	for _, told := range v.find(text) {
		v.t.Errorf("%s tells %s", where, told)
	}
}

// find returns the secrets in a text, each with what is around it.
func (v *vault) find(text string) (found []string) {
	for what, secret := range v.secrets {
		if i := strings.Index(text, secret); i >= 0 {
			around := text[max(0, i-120):min(len(text), i+len(secret)+40)]
			found = append(found, fmt.Sprintf("%s: %q", what, strings.ReplaceAll(around, secret, "SECRET")))
		}
	}
	return found
}

// everyCommand fails if there is a command that was not looked at.
func (v *vault) everyCommand() {
	v.t.Helper()
	out, err := exec.CommandContext(v.t.Context(), v.binary, "help").Output()
	require.NoError(v.t, err)
	_, list, ok := strings.Cut(string(out), "COMMANDS:\n")
	require.True(v.t, ok)
	names := 0
	for lines := bufio.NewScanner(strings.NewReader(list)); lines.Scan() && strings.HasPrefix(lines.Text(), "   "); names++ {
		name := strings.TrimSuffix(strings.Fields(lines.Text())[0], ",")
		if !v.ran[name] {
			v.t.Errorf("command %s was not looked at", name)
		}
	}
	require.Greater(v.t, names, 5)
}
