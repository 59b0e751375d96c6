package cassandratest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ServerName is the only name that the certificate of a node holds, besides its
// address: a client that checks the host name must find one of the two.
const ServerName = "cassandra.test"

// TLS names the files, all PEM, of a node that was started [WithTLS].
type TLS struct {
	CAFile        string // signs every other certificate here
	CertFile      string // a client's certificate
	KeyFile       string // and its key
	ServerFile    string // the node's key and certificate
	RequireClient bool   // the node asks clients for a certificate

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
}

// newTLS makes an authority, a certificate for the node at host and one for a client in dir.
func newTLS(dir, host string, requireClient bool) (*TLS, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory for certificates: %w", err)
	}
	t := &TLS{
		CAFile:        filepath.Join(dir, "ca.pem"),
		CertFile:      filepath.Join(dir, "client.pem"),
		KeyFile:       filepath.Join(dir, "client-key.pem"),
		ServerFile:    filepath.Join(dir, "server.pem"),
		RequireClient: requireClient,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template := certificate("temporal-ycql test authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	if t.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parse the authority: %w", err)
	}
	t.caKey = key
	if err := os.WriteFile(t.CAFile, pemBlock("CERTIFICATE", der), 0o644); err != nil {
		return nil, fmt.Errorf("write the authority: %w", err)
	}
	server := certificate("cassandra")
	server.DNSNames = []string{ServerName}
	server.IPAddresses = []net.IP{net.ParseIP(host)}
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	serverCert, serverKey, err := t.issue(server)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(t.ServerFile, append(serverKey, serverCert...), 0o600); err != nil {
		return nil, fmt.Errorf("write the node's certificate: %w", err)
	}
	return t, t.IssueClient(t.CertFile, t.KeyFile)
}

// IssueClient writes a new client's certificate, signed by the same authority, and
// its key to the named files. Files that exist are replaced.
func (t *TLS) IssueClient(certFile, keyFile string) error {
	client := certificate("client")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	cert, key, err := t.issue(client)
	if err != nil {
		return err
	}
	if err := os.WriteFile(certFile, cert, 0o644); err != nil {
		return fmt.Errorf("write the client's certificate: %w", err)
	}
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return fmt.Errorf("write the client's key: %w", err)
	}
	return nil
}

// issue signs template for a new key; both results are PEM, the key as PKCS #8,
// which is the only form that Cassandra reads.
func (t *TLS) issue(template *x509.Certificate) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, t.ca, k.Public(), t.caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate: %w", err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", raw), nil
}

func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
	}
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
