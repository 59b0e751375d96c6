package yugabyte

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/yugabyte/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

func valid(more map[string]any) map[string]any {
	raw := map[string]any{"hosts": "db1", "keyspace": "temporal"}
	for k, v := range more {
		raw[k] = v
	}
	return raw
}

// configured returns gocql's configuration for the options.
func configured(t *testing.T, more map[string]any) *gocql.ClusterConfig {
	t.Helper()
	o, err := ParseOptions(valid(more))
	if err != nil {
		t.Fatalf("ParseOptions() = %v", err)
	}
	h, err := client.NewDialer(&o.Options, nil, client.CertificateRefresh)
	if err != nil {
		t.Fatalf("NewDialer() = %v", err)
	}
	t.Cleanup(h.Close)
	c, err := clusterConfig(&o, h, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("clusterConfig() = %v", err)
	}
	return c
}

func TestOptionsReachTheDriver(t *testing.T) {
	tests := []struct {
		name string
		give map[string]any
		get  func(*gocql.ClusterConfig) any
		want any
	}{
		{"one host takes the default port", nil, func(c *gocql.ClusterConfig) any { return c.Hosts }, []string{"db1:9042"}},
		{"hosts as one text, with and without port", map[string]any{"hosts": "a, b:7000 ,,[::1]:1,::2", "port": 5}, func(c *gocql.ClusterConfig) any { return c.Hosts }, []string{"a:5", "b:7000", "[::1]:1", "[::2]:5"}},
		{"hosts as a list", map[string]any{"hosts": []any{"a", "b:1"}}, func(c *gocql.ClusterConfig) any { return c.Hosts }, []string{"a:9042", "b:1"}},
		{"maxConns", map[string]any{"maxConns": 7}, func(c *gocql.ClusterConfig) any { return c.NumConns }, 7},
		{"a number that arrives as text", map[string]any{"maxConns": "7"}, func(c *gocql.ClusterConfig) any { return c.NumConns }, 7},
		{"a number that went through JSON", map[string]any{"port": 7000.0}, func(c *gocql.ClusterConfig) any { return c.Port }, 7000},
		{"connectTimeout", map[string]any{"connectTimeout": "3s"}, func(c *gocql.ClusterConfig) any { return c.ConnectTimeout }, 3 * time.Second},
		{"timeout", map[string]any{"timeout": "4s"}, func(c *gocql.ClusterConfig) any { return c.Timeout }, 4 * time.Second},
		{"writeTimeout follows timeout", map[string]any{"timeout": "4s"}, func(c *gocql.ClusterConfig) any { return c.WriteTimeout }, 4 * time.Second},
		{"writeTimeout", map[string]any{"writeTimeout": "2s"}, func(c *gocql.ClusterConfig) any { return c.WriteTimeout }, 2 * time.Second},
		{"consistency by default", nil, func(c *gocql.ClusterConfig) any { return c.Consistency }, gocql.Quorum},
		{"serial consistency by default", nil, func(c *gocql.ClusterConfig) any { return c.SerialConsistency }, gocql.Serial},
		{"consistency", map[string]any{"consistency": map[string]any{"default": map[string]any{"consistency": "local_quorum"}}}, func(c *gocql.ClusterConfig) any { return c.Consistency }, gocql.LocalQuorum},
		{"serial consistency", map[string]any{"consistency": map[string]any{"default": map[string]any{"serialConsistency": "LOCAL_SERIAL"}}}, func(c *gocql.ClusterConfig) any { return c.SerialConsistency }, gocql.LocalSerial},
		{"room for the statements of many hosts", nil, func(c *gocql.ClusterConfig) any { return c.MaxPreparedStmts > 256*100 }, true},
		{"disableInitialHostLookup", map[string]any{"disableInitialHostLookup": true}, func(c *gocql.ClusterConfig) any { return c.DisableInitialHostLookup }, true},
		{"pageSize", map[string]any{"pageSize": 12}, func(c *gocql.ClusterConfig) any { return c.PageSize }, 12},
		{"requests are not held back by default", nil, func(c *gocql.ClusterConfig) any { return c.WriteCoalesceWaitTime }, time.Duration(0)},
		{"writeCoalesceWaitTime", map[string]any{"writeCoalesceWaitTime": "100us"}, func(c *gocql.ClusterConfig) any { return c.WriteCoalesceWaitTime }, 100 * time.Microsecond},
		{"no password, no authenticator", nil, func(c *gocql.ClusterConfig) any { return c.Authenticator == nil }, true},
		{"hostSelection dc-aware", map[string]any{"hostSelection": "dc-aware", "datacenter": "dc1"}, func(c *gocql.ClusterConfig) any { return reflect.TypeOf(c.PoolConfig.HostSelectionPolicy).String() }, "*gocql.dcAwareRR"},
		{"dc-aware asks other data centers too", map[string]any{"hostSelection": "dc-aware", "datacenter": "dc1"}, func(c *gocql.ClusterConfig) any { return c.HostFilter == nil }, true},
		{"datacenter filters hosts", map[string]any{"datacenter": "dc1"}, func(c *gocql.ClusterConfig) any { return c.HostFilter != nil }, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.get(configured(t, tt.give)); !reflect.DeepEqual(got, tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPasswordIsReadForEveryConnection(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	c := configured(t, map[string]any{"user": "u", "passwordFile": file, "allowedAuthenticators": "my.Auth"})
	answer := func(class string) (string, error) {
		b, _, err := c.Authenticator.Challenge([]byte(class))
		return string(b), err
	}
	if got, err := answer("my.Auth"); err != nil || got != "\x00u\x00first" {
		t.Fatalf("Challenge() = %q, %v", got, err)
	}
	write("second\r\nrest")
	if got, err := answer("my.Auth"); err != nil || got != "\x00u\x00second" {
		t.Fatalf("Challenge() after rotation = %q, %v", got, err)
	}
	if _, err := answer("other.Auth"); err == nil {
		t.Fatal("Challenge() answered an authenticator that is not allowed")
	}
	write("\n")
	if _, err := answer("my.Auth"); err == nil || !strings.Contains(err.Error(), "first line is empty") {
		t.Fatalf("Challenge() with an empty file = %v", err)
	}
}

func TestFixedAddressTranslator(t *testing.T) {
	c := configured(t, map[string]any{"addressTranslator": map[string]any{
		"translator": "fixed-address-translator", "options": map[string]any{"advertised-hostname": "localhost"},
	}})
	ip, port := c.AddressTranslator.Translate(net.ParseIP("10.1.1.1"), 9999)
	if !ip.IsLoopback() || port != 9999 {
		t.Fatalf("Translate() = %v %v, want loopback and the same port", ip, port)
	}
}

func TestFaultyOptionsAreAllReported(t *testing.T) {
	tests := []struct {
		name string
		give map[string]any
		want []string
	}{
		{"nothing", map[string]any{}, []string{"hosts: name at least one", "keyspace: name the keyspace"}},
		{"unknown key", valid(map[string]any{"prot": 1}), []string{`prot: unknown key`, `"port"`}},
		{"mistyped value", valid(map[string]any{"port": "many"}), []string{"port"}},
		{"host with a bad port", valid(map[string]any{"hosts": "a:b"}), []string{`hosts: "a:b" is neither`}},
		{"port out of range", valid(map[string]any{"port": 70000}), []string{"port: 70000"}},
		{"keyspace name", valid(map[string]any{"keyspace": "a-b"}), []string{`keyspace: "a-b"`}},
		{"two passwords", valid(map[string]any{"user": "u", "password": "hunter2", "passwordFile": "f"}), []string{"password, passwordFile"}},
		{"user without password", valid(map[string]any{"user": "u", "passwordEnv": ""}), []string{"password: a user is given"}},
		{"reads that may be stale", valid(map[string]any{"consistency": map[string]any{"default": map[string]any{"consistency": "one"}}}), []string{"consistency.default.consistency: ONE"}},
		{"what only this backend has", valid(map[string]any{"partitionRefresh": "0s", "maxInFlight": -1, "replicationFactor": -1}), []string{"partitionRefresh", "maxInFlight", "replicationFactor"}},
		{"password without user", valid(map[string]any{"password": "hunter2"}), []string{"user: a password is given"}},
		{"dc-aware without datacenter", valid(map[string]any{"hostSelection": "dc-aware"}), []string{"datacenter"}},
		{"unknown host selection", valid(map[string]any{"hostSelection": "nearest"}), []string{`hostSelection: "nearest"`}},
		{"zero and negative numbers", valid(map[string]any{"maxConns": 0, "pageSize": -1, "retries": -1, "timeout": "0s", "connectTimeout": "-1s", "writeTimeout": "-1s"}), []string{"maxConns", "pageSize", "retries", "timeout", "connectTimeout", "writeTimeout"}},
		{"consistency levels", valid(map[string]any{"consistency": map[string]any{"default": map[string]any{"consistency": "MOST", "serialConsistency": "QUORUM"}}}), []string{"consistency.default.consistency", "consistency.default.serialConsistency"}},
		{"file and data of a certificate", valid(map[string]any{"tls": map[string]any{"enabled": true, "caFile": "a", "caData": "b"}}), []string{"tls.caFile, tls.caData"}},
		{"certificate without key", valid(map[string]any{"tls": map[string]any{"enabled": true, "certFile": "a"}}), []string{"belong together"}},
		{"certificate as file, key as data", valid(map[string]any{"tls": map[string]any{"enabled": true, "certFile": "a", "keyData": "hunter2"}}), []string{"both as files or both as data"}},
		{"tls options without tls", valid(map[string]any{"tls": map[string]any{"caFile": "a"}}), []string{"tls.enabled"}},
		{"unknown translator", valid(map[string]any{"addressTranslator": map[string]any{"translator": "magic"}}), []string{`addressTranslator.translator: "magic"`}},
		{"translator without its option", valid(map[string]any{"addressTranslator": map[string]any{"translator": "fixed-address-translator"}}), []string{"advertised-hostname"}},
		{"translator with another option", valid(map[string]any{"addressTranslator": map[string]any{"translator": "fixed-address-translator", "options": map[string]any{"host": "x"}}}), []string{`unknown key "host"`}},
		{"speculation without a delay", valid(map[string]any{"speculation": map[string]any{"attempts": 1, "delay": "0s"}}), []string{"speculation.delay"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseOptions(tt.give)
			if err == nil {
				t.Fatal("ParseOptions() accepted it")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not mention %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q shows a secret", err)
			}
		})
	}
}

func TestUnreadableCertificatesAreReportedAtOpen(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		give map[string]any
		want string
	}{
		{"missing CA file", map[string]any{"caFile": filepath.Join(dir, "none")}, "tls.caFile"},
		{"CA file without certificates", map[string]any{"caFile": junk}, "holds no certificate"},
		{"broken client certificate", map[string]any{"certFile": junk, "keyFile": junk}, "tls.certFile"},
		{"CA data that is not base64", map[string]any{"caData": "%"}, "tls.caData"},
		{"CA data without certificates", map[string]any{"caData": "anVuaw=="}, "tls.caData holds no certificate"},
		{"key data that is not base64", map[string]any{"certData": "anVuaw==", "keyData": "%"}, "tls.keyData"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.give["enabled"] = true
			o, err := ParseOptions(valid(map[string]any{"tls": tt.give}))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.NewDialer(&o.Options, nil, client.CertificateRefresh); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("NewDialer() = %v, want %q", err, tt.want)
			}
		})
	}
}

// The documented configuration of deployments that have run on YCQL before.
func TestOptionsOfExistingDeploymentsLoad(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.crt")
	documented := map[string]any{
		"hosts": "yugabyte-yb-tservers", "keyspace": "mykeyspace", "replicationFactor": 3, "user": "cassandra",
		"tls": map[string]any{"enabled": true, "enableHostVerification": false, "caFile": ca},
	}
	o, err := ParseOptions(documented)
	if err != nil {
		t.Fatalf("ParseOptions() = %v", err)
	}
	if o.ReplicationFactor != 3 || o.TLS.CaFile != ca || !o.TLS.Enabled || o.TLS.EnableHostVerification {
		t.Fatalf("ParseOptions() = %+v", o)
	}
	t.Setenv("YUGABYTE_PASSWORD", "")
	if _, err := o.currentPassword(); err == nil || !strings.Contains(err.Error(), "YUGABYTE_PASSWORD is not set") {
		t.Fatalf("password from an empty environment: %v", err)
	}
	t.Setenv("YUGABYTE_PASSWORD", "hunter2")
	if got, err := o.currentPassword(); err != nil || got != "hunter2" {
		t.Fatalf("password from the environment: %q, %v", got, err)
	}
	template := map[string]any{
		"hosts": "a,b", "keyspace": "temporal", "user": "", "password": "", "port": 9042, "maxConns": "20",
		"tls": map[string]any{
			"enabled": false, "caFile": nil, "certFile": nil, "keyFile": nil, "caData": nil, "certData": nil, "keyData": nil,
			"enableHostVerification": "false", "serverName": nil,
		},
	}
	if o, err = ParseOptions(template); err != nil || o.MaxConns != 20 || o.TLS.EnableHostVerification {
		t.Fatalf("ParseOptions() = %+v, %v", o, err)
	}
}

func TestEveryOptionIsDescribed(t *testing.T) {
	for _, o := range backend.DescribeOptions(DefaultOptions()) {
		if o.Path == "password" && !o.Secret {
			t.Errorf("%s is not a secret", o.Path)
		}
	}
}
