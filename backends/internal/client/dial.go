package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"google.golang.org/grpc/credentials/tls/certprovider"
	"google.golang.org/grpc/credentials/tls/certprovider/pemfile"
)

// CertificateRefresh is how often certificate files are looked at for a change.
const CertificateRefresh = 10 * time.Second

// Dial opens a connection to address, host:port. TLS is put on top of it.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// Dialer opens connections for a driver. It reads certificates anew for every
// one of them, so that rotated ones are used without a restart.
type Dialer struct {
	dial     Dial
	options  *Options
	material func(context.Context) (*certprovider.KeyMaterial, error) // nil: no TLS
	close    func()
}

// NewDialer checks that all certificates can be read and parsed, and looks at
// their files again after each refresh. A nil dial connects over TCP.
func NewDialer(o *Options, dial Dial, refresh time.Duration) (*Dialer, error) {
	if dial == nil {
		d := &net.Dialer{Timeout: o.ConnectTimeout}
		dial = func(ctx context.Context, address string) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", address)
		}
	}
	h := &Dialer{dial: dial, options: o, close: func() {}}
	if !o.TLS.Enabled {
		return h, nil
	}
	if err := o.TLS.check(); err != nil {
		return nil, err
	}
	if o.TLS.CaFile == "" && o.TLS.CertFile == "" {
		fixed, err := o.TLS.fixed()
		if err != nil {
			return nil, err
		}
		h.material = func(context.Context) (*certprovider.KeyMaterial, error) { return fixed, nil }
		return h, nil
	}
	provider, err := pemfile.NewProvider(pemfile.Options{
		CertFile: o.TLS.CertFile, KeyFile: o.TLS.KeyFile, RootFile: o.TLS.CaFile,
		RefreshDuration: refresh,
	})
	if err != nil {
		return nil, fmt.Errorf("read tls files: %w", err)
	}
	fixed, err := o.TLS.fixed()
	if err != nil {
		provider.Close()
		return nil, err
	}
	h.close = provider.Close
	h.material = func(ctx context.Context) (*certprovider.KeyMaterial, error) {
		km, err := provider.KeyMaterial(ctx)
		if err != nil {
			return nil, err
		}
		merged := *km
		if len(merged.Certs) == 0 {
			merged.Certs = fixed.Certs
		}
		if merged.Roots == nil {
			merged.Roots = fixed.Roots
		}
		return &merged, nil
	}
	return h, nil
}

// Dial connects to address, host:port, by its name in the certificate.
func (h *Dialer) Dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := h.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	if h.material == nil {
		return conn, nil
	}
	secure, err := h.secure(ctx, conn, address)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("tls with %s: %w", address, err)
	}
	return secure, nil
}

// Secure tells whether connections are encrypted.
func (h *Dialer) Secure() bool { return h.material != nil }

// Close stops looking at certificate files.
func (h *Dialer) Close() { h.close() }

func (h *Dialer) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	km, err := h.material(ctx)
	if err != nil {
		return nil, err
	}
	name := h.options.TLS.ServerName
	if name == "" {
		if name, _, err = net.SplitHostPort(address); err != nil {
			return nil, err
		}
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: km.Certs,
		RootCAs:      km.Roots,
		ServerName:   name,
		//nolint:gosec // G402: only where the operator switched verification off by name
		InsecureSkipVerify: !h.options.TLS.EnableHostVerification,
	}
	ctx, cancel := context.WithTimeout(ctx, h.options.ConnectTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// check reads the files once, so that one that is missing or broken is reported
// when the session opens and not with the first connection.
func (o *TLSOptions) check() error {
	var faults []error
	if o.CaFile != "" {
		pem, err := os.ReadFile(o.CaFile)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("tls.caFile: %w", err))
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			faults = append(faults, fmt.Errorf("tls.caFile: %s holds no certificate in PEM form", o.CaFile))
		}
	}
	if o.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile); err != nil {
			faults = append(faults, fmt.Errorf("tls.certFile, tls.keyFile: %w", err))
		}
	}
	return errors.Join(faults...)
}

// fixed returns what the Data options hold.
func (o *TLSOptions) fixed() (*certprovider.KeyMaterial, error) {
	km := &certprovider.KeyMaterial{}
	if o.CaData != "" {
		pem, err := base64.StdEncoding.DecodeString(o.CaData)
		if err != nil {
			return nil, fmt.Errorf("tls.caData: %w", err)
		}
		km.Roots = x509.NewCertPool()
		if !km.Roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls.caData holds no certificate in PEM form")
		}
	}
	if o.CertData != "" {
		cert, err := base64.StdEncoding.DecodeString(o.CertData)
		if err != nil {
			return nil, fmt.Errorf("tls.certData: %w", err)
		}
		key, err := base64.StdEncoding.DecodeString(o.KeyData.Reveal())
		if err != nil {
			return nil, errors.New("tls.keyData is not base64")
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("tls.certData, tls.keyData: %w", err)
		}
		km.Certs = []tls.Certificate{pair}
	}
	return km, nil
}

// Material returns the certificates that the next connection will use; nil
// without TLS.
func (h *Dialer) Material(ctx context.Context) (*certprovider.KeyMaterial, error) {
	if h.material == nil {
		return nil, nil
	}
	return h.material(ctx)
}
