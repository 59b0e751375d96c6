package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/fx"
	"gopkg.in/yaml.v3"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

type fake struct{ name string }

func (f fake) Name() string                                        { return f.name }
func (f fake) NewOptions() any                                     { o := defaults(); return &o }
func (f fake) ParseOptions(map[string]any) (backend.Opener, error) { return nil, context.Canceled }
func newFake(name string) func() (fake, error) {
	return func() (fake, error) { return fake{name}, nil }
}

func TestRegistryCollectsOfferedBackends(t *testing.T) {
	var r *backend.Registry
	app := fx.New(fx.NopLogger, backend.Module, fx.Populate(&r),
		backend.Offer(newFake("yugabyte")), backend.Offer(newFake("cassandra")))
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Names()); got != "[cassandra yugabyte]" {
		t.Fatalf("Names() = %s", got)
	}
	b, err := r.Lookup("cassandra")
	if err != nil || b.Name() != "cassandra" {
		t.Fatalf("Lookup() = %v, %v", b, err)
	}
}

func TestRegistryErrors(t *testing.T) {
	lookup := func(name string, backends ...backend.Backend) error {
		r, err := backend.NewRegistry(backends)
		if err != nil {
			return err
		}
		_, err = r.Lookup(name)
		return err
	}
	tests := []struct {
		name string
		give error
		want string
	}{
		{"a misspelt name", lookup("casandra", fake{"cassandra"}, fake{"yugabyte"}), `unknown backend "casandra", did you mean "cassandra"? (this binary contains: cassandra, yugabyte)`},
		{"a name like no other", lookup("oracle", fake{"cassandra"}), `unknown backend "oracle" (this binary contains: cassandra)`},
		{"no backend at all", lookup("cassandra"), `unknown backend "cassandra": this binary contains none`},
		{"the same name twice", lookup("a", fake{"a"}, fake{"a"}), `backend "a" is offered twice, by backend_test.fake and backend_test.fake`},
		{"a name that is no word", lookup("a", fake{"A B"}), `backend name "A B" is not a lower case word`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.give == nil || tt.give.Error() != tt.want {
				t.Fatalf("error is %v\nwant     %v", tt.give, tt.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"hosts", "port", "keyspace", "maxConns", "writeTimeout"}
	tests := []struct{ name, give, want string }{
		{"swapped letters", "prot", "port"},
		{"a missing letter", "host", "hosts"},
		{"other case and underscores", "MAX_CONNS", "maxConns"},
		{"a few slips in a long word", "writetimout", "writeTimeout"},
		{"nothing near", "frobnicate", ""},
		{"a short word is not near everything", "tls", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := backend.Nearest(tt.give, keys); got != tt.want {
				t.Fatalf("Nearest(%q) = %q, want %q", tt.give, got, tt.want)
			}
		})
	}
}

func TestSecretNeverShows(t *testing.T) {
	s := backend.Secret("hunter2")
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "password", s, "options", struct{ P backend.Secret }{s})
	inJSON, err := json.Marshal(map[string]any{"p": s, "list": []backend.Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(map[string]any{"p": s, "list": []backend.Secret{s}})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{
		fmt.Sprintf("%s %v %+v %#v %q %x %d", s, s, s, s, s, s, s),
		fmt.Sprintf("%v %+v %#v", struct{ P backend.Secret }{s}, &struct{ P backend.Secret }{s}, []backend.Secret{s}),
		fmt.Errorf("with %w %v", context.Canceled, s).Error(),
		log.String(), string(inJSON), string(inYAML),
	} {
		if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret shows: %s", shown)
		}
		if !strings.Contains(shown, backend.Mask) {
			t.Errorf("no mask in: %s", shown)
		}
	}
	if s.Reveal() != "hunter2" || backend.Secret("").String() != "" {
		t.Error("Reveal or the empty secret is wrong")
	}
}

func TestIsSecretKey(t *testing.T) {
	for key, want := range map[string]bool{
		"password": true, "PASSWORD": true, "keyData": true, "accessToken": true, "client_secret": true,
		"passwordFile": false, "keyFile": false, "caData": false, "certData": false, "user": false, "keyspace": false, "tokenPath": false,
	} {
		if got := backend.IsSecretKey(key); got != want {
			t.Errorf("IsSecretKey(%q) = %v", key, got)
		}
	}
}

func TestDescribeOptions(t *testing.T) {
	o := defaults()
	var got []string
	for _, d := range backend.DescribeOptions(&o) {
		got = append(got, fmt.Sprintf("%s|%s|%s|%v|%s", d.Path, d.Kind, d.Default, d.Secret, d.Field))
	}
	want := []string{
		"hosts|list of text|a, b, c|false|Hosts", "port|whole number|9042|false|Port", "maxConns|whole number|0|false|MaxConns",
		"ratio|number|0|false|Ratio", "user|text||false|User", "password|text||true|Password", "timeout|duration|10s|false|Timeout",
		"consistency|text|quorum|false|Level",
		"tls|mapping||false|TLS", "tls.enabled|true or false|false|false|Enabled", "tls.caFile|text||false|CaFile", "tls.serverName|text||false|ServerName",
		"more|mapping||false|More", "more.enabled|true or false|false|false|Enabled", "more.caFile|text||false|CaFile", "more.serverName|text||false|ServerName",
		"labels|mapping to text|map[kept:yes]|false|Labels", "lookup|true or false||false|Lookup",
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("DescribeOptions() =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
