package cassandra

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

func encoded(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestTLS(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithMutualTLS())
	files := map[string]any{"enabled": true, "caFile": n.TLS.CAFile, "certFile": n.TLS.CertFile, "keyFile": n.TLS.KeyFile}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for k, v := range files {
			all[k] = v
		}
		for k, v := range more {
			if v == nil {
				delete(all, k)
			} else {
				all[k] = v
			}
		}
		return all
	}
	tests := []struct {
		name string
		give map[string]any
		want string // of the error; empty: it connects
	}{
		{"certificates from files", files, ""},
		{"certificates as data", map[string]any{"enabled": true, "caData": encoded(t, n.TLS.CAFile), "certData": encoded(t, n.TLS.CertFile), "keyData": encoded(t, n.TLS.KeyFile)}, ""},
		{"the name that the certificate holds", with(map[string]any{"serverName": cassandratest.ServerName}), ""},
		{"another name", with(map[string]any{"serverName": "other.test"}), "check"},
		{"another name, verification off", with(map[string]any{"serverName": "other.test", "enableHostVerification": false}), ""},
		{"an authority that nobody trusts", with(map[string]any{"caFile": nil}), "check"},
		{"no client certificate", with(map[string]any{"certFile": nil, "keyFile": nil}), "check"},
		{"no tls at all", map[string]any{}, "check"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				mustOpen(t, n, "system", map[string]any{"tls": tt.give})
				return
			}
			c, err := openAt(t, n, "system", map[string]any{"tls": tt.give, "connectTimeout": "3s"})
			if err == nil {
				_ = c.Session.Close()
				t.Fatal("Open() succeeded")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	n := cassandratest.StartOwn(t, cassandratest.WithMutualTLS())
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := n.TLS.IssueClient(cert, key); err != nil {
		t.Fatal(err)
	}
	o, err := ParseOptions(map[string]any{"hosts": n.Addr(), "keyspace": "system", "tls": map[string]any{
		"enabled": true, "caFile": n.TLS.CAFile, "certFile": cert, "keyFile": key,
	}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := client.NewDialer(&o.Options, nil, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	serial := func() string {
		km, err := h.Material(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(km.Certs[0].Certificate[0])
	}
	before := serial()
	if err := n.TLS.IssueClient(cert, key); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new certificate is used", func() error {
		if serial() == before {
			return errors.New("still the old one")
		}
		return nil
	})
	c, err := clusterConfig(&o, h, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a connection with the new certificate", func() error {
		g, err := createSession(t.Context(), c)
		if err == nil {
			g.Close()
		}
		return err
	})
}
