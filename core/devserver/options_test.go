package devserver

import (
	"fmt"
	"io"
	stdlog "log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/cassandra"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

func TestMain(m *testing.M) {
	stdlog.SetOutput(io.Discard) // the lines that upstream's loader prints
	os.Exit(m.Run())
}

// given are the options of a command line without flags.
func given(change ...func(*Options)) Options {
	o := Options{IP: "127.0.0.1", Port: DefaultPort, LogFormat: "text", DataDir: "/data"}
	for _, f := range change {
		f(&o)
	}
	return o
}

func registry(t *testing.T) *backend.Registry {
	t.Helper()
	r, err := backend.NewRegistry([]backend.Backend{embedded.New(), cassandra.New()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMisuseIsOneLine holds for all that needs no server to be seen.
func TestMisuseIsOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
	free := unused(t)
	t.Setenv("HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	tests := []struct {
		name string
		give Options
		want string
	}{
		{"an address that is none", given(func(o *Options) { o.IP = "here" }), `--ip "here": give an IP address`},
		{"one of the UI", given(func(o *Options) { o.UIIP = "there" }), `--ui-ip "there": give an IP address`},
		{"a port that is none", given(func(o *Options) { o.Port = 0 }), "--port 0: give a port from 1 to 65535"},
		{"a port beyond the last", given(func(o *Options) { o.MetricsPort = 65536 }), "--metrics-port 65536: give a port from 1 to 65535"},
		{"a level", given(func(o *Options) { o.LogLevel = "loud" }), `--log-level "loud": give one of debug, info, warn, error, never`},
		{"a format", given(func(o *Options) { o.LogFormat = "xml" }), `--log-format "xml": give one of text, json`},
		{"a namespace without a name", given(func(o *Options) { o.Namespaces = []string{" "} }), "--namespace: the name is empty"},
		{"a search attribute without a type", given(func(o *Options) { o.SearchAttributes = []string{"a"} }), `--search-attribute "a": write it as NAME=TYPE`},
		{"a type that is none", given(func(o *Options) { o.SearchAttributes = []string{"a=String"} }), `--search-attribute a: "String" is not a type: give one of Bool, Datetime, Double, Int, Keyword, KeywordList, Text`},
		{"two types", given(func(o *Options) { o.SearchAttributes = []string{"a=Int", "a=int", "a=Bool"} }), "--search-attribute a: it is given with the types Int and Bool"},
		{"a dynamic value that is no setting", given(func(o *Options) { o.DynamicConfig = []string{"x"} }), `--dynamic-config-value "x": write it as KEY=VALUE`},
		{"a dynamic value that is not JSON", given(func(o *Options) { o.DynamicConfig = []string{"frontend.rps=many"} }), "--dynamic-config-value frontend.rps: many is not JSON"},
		{"a dynamic value of another type", given(func(o *Options) { o.DynamicConfig = []string{`frontend.rps="many"`} }), `--dynamic-config-value frontend.rps: validation failed: key "frontend.rps" value many`},
		{"a dynamic key that nobody asks for", given(func(o *Options) { o.DynamicConfig = []string{"frontend.rsp=1"} }), `--dynamic-config-value frontend.rsp: unregistered key "frontend.rsp"`},
		{"memory and disk", given(func(o *Options) { o.Ephemeral = true }), "--ephemeral keeps data in memory, --data-dir on disk: give one of them"},
		{"the dialect of another database", given(func(o *Options) { o.Backend, o.Dialect = "cassandra", "ycql" }), "--dialect is of the embedded database: leave it out with --backend cassandra"},
		{"the memory of another database", given(func(o *Options) { o.Backend, o.Ephemeral = "cassandra", true }), "--ephemeral is of the embedded database: leave it out with --backend cassandra"},
		{"a database that does not exist", given(func(o *Options) { o.Backend = "casandra" }), `start-dev: backend: unknown backend "casandra", did you mean "cassandra"?`},
		{"a dialect that does not exist", given(func(o *Options) { o.Dialect = "sql" }), `start-dev: backends.embedded.dialect: "sql" is not a dialect`},
		{"several settings", given(func(o *Options) { o.Set = []string{"a.b=1", "backends.embedded.cach=1"} }), `--set a.b: unknown key "a"; --set backends.embedded.cach: unknown key`},
		{"TLS", given(func(o *Options) {
			o.Set = []string{"global.tls.frontend.server.certFile=a", "global.tls.frontend.server.keyFile=b"}
		}), "global.tls.frontend: "},
		{"no home", given(func(o *Options) { o.DataDir = "" }), "the user has no home directory to keep data in: give --data-dir"},
		{"a port that is taken", given(func(o *Options) { o.Port = port }), "the server cannot listen on " + taken.Addr().String() + ", which is taken"},
		{"that of the UI", given(func(o *Options) { o.UIPort = port }), "the UI cannot listen on " + taken.Addr().String() + ", which is taken: end what runs there (another server?) or give another --ui-port"},
		{"that of HTTP", given(func(o *Options) { o.HTTPPort = port }), "the HTTP API cannot listen on " + taken.Addr().String()},
		{"that of metrics", given(func(o *Options) { o.MetricsPort = port }), "the metrics cannot listen on " + taken.Addr().String()},
		{"one port for two", given(func(o *Options) { o.Port, o.UIPort = free, free }), fmt.Sprintf("the server and the UI would both listen on 127.0.0.1:%d: change --port or --ui-port", free)},
		{"an address of another machine", given(func(o *Options) { o.IP = "192.0.2.1" }), "the server cannot listen on 192.0.2.1:7233: bind: cannot assign requested address: give another --port"},
		{"a file where the directory should be", given(func(o *Options) { o.DataDir = filepath.Join(file, "data") }), "make the data directory " + file + "/data: not a directory: give a --data-dir"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Another server may have the default ports.
			if tt.give.Port == DefaultPort && tt.give.IP == "127.0.0.1" {
				tt.give.Port = unused(t)
			}
			if tt.give.UIPort == 0 {
				tt.give.UIPort = unused(t)
			}
			err := Run(tt.give, registry(t), io.Discard, nil, nil)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Run() = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

func unused(t *testing.T) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestDataDir(t *testing.T) {
	tests := []struct {
		name, goos string
		env        map[string]string
		want       string // empty: an error
	}{
		{"by the specification", "linux", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/x/temporal-ycql"},
		{"its default", "linux", map[string]string{"HOME": "/h"}, "/h/.local/share/temporal-ycql"},
		{"a value that it has ignored", "freebsd", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "x"}, "/h/.local/share/temporal-ycql"},
		{"on a Mac", "darwin", map[string]string{"HOME": "/h", "XDG_DATA_HOME": "/x"}, "/h/Library/Application Support/temporal-ycql"},
		{"on Windows", "windows", map[string]string{"LocalAppData": "/l"}, "/l/temporal-ycql"},
		{"of nobody", "linux", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DataDir(tt.goos, func(name string) string { return tt.env[name] })
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Fatalf("DataDir() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}
