package config_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/config"
)

// chosen shows what a configuration asks for: name, and options that differ
// between tests.
func chosen(l *config.Loaded) string {
	if l.Chosen == nil {
		return "stock"
	}
	o := l.Chosen.Opener.Options().(*fakeOptions) //nolint:forcetypeassert // of fakeBackend
	return l.Chosen.Name + " " + strings.Join(o.Hosts, ",") + " " + o.Keyspace + " " + o.User + " " + o.Password.Reveal()
}

const ours = minimal + `
backends:
  cassandra: {hosts: "c1,c2", keyspace: ck, password: 0123}
  yugabyte: {hosts: [y1], keyspace: yk, user: 7}
`

func TestShortForm(t *testing.T) {
	tests := []struct {
		name string
		file string
		set  []string
		env  []string
		want string
	}{
		{"a stock store stays stock beside options of ours", ours, nil, nil, "stock"},
		{"one word in the file", ours + "backend: cassandra\n", nil, nil, "cassandra c1,c2 ck  0123"},
		{"one word on the command line", ours + "backend: cassandra\n", []string{"backend=yugabyte"}, nil, "yugabyte y1 yk 7 "},
		{"one word in the environment", ours, nil, []string{"TEMPORAL__BACKEND=yugabyte"}, "yugabyte y1 yk 7 "},
		{"the command line wins over the environment", ours, []string{"backend=cassandra"}, []string{"TEMPORAL__BACKEND=yugabyte"}, "cassandra c1,c2 ck  0123"},
		{"an empty word takes it back", ours + "backend: cassandra\n", []string{"backend="}, nil, "stock"},
		{"a word without options means the defaults", minimal, []string{"backend=embedded"}, nil, "embedded  temporal  "},
		{"options by variable", ours, nil, []string{"TEMPORAL__BACKEND=cassandra", "TEMPORAL__BACKENDS__CASSANDRA__HOSTS=x, y", "TEMPORAL__BACKENDS__CASSANDRA__PASSWORD=p=1,2"}, "cassandra x,y ck  p=1,2"},
		{"options by setting", ours, []string{"backend=cassandra", "backends.cassandra.hosts=[x]", "backends.cassandra.maxconns=3"}, nil, "cassandra x ck  0123"},
		{"a custom data store block needs no word", "log: {level: warn}", []string{
			"persistence.defaultStore=d", "persistence.visibilityStore=v", "persistence.numHistoryShards=1", "clusterMetadata.currentClusterName=a",
			"persistence.datastores.d.customDatastore.name=yugabyte", "persistence.datastores.d.customDatastore.options.hosts=z",
			"persistence.datastores.v.sql={pluginName: sqlite, databaseName: d, connectAddr: a, connectProtocol: tcp}",
		}, nil, "yugabyte z temporal  "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := tt.env
			if env == nil {
				env = []string{}
			}
			l, err := config.Load(config.Source{File: write(t, "c.yaml", tt.file), Set: tt.set, Environ: env}, registry(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := chosen(l); got != tt.want {
				t.Fatalf("the configuration asks for %q, want %q", got, tt.want)
			}
			custom := l.Config.Persistence.DataStores[l.Config.Persistence.DefaultStore].CustomDataStoreConfig
			if (custom != nil) != (l.Chosen != nil) {
				t.Fatalf("the server's configuration holds %+v", custom)
			}
		})
	}
}

func TestShortFormKeepsWhatIsNotTheDatabase(t *testing.T) {
	l, err := loadText(t, strings.Replace(minimal, "default: &store", `default: &store
      faultInjection: {targets: {dataStores: {ShardStore: {methods: {UpdateShard: {seed: 7}}}}}}`, 1), "backend=cassandra")
	if err != nil {
		t.Fatal(err)
	}
	p := l.Config.Persistence
	store := p.DataStores["default"]
	if store.SQL != nil || store.FaultInjection == nil || store.FaultInjection.Targets.DataStores["ShardStore"].Methods["UpdateShard"].Seed != 7 {
		t.Fatalf("the default store is %+v", store)
	}
	if p.DataStores["visibility"].SQL == nil || p.NumHistoryShards != 4 {
		t.Fatalf("the rest changed: %+v", p)
	}
}

func TestOptionsTravelAsWritten(t *testing.T) {
	l, err := loadText(t, ours, "backend=cassandra")
	if err != nil {
		t.Fatal(err)
	}
	options := l.Config.Persistence.DataStores["default"].CustomDataStoreConfig.Options
	if options["password"] != "0123" || options["hosts"] != "c1,c2" {
		t.Fatalf("options = %v", options)
	}
}

func TestEnvironmentTemplateForOurs(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string
		vis  string // plugin, address
	}{
		{
			"DB=yugabyte",
			map[string]string{"DB": "yugabyte", "YUGABYTE_SEEDS": "y1,y2", "YUGABYTE_PORT": "9043", "KEYSPACE": "k", "YUGABYTE_PASSWORD": `a"b\c: 0`},
			`yugabyte y1,y2 k  a"b\c: 0`, "sqlite localhost",
		},
		{"DB=embedded", map[string]string{"DB": "embedded"}, "embedded  temporal  ", "sqlite localhost"},
		{
			"ours beside the variables of stock Cassandra",
			map[string]string{"TEMPORAL__BACKEND": "cassandra", "CASSANDRA_SEEDS": "c", "CASSANDRA_USER": "u", "CASSANDRA_PASSWORD": "0123"},
			"cassandra c temporal u 0123", "sqlite localhost",
		},
		{"visibility by DB", map[string]string{"TEMPORAL__BACKEND": "cassandra", "DB": "mysql8", "MYSQL_SEEDS": "m"}, "cassandra  temporal  ", "mysql8 m:3306"},
		{"visibility by VISIBILITY_DB", map[string]string{"DB": "yugabyte", "VISIBILITY_DB": "postgres12", "POSTGRES_SEEDS": "p", "VISIBILITY_DB_PORT": "1"}, "yugabyte  temporal  ", "postgres12 p:1"},
		{"visibility by ENABLE_ES", map[string]string{"DB": "yugabyte", "ENABLE_ES": "true", "ES_SEEDS": "es", "ES_VERSION": "v8"}, "yugabyte  temporal  ", "elasticsearch"},
		{"visibility in SQLite with grouped writes", map[string]string{"DB": "yugabyte", "VISIBILITY_DB": "sqlite-grouped"}, "yugabyte  temporal  ", "sqlite-grouped localhost"},
		{"VISIBILITY_DB beside stock Cassandra", map[string]string{"CASSANDRA_SEEDS": "c", "VISIBILITY_DB": "sqlite"}, "stock", "sqlite localhost"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			l, err := config.Load(config.Source{}, registry(t))
			if err != nil {
				t.Fatal(err)
			}
			if got := chosen(l); got != tt.want {
				t.Errorf("the environment asks for %q, want %q", got, tt.want)
			}
			vis := l.Config.Persistence.GetVisibilityStoreConfig()
			got := "elasticsearch"
			if vis.Elasticsearch == nil {
				got = vis.SQL.PluginName + " " + vis.SQL.ConnectAddr
			}
			if got != tt.vis {
				t.Errorf("visibility is %q, want %q", got, tt.vis)
			}
			if len(l.Warnings) != 0 {
				t.Errorf("warnings: %q", l.Warnings)
			}
		})
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	tests := []struct {
		name string
		file string
		set  []string
		env  []string
		want []string // lines; FILE stands for the path
	}{
		{
			"a misspelt option", minimal + "backend: cassandra\nbackends:\n  cassandra:\n    prot: 1\n", nil, nil,
			[]string{`FILE:14: backends.cassandra.prot: unknown key, did you mean "port"?`},
		},
		{
			"a mistyped option", minimal + "backend: cassandra\nbackends: {cassandra: {port: x, tls: {enabled: 7}}}\n", nil, nil,
			[]string{`FILE:12: backends.cassandra.port: must be a whole number, not "x"`, `FILE:12: backends.cassandra.tls.enabled: must be true or false, not "7"`},
		},
		{
			"a fault of sense in a key that is not given", minimal + "backend: cassandra\nbackends: {cassandra: {tls: {caFile: x}}}\n", nil, nil,
			[]string{`FILE:12: backends.cassandra.tls.enabled: must be true where tls.caFile is given`},
		},
		{
			"faults that a backend joins", minimal + "backend: cassandra\nbackends:\n  cassandra:\n    keyspace: ''\n    user: u\n", nil, nil,
			[]string{`FILE:14: backends.cassandra.keyspace: must be named`, `FILE:15: backends.cassandra.user: must have a keyspace: any`, `FILE:14: backends.cassandra: nothing: fits`},
		},
		{
			"a misspelt option of a database that is not chosen", minimal + "backends: {yugabyte: {hots: x}}\n", nil, nil,
			[]string{`FILE:11: backends.yugabyte.hots: unknown key, did you mean "hosts"?`},
		},
		{
			"options of a database that does not exist", minimal + "backends: {casandra: {hosts: x}}\n", nil, nil,
			[]string{`FILE:11: backends.casandra: unknown backend "casandra", did you mean "cassandra"? (this binary contains: cassandra, embedded, yugabyte)`},
		},
		{
			"an unknown database", minimal,
			[]string{"backend=oracle"},
			nil,
			[]string{`--set backend: backend: unknown backend "oracle" (this binary contains: cassandra, embedded, yugabyte)`},
		},
		{
			"a misspelt key of ours at the top", minimal + "backned: cassandra\n", nil, nil,
			[]string{`FILE:11: backned: unknown key, did you mean "backend"?`},
		},
		{
			"a mistyped key of stock's", minimal,
			[]string{"persistence.numHistoryShards=many"},
			nil,
			[]string{"--set persistence.numHistoryShards: persistence.numHistoryShards: cannot unmarshal !!str `many` into int32"},
		},
		{
			"a mistyped key of stock's in a file", minimal + "log: {stdout: [1]}\n", nil, nil,
			[]string{"FILE:11: log.stdout: cannot unmarshal !!seq into bool"},
		},
		{
			"options given twice", strings.Replace(minimal, "default: &store", "default: {customDatastore: {name: cassandra, options: {port: 1}}}\n    unused: &store", 1) + "backend: cassandra\nbackends: {cassandra: {port: 2}}\n", nil, nil,
			[]string{"FILE:13: backends.cassandra: options of cassandra are given here and in persistence.datastores.default.customDatastore.options (FILE:7): keep one of them"},
		},
		{
			"a custom data store without name", strings.Replace(minimal, "default: &store", "default: {customDatastore: {names: cassandra}}\n    unused: &store", 1), nil, nil,
			[]string{
				`FILE:7: persistence.datastores.default.customDatastore.names: unknown key, did you mean "name"?`,
				`FILE:7: persistence.datastores.default.customDatastore.name: must name a database (cassandra, embedded, yugabyte)`,
			},
		},
		{
			"visibility in a database of ours", minimal,
			[]string{"backend=cassandra", "persistence.visibilityStore=default"},
			nil,
			[]string{`--set persistence.visibilityStore: persistence.visibilityStore: "default" is a cassandra store, which keeps no visibility records: name an sql or elasticsearch data store`},
		},
		{
			"a misspelt variable", minimal, nil,
			[]string{"TEMPORAL__PERSISTENCE__NUMHISTORYSHARD=1", "TEMPORAL__BACKENDS__CASSANDRA__HOST=1"},
			[]string{
				`environment variable TEMPORAL__BACKENDS__CASSANDRA__HOST: unknown key "backends.cassandra.HOST", did you mean "hosts"?`,
				`environment variable TEMPORAL__PERSISTENCE__NUMHISTORYSHARD: unknown key "persistence.NUMHISTORYSHARD", did you mean "numHistoryShards"?`,
			},
		},
		{"a setting without value", minimal, []string{"hunter2"}, nil, []string{"--set: write it as a.b=value"}},
		{
			"a setting for a mapping", minimal,
			[]string{"log=debug"},
			nil,
			[]string{"--set log: this is a mapping: set one of its keys (stdout, level, outputFile, format, development), or give it as {key: value}"},
		},
		{"a setting below a value", minimal, []string{"log.level.x=1"}, nil, []string{`--set log.level.x: "log.level" holds a value, it has no keys`}},
		{"YAML that is none", "a: [", nil, nil, []string{"FILE: yaml: line 1: did not find expected node content"}},
		{"a key twice", "log: {level: a}\nlog: {level: b}\n", nil, nil, []string{`FILE:2: key "log" is given already in line 1`}},
		{"a list as configuration", "- a\n", nil, nil, []string{"FILE: the top level must be a mapping of keys to values"}},
		{
			"what upstream requires", strings.Replace(minimal, "numHistoryShards: 4", "numHistoryShards: 0", 1), nil, nil,
			[]string{"Persistence.NumHistoryShards: zero value"},
		},
		{
			"no visibility store", strings.Replace(minimal, "visibilityStore: visibility", "", 1), nil, nil,
			[]string{"persistence config error: visibilityStore must be specified"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "c.yaml", tt.file)
			env := tt.env
			if env == nil {
				env = []string{}
			}
			_, err := config.Load(config.Source{File: path, Set: tt.set, Environ: env}, registry(t))
			if err == nil {
				t.Fatal("the configuration was accepted")
			}
			got := strings.ReplaceAll(err.Error(), path, "FILE")
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Fatalf("Load() =\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestWarningsNameTheirPlace(t *testing.T) {
	path := write(t, "c.yaml", minimal+"publicClient:\n  hostPrt: a:1\nrubbish: 1\n")
	l, err := config.Load(config.Source{File: path, Environ: []string{}}, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		path + `:12: publicClient.hostPrt: unknown key, ignored; did you mean "hostPort"?`,
		path + `:13: rubbish: unknown key, ignored`,
	}
	if strings.Join(l.Warnings, "\n") != strings.Join(want, "\n") {
		t.Fatalf("warnings = %q, want %q", l.Warnings, want)
	}
}

func TestOverridesReachStockKeys(t *testing.T) {
	l, err := config.Load(config.Source{
		File: write(t, "c.yaml", minimal+"services: {internal-frontend: {rpc: {grpcPort: 1}}}\nglobal: {tls: {internode: {hostOverrides: {a.example.com: {keyFile: k}}}}}\n"),
		Environ: []string{
			"TEMPORAL__PERSISTENCE__NUMHISTORYSHARDS=512", "TEMPORAL__PERSISTENCE__DATASTORES__VISIBILITY__SQL__PASSWORD=0123",
			"TEMPORAL__PERSISTENCE__DATASTORES__DEFAULT__SQL__CONNECTATTRIBUTES__MODE=yes", "TEMPORAL__SERVICES__INTERNAL_FRONTEND__RPC__GRPCPORT=17236",
			"TEMPORAL__GLOBAL__MEMBERSHIP__MAXJOINDURATION=5s", "TEMPORAL__LOG__LEVEL=", "OTHER=1",
			"TEMPORAL__PERSISTENCE__DATASTORES__DEFAULT__FAULTINJECTION={targets: {dataStores: {ShardStore: {methods: {GetOrCreateShard: {errors: {Timeout: 0.5}}}}}}}",
		},
		Set: []string{
			`global.tls.internode.hostOverrides.a\.example\.com.certFile=c`, "services.frontend.rpc.httpAdditionalForwardedHeaders=x-a, x-b",
		},
	}, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	stores := c.Persistence.DataStores
	if c.Persistence.NumHistoryShards != 512 || stores["visibility"].SQL.Password != "0123" || stores["default"].SQL.Password != "hunter2" ||
		stores["default"].SQL.ConnectAttributes["mode"] != "yes" {
		t.Errorf("persistence = %+v", c.Persistence)
	}
	if stores["default"].FaultInjection.Targets.DataStores["ShardStore"].Methods["GetOrCreateShard"].Errors["Timeout"] != 0.5 {
		t.Error("the fault injection block did not arrive")
	}
	if c.Services["internal-frontend"].RPC.GRPCPort != 17236 || strings.Join(c.Services["frontend"].RPC.HTTPAdditionalForwardedHeaders, "|") != "x-a|x-b" {
		t.Errorf("services = %+v", c.Services)
	}
	if o := c.Global.TLS.Internode.PerHostOverrides["a.example.com"]; o.KeyFile != "k" || o.CertFile != "c" {
		t.Errorf("host overrides = %+v", c.Global.TLS.Internode.PerHostOverrides)
	}
	if c.Global.Membership.MaxJoinDuration.String() != "5s" {
		t.Errorf("maxJoinDuration = %v", c.Global.Membership.MaxJoinDuration)
	}
}

func TestRenderedConfigurationLoadsAgainAndMasks(t *testing.T) {
	t.Setenv("SHARDS", "7")
	path := write(t, "c.yaml", "# enable-template\n"+strings.Replace(ours, "numHistoryShards: 4", `numHistoryShards: {{ env "SHARDS" }}`, 1)+
		"otel: {exporters: [{kind: {signal: traces, model: otlp, protocol: grpc}, spec: {headers: {authToken: hunter2}, connection: {endpoint: 'localhost:4317'}}}]}\n")
	l, err := config.Load(config.Source{File: path, Set: []string{"backend=cassandra", "log.level=debug"}, Environ: []string{"TEMPORAL__LOG__STDOUT=true"}}, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	text := l.String()
	for _, secret := range []string{"hunter2", "0123"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows", secret)
		}
	}
	for _, line := range []string{
		"numHistoryShards: 7 # " + path + ":6", "level: debug # --set log.level", "stdout: true # environment variable TEMPORAL__LOG__STDOUT",
		`password: "******" # ` + path + ":14", "name: cassandra # --set backend", "port: 9042 # default", "enableHostVerification: false # default",
		"# " + path + ":16\n  exporters:", "endpoint: 'localhost:4317'",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
	if l.String() != text {
		t.Error("it is rendered otherwise the second time")
	}
	again, err := config.Load(config.Source{File: write(t, "again.yaml", text), Environ: []string{}}, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := chosen(again); got != "cassandra c1,c2 ck  ******" || len(again.Warnings) != 0 {
		t.Errorf("loaded again it asks for %q, warnings %q", got, again.Warnings)
	}
}

func TestSourcesExcludeEachOther(t *testing.T) {
	if _, err := config.Load(config.Source{File: "a", Dir: "b"}, registry(t)); err == nil {
		t.Fatal("a file and a directory were accepted together")
	}
	given := map[string]any{"log": map[string]any{"level": "warn"}}
	if _, err := config.Load(config.Source{File: "a", Given: given, GivenBy: "this command"}, registry(t)); err == nil || !strings.HasPrefix(err.Error(), "this command describes its configuration by itself") {
		t.Fatalf("a file beside what a command gives: %v", err)
	}
	_, err := config.Load(config.Source{Dir: t.TempDir(), Environ: []string{}}, registry(t))
	if err == nil || !strings.HasPrefix(err.Error(), "failed to get config files: no config files found in directory: ") {
		t.Fatalf("an empty directory gives %v", err)
	}
	_, err = config.Load(config.Source{File: filepath.Join(t.TempDir(), "none"), Environ: []string{}}, registry(t))
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatalf("a missing file gives %v", err)
	}
}

// What a command gives is a layer like a file: others lie over it, and faults name
// the command.
func TestACommandGivesTheFirstLayer(t *testing.T) {
	src := config.Source{GivenBy: "this command", Given: map[string]any{
		"backend":  "cassandra",
		"backends": map[string]any{"cassandra": map[string]any{"hosts": []string{"a"}, "port": 7}},
		"log":      map[string]any{"level": "warn"},
		"persistence": map[string]any{
			"defaultStore": "default", "visibilityStore": "visibility", "numHistoryShards": 4,
			"datastores": map[string]any{"visibility": map[string]any{"sql": map[string]any{
				"pluginName": "sqlite", "databaseName": "v", "connectAddr": "localhost", "connectProtocol": "tcp",
			}}},
		},
		"services": map[string]any{"frontend": map[string]any{"rpc": map[string]any{"grpcPort": 1}}},
	}, Environ: []string{"TEMPORAL__LOG__LEVEL=info"}, Set: []string{"services.frontend.rpc.grpcPort=2"}}
	l, err := config.Load(src, registry(t))
	if err != nil {
		t.Fatal(err)
	}
	if l.Chosen == nil || l.Chosen.Name != "cassandra" || l.Config.Log.Level != "info" || l.Config.Services["frontend"].RPC.GRPCPort != 2 {
		t.Fatalf("chosen %+v, log %+v, services %+v", l.Chosen, l.Config.Log, l.Config.Services)
	}
	if text := l.String(); !strings.Contains(text, "numHistoryShards: 4 # this command\n") {
		t.Fatal(text)
	}
	src.Given["backends"] = map[string]any{"cassandra": map[string]any{"prot": 7}}
	if _, err := config.Load(src, registry(t)); err == nil || !strings.HasPrefix(err.Error(), "this command: backends.cassandra.prot: ") {
		t.Fatalf("a misspelt option gives %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{minimal, ours, "a: &a [*a]", "<<: [1]", "backend: {}", "backends: []", "backends: {cassandra: [x]}", "? [a]\n: b", "persistence: 7"} {
		f.Add(seed, "backend=cassandra")
	}
	f.Add("persistence: {datastores: {a: {customDatastore: 7}, b: }}", "persistence.datastores.b={}")
	f.Add(ours, "backends.cassandra={hosts: {a: b}}")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content, set string) {
		if strings.Contains(content, "enable-template") {
			t.Skip()
		}
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := config.Load(config.Source{File: path, Set: []string{set}, Environ: []string{}}, registry(t))
		if err != nil {
			return
		}
		if text := l.String(); strings.Contains(text, "cannot be rendered") {
			t.Fatal(text)
		}
	})
}

// An unknown key below options of ours is never accepted, wherever it stands:
// each known key is misspelt at random, in files, variables and settings.
func TestMisspeltOptionsAreRefused(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	known := backend.KeysOf(fakeOptions{})
	letters := []rune("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 .-_/:\u00e9\u4e16")
	for range 300 {
		path := strings.Split(known[random.IntN(len(known))], ".")
		name := []rune(path[len(path)-1])
		at := random.IntN(len(name) + 1)
		if random.IntN(2) == 0 && at < len(name) {
			name = slices.Delete(name, at, at+1)
		} else {
			name = slices.Insert(name, at, letters[random.IntN(len(letters))])
		}
		path[len(path)-1] = string(name)
		if slices.Contains(known, strings.Join(path, ".")) || string(name) == "" {
			continue
		}
		content := minimal + "backend: cassandra\nbackends: {cassandra: "
		for _, key := range path {
			content += "{" + strconv.Quote(key) + ": "
		}
		content += "1" + strings.Repeat("}", len(path)+1) + "\n"
		_, err := loadText(t, content)
		if err == nil || !strings.Contains(err.Error(), ": unknown key") || !strings.Contains(err.Error(), ": backends.cassandra.") {
			t.Fatalf("misspelt %q gives %v", path, err)
		}
	}
}

// Damaged files are refused or loaded, and what loads can be rendered.
func TestDamagedFilesNeverPanic(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	pieces := []string{"{", "}", "[", "]", ": ", "- ", "&a ", "*store", "<<: ", "null", "~", "\n", "  ", "\"", "'", "# ", "!!map ", "| ", "? ", "0x10", "backend: ", "customDatastore: ", "\x00", "é"}
	base := ours + "backend: cassandra\nservices: {frontend: {rpc: {grpcPort: 1}}}\notel: {exporters: []}\n"
	for range 500 {
		content := base
		for range 1 + random.IntN(3) {
			at := random.IntN(len(content))
			end := min(len(content), at+random.IntN(6))
			content = content[:at] + pieces[random.IntN(len(pieces))] + content[end:]
		}
		l, err := loadText(t, content, "log.level=warn")
		if err != nil {
			continue
		}
		if text := l.String(); strings.Contains(text, "cannot be rendered") {
			t.Fatalf("%s\n%s", text, content)
		}
	}
}
