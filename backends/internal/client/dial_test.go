package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue returns a certificate for a name and its key.
func (a *authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, own.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// peer is a TLS server whose certificate, and whose idea of who may connect, can
// be changed.
type peer struct {
	address string
	config  atomic.Pointer[tls.Config]
	names   chan string // of clients that connected; empty without a certificate
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{address: l.Addr().String(), names: make(chan string, 99)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			secure := tls.Server(conn, p.config.Load())
			if secure.Handshake() == nil {
				name := ""
				if certs := secure.ConnectionState().PeerCertificates; len(certs) > 0 {
					name = certs[0].Subject.CommonName
				}
				p.names <- name
				_, _ = secure.Write([]byte{1})
			}
			_ = secure.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return p
}

// serve makes the peer show a certificate of own and take clients of one of clients.
func (p *peer) serve(t *testing.T, own *authority, clients *authority) {
	t.Helper()
	cert, key := own.issue(t, "db.test")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if clients != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AddCert(clients.cert)
	}
	p.config.Store(c)
}

// reach connects and waits for what the peer says, for a client hears of the
// refusal of its certificate only then.
func reach(t *testing.T, d *Dialer, p *peer) error {
	t.Helper()
	conn, err := d.Dial(t.Context(), p.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return err
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	// As Kubernetes does it: never a file that is half written.
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() error) {
	t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestDialerChecksCertificates(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	clientCert, clientKey := ours.issue(t, "client")
	write(t, ca, ours.pem)
	write(t, cert, clientCert)
	write(t, key, clientKey)
	data := func(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
	tests := []struct {
		name   string
		give   TLSOptions
		server *authority
		mutual bool
		ok     bool
	}{
		{"the name that the certificate holds", TLSOptions{CaFile: ca, ServerName: "db.test", EnableHostVerification: true}, ours, false, true},
		{"the host that is connected to", TLSOptions{CaFile: ca, EnableHostVerification: true}, ours, false, false},
		{"another name", TLSOptions{CaFile: ca, ServerName: "other.test", EnableHostVerification: true}, ours, false, false},
		{"another name, verification off", TLSOptions{CaFile: ca, ServerName: "other.test"}, ours, false, true},
		{"an authority that is not trusted", TLSOptions{CaFile: ca, ServerName: "db.test", EnableHostVerification: true}, others, false, false},
		{"authorities of the system", TLSOptions{ServerName: "db.test", EnableHostVerification: true}, ours, false, false},
		{"client certificate from files", TLSOptions{CaFile: ca, CertFile: cert, KeyFile: key, ServerName: "db.test", EnableHostVerification: true}, ours, true, true},
		{"client certificate as data", TLSOptions{CaData: data(ours.pem), CertData: data(clientCert), KeyData: backend.Secret(data(clientKey)), ServerName: "db.test", EnableHostVerification: true}, ours, true, true},
		{"authority as data, certificate from files", TLSOptions{CaData: data(ours.pem), CertFile: cert, KeyFile: key, ServerName: "db.test", EnableHostVerification: true}, ours, true, true},
		{"no client certificate", TLSOptions{CaFile: ca, ServerName: "db.test", EnableHostVerification: true}, ours, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeer(t)
			var clients *authority
			if tt.mutual {
				clients = ours
			}
			p.serve(t, tt.server, clients)
			o := DefaultOptions()
			o.ConnectTimeout = time.Minute
			o.TLS = tt.give
			o.TLS.Enabled = true
			d, err := NewDialer(&o, nil, CertificateRefresh)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if err := reach(t, d, p); (err == nil) != tt.ok {
				t.Fatalf("Dial() = %v", err)
			}
			if tt.ok && tt.mutual && <-p.names != "client" {
				t.Fatal("the client showed another certificate")
			}
		})
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	first, second := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	renew := func(a *authority, name string) {
		c, k := a.issue(t, name)
		write(t, cert, c)
		write(t, key, k)
	}
	write(t, ca, first.pem)
	renew(first, "one")
	p := newPeer(t)
	p.serve(t, first, first)
	o := DefaultOptions()
	o.ConnectTimeout = time.Minute
	o.TLS = TLSOptions{Enabled: true, CaFile: ca, CertFile: cert, KeyFile: key, ServerName: "db.test", EnableHostVerification: true}
	d, err := NewDialer(&o, nil, 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := reach(t, d, p); err != nil || <-p.names != "one" {
		t.Fatal(err)
	}
	renew(first, "two")
	eventually(t, "the client's new certificate is shown", func() error {
		if err := reach(t, d, p); err != nil {
			return err
		}
		if name := <-p.names; name != "two" {
			return errors.New("it is still " + name)
		}
		return nil
	})
	p.serve(t, second, second)
	if reach(t, d, p) == nil {
		t.Fatal("a server of an unknown authority was trusted")
	}
	write(t, ca, second.pem)
	renew(second, "three")
	eventually(t, "the new authority is trusted", func() error { return reach(t, d, p) })
}

func TestMaterialThatCannotBeUsedIsNamed(t *testing.T) {
	o := DefaultOptions()
	o.TLS = TLSOptions{Enabled: true, CertData: "anVuaw==", KeyData: "hunter2%"}
	if _, err := NewDialer(&o, nil, CertificateRefresh); err == nil || !strings.Contains(err.Error(), "tls.keyData") || strings.Contains(err.Error(), "hunter2") {
		t.Fatalf("NewDialer() = %v", err)
	}
}
