package backend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// level is an option with a vocabulary of its own.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "one":
		*l = 1
	case "quorum":
		*l = 2
	default:
		return fmt.Errorf("must be one or quorum, not %q", b)
	}
	return nil
}

func (l level) MarshalText() ([]byte, error) {
	return []byte([]string{"", "one", "quorum"}[l]), nil
}

type tlsOptions struct {
	Enabled    bool   `koanf:"enabled"`
	CaFile     string `koanf:"caFile"`
	ServerName string `koanf:"serverName"`
}

type options struct {
	Hosts    []string          `koanf:"hosts"`
	Port     int               `koanf:"port"`
	MaxConns uint8             `koanf:"maxConns"`
	Ratio    float64           `koanf:"ratio"`
	User     string            `koanf:"user"`
	Password backend.Secret    `koanf:"password"`
	Timeout  time.Duration     `koanf:"timeout"`
	Level    level             `koanf:"consistency"`
	TLS      tlsOptions        `koanf:"tls"`
	More     *tlsOptions       `koanf:"more"`
	Labels   map[string]string `koanf:"labels"`
	Lookup   *bool             `koanf:"lookup"`
}

func defaults() options {
	return options{
		Hosts: []string{"a", "b", "c"}, Port: 9042, Timeout: 10 * time.Second, Level: 2,
		Labels: map[string]string{"kept": "yes"},
	}
}

type raw = map[string]any

func TestDecode(t *testing.T) {
	yes := true
	tests := []struct {
		name string
		give raw
		want func(*options)
	}{
		{"nothing given leaves the defaults", raw{}, func(*options) {}},
		{"null leaves the default", raw{"port": nil, "tls": nil, "timeout": nil, "hosts": nil}, func(*options) {}},
		{"plain values", raw{"port": 1, "timeout": "3s", "tls": raw{"enabled": true, "caFile": "x"}, "consistency": "one"}, func(o *options) {
			o.Port, o.Timeout, o.TLS, o.Level = 1, 3*time.Second, tlsOptions{Enabled: true, CaFile: "x"}, 1
		}},
		{"numbers as text, as templates make them", raw{"port": "19042", "maxConns": "20", "ratio": "0.5"}, func(o *options) {
			o.Port, o.MaxConns, o.Ratio = 19042, 20, 0.5
		}},
		{"whole floats, as JSON copies make them", raw{"port": float64(19042), "maxConns": float64(20), "ratio": 2}, func(o *options) {
			o.Port, o.MaxConns, o.Ratio = 19042, 20, 2
		}},
		{"true and false as text", raw{"tls": raw{"enabled": "true"}, "lookup": "TRUE"}, func(o *options) {
			o.TLS.Enabled, o.Lookup = true, &yes
		}},
		{"a list replaces the default list as a whole", raw{"hosts": []any{"x"}}, func(o *options) { o.Hosts = []string{"x"} }},
		{"a list as one text", raw{"hosts": " x:1 , y,"}, func(o *options) { o.Hosts = []string{"x:1", "y"} }},
		{"an empty text is an empty list", raw{"hosts": ""}, func(o *options) { o.Hosts = []string{} }},
		{"a mapping behind a pointer", raw{"more": raw{"serverName": "db"}}, func(o *options) { o.More = &tlsOptions{ServerName: "db"} }},
		{"a free-form mapping is merged, dots in keys are plain", raw{"labels": raw{"a.b": "c"}}, func(o *options) {
			o.Labels = map[string]string{"kept": "yes", "a.b": "c"}
		}},
		{"a zero duration needs no unit", raw{"timeout": 0}, func(o *options) { o.Timeout = 0 }},
		{"a secret keeps its text", raw{"password": "p w"}, func(o *options) { o.Password = "p w" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := defaults(), defaults()
			tt.want(&want)
			if err := backend.Decode(tt.give, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("Decode() = %+v, want %+v", got, want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct {
		name string
		give raw
		want string
	}{
		{"a misspelt key", raw{"prot": 1}, `prot: unknown key, did you mean "port"?`},
		{"a key in other case", raw{"maxconns": 1}, `maxconns: unknown key, did you mean "maxConns"?`},
		{"a misspelt key further in", raw{"tls": raw{"cafile": "x"}}, `tls.cafile: unknown key, did you mean "caFile"?`},
		{"a key at the wrong place", raw{"serverName": "x"}, `serverName: unknown key here, did you mean "tls.serverName"?`},
		{"a key like no other", raw{"tls": raw{"zzzzzzzzz": 1}}, `tls.zzzzzzzzz: unknown key (known here: enabled, caFile, serverName)`},
		{"a key with a dot in it", raw{"tls": raw{"enabled.": 1, "": 2}}, `tls."": unknown key (known here: enabled, caFile, serverName); tls."enabled.": unknown key, did you mean "enabled"?`},
		{"text for a number", raw{"port": "many"}, `port: must be a whole number, not "many"`},
		{"a broken float for a whole number", raw{"port": 1.5}, `port: must be a whole number, not 1.5`},
		{"a number too large for its field", raw{"maxConns": 256}, `maxConns: 256 is out of range`},
		{"a number below nothing", raw{"maxConns": "-1"}, `maxConns: "-1" is out of range`},
		{"a float that may stand for several integers", raw{"port": float64(1 << 60)}, `port: 1.152921504606847e+18 is out of range`},
		{"a duration without unit", raw{"timeout": 10}, `timeout: must be a duration with a unit such as 10s or 500ms, not 10`},
		{"a duration of no sense", raw{"timeout": "ten"}, `timeout: must be a duration with a unit such as 10s or 500ms, not "ten"`},
		{"a number for text", raw{"user": 7}, `user: must be text, not a number: put it in quotes`},
		{"a number for a secret is not shown", raw{"password": 4711}, `password: must be text, not a number: put it in quotes`},
		{"a number for a truth", raw{"tls": raw{"enabled": 1}}, `tls.enabled: must be true or false, not 1`},
		{"text for a mapping is not shown", raw{"tls": "hunter2"}, `tls: must be a mapping of keys to values, not text`},
		{"a list for a mapping", raw{"tls": []any{1}}, `tls: must be a mapping of keys to values, not a list`},
		{"a mapping for a list", raw{"hosts": raw{"a": 1}}, `hosts: must be a list, not a mapping`},
		{"a mapping for text", raw{"user": raw{"a": 1}}, `user: must be text, not a mapping`},
		{"a number in a list of text", raw{"hosts": []any{"a", 7}}, `hosts[1]: must be text, not a number: put it in quotes`},
		{"a word outside the vocabulary", raw{"consistency": "two"}, `consistency: must be one or quorum, not "two"`},
		{
			"everything at once",
			raw{"prot": 1, "user": 7, "tls": raw{"enabled": "si", "caFle": "x"}},
			`prot: unknown key, did you mean "port"?; tls.caFle: unknown key, did you mean "caFile"?; tls.enabled: must be true or false, not "si"; user: must be text, not a number: put it in quotes`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := defaults()
			err := backend.Decode(tt.give, &got)
			if err == nil {
				t.Fatalf("Decode() accepted it: %+v", got)
			}
			if err.Error() != tt.want {
				t.Fatalf("Decode() = %v\nwant       %v", err, tt.want)
			}
			var faults *backend.OptionsError
			if !errors.As(err, &faults) {
				t.Fatalf("Decode() gives a %T, want *OptionsError", err)
			}
			if got, want := faults.At("options").Faults[0].Path, "options."+faults.Faults[0].Path; got != want {
				t.Fatalf("At() gives path %q, want %q", got, want)
			}
		})
	}
}

// A copy through JSON, which Temporal's functional tests make of a persistence
// configuration, decodes to the same options.
func TestDecodeAfterJSONCopy(t *testing.T) {
	give := raw{
		"hosts": []any{"a", "b"}, "port": 19042, "maxConns": 3, "timeout": "3s",
		"password": "secret", "tls": raw{"enabled": true}, "labels": raw{"a": "b"},
	}
	b, err := json.Marshal(give)
	if err != nil {
		t.Fatal(err)
	}
	var again raw
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	got, want := defaults(), defaults()
	if err := errors.Join(backend.Decode(again, &got), backend.Decode(give, &want)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("Decode() = %+v, want %+v", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"port":"1","tls":{"enabled":"x"}}`, `{"password":["topsecret"]}`, `{"hosts":[[1]]}`,
		`{"labels":{"":null}}`, `{"timeout":-1e400}`, `{"more":{"serverName":{}}}`, `{"tls":{"":{"":0}}}`,
	} {
		f.Add(seed)
	}
	known := backend.KeysOf(options{})
	f.Fuzz(func(t *testing.T, text string) {
		var give raw
		if json.Unmarshal([]byte(text), &give) != nil {
			t.Skip()
		}
		got := defaults()
		err := backend.Decode(give, &got)
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Fatalf("the error has several lines: %q", err)
		}
		for key := range give {
			if !contains(known, key) && err == nil {
				t.Fatalf("unknown key %q was accepted", key)
			}
		}
	})
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
