package standalone

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

func (o Options) validate() error {
	var errs []error
	if (o.DataDir == "") == !o.Ephemeral {
		errs = append(errs, errors.New("either a data directory or an ephemeral server must be asked for"))
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		errs = append(errs, errors.New("TLS needs both a certificate and its key"))
	}
	if (o.User == "") != (o.PasswordFile == "") {
		errs = append(errs, errors.New("a login needs both a user and a password file"))
	}
	if o.Listen != "" {
		loopback, err := isLoopback(o.Listen)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !loopback && (o.TLSCert == "" || o.User == ""):
			errs = append(errs, fmt.Errorf("%s is not a loopback address: other machines are let in only over TLS and with a password", o.Listen))
		}
	}
	return errors.Join(errs...)
}

// isLoopback tells whether a listener on hostport can be reached from this machine
// only. A name has to resolve to loopback addresses alone.
func isLoopback(hostport string) (bool, error) {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false, fmt.Errorf("address to listen on: %w: give host:port", err)
	}
	if host == "" {
		return false, nil // all addresses
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback(), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return false, fmt.Errorf("address to listen on: %w", err)
	}
	for _, ip := range ips {
		if !ip.IP.IsLoopback() {
			return false, nil
		}
	}
	return len(ips) > 0, nil
}

// password is the login of one user. Only hashes are kept and compared, in constant
// time, so that neither length nor content shows.
type password struct{ user, hash [sha256.Size]byte }

func newPassword(user, file string) (*password, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return nil, fmt.Errorf("read the password: the first line of %s is empty", file)
	}
	return &password{sha256.Sum256([]byte(user)), sha256.Sum256([]byte(line))}, nil
}

// Authenticate implements [server.Authenticator].
func (p *password) Authenticate(_ context.Context, user, pass string) error {
	u, h := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(pass))
	if subtle.ConstantTimeCompare(u[:], p.user[:])&subtle.ConstantTimeCompare(h[:], p.hash[:]) != 1 {
		return errors.New("wrong user or password")
	}
	return nil
}

// certificate is a key pair that is read again when its files have changed, so that
// it can be renewed without a restart.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	at     [2]time.Time // modification times of what is loaded
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	_, err := c.get(nil)
	return c, err
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var at [2]time.Time
	for i, name := range [...]string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return c.keep(err)
		}
		at[i] = info.ModTime()
	}
	if c.loaded != nil && at == c.at {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return c.keep(err)
	}
	c.loaded, c.at = &pair, at
	return c.loaded, nil
}

// keep goes on with what is loaded, if something is: files are often replaced one
// after the other.
func (c *certificate) keep(err error) (*tls.Certificate, error) {
	if c.loaded != nil {
		return c.loaded, nil
	}
	return nil, fmt.Errorf("load the TLS certificate: %w", err)
}
