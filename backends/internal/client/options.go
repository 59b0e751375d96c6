package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Options are the keys that all backends for servers have. They carry the names
// of stock Temporal's cassandra block wherever it has one.
type Options struct {
	// Hosts are the contact points, host or host:port; at least one.
	Hosts []string `koanf:"hosts"`
	// Port is used for hosts that name none.
	Port int `koanf:"port"`
	// Keyspace holds Temporal's tables; "schema create" makes it.
	Keyspace string `koanf:"keyspace"`

	// User and a password switch on password authentication.
	User string `koanf:"user"`
	// Password of User.
	Password backend.Secret `koanf:"password"`
	// PasswordFile holds the password on its first line, in place of password.
	// It is read again for every new connection.
	PasswordFile string `koanf:"passwordFile"`
	// AllowedAuthenticators are the class names of the server's authenticators
	// that may be answered; empty: those that the driver knows.
	AllowedAuthenticators []string `koanf:"allowedAuthenticators"`

	// Datacenter limits requests to the hosts of one data center, whose name it is.
	Datacenter string `koanf:"datacenter"`
	// MaxConns is the number of connections to each host.
	MaxConns int `koanf:"maxConns"`

	// ConnectTimeout limits the making of a connection, TLS included.
	ConnectTimeout time.Duration `koanf:"connectTimeout"`
	// Timeout limits the wait for the answer to a request. It should exceed the
	// server's own timeouts, or answers are lost that the server still gives.
	Timeout time.Duration `koanf:"timeout"`
	// WriteTimeout limits the sending of a request; zero: as timeout.
	WriteTimeout time.Duration `koanf:"writeTimeout"`

	// TLS between server and database.
	TLS TLSOptions `koanf:"tls"`

	// Consistency of reads and writes.
	Consistency ConsistencyOptions `koanf:"consistency"`

	// DisableInitialHostLookup makes the driver use the configured hosts alone
	// and not ask them for others.
	DisableInitialHostLookup bool `koanf:"disableInitialHostLookup"`
	// AddressTranslator maps the addresses that the database knows of itself
	// to those under which it can be reached.
	AddressTranslator TranslatorOptions `koanf:"addressTranslator"`

	// PageSize is the number of rows fetched at a time where the caller names none.
	PageSize int `koanf:"pageSize"`
	// WriteCoalesceWaitTime is how long a connection gathers requests before it
	// sends them. Zero is best but for very many requests at once: any other
	// value costs about a millisecond a request.
	WriteCoalesceWaitTime time.Duration `koanf:"writeCoalesceWaitTime"`

	// Retries is how often a read or another idempotent statement is tried
	// again, on the next host, after the database could not serve it. Other
	// statements are never repeated unless they have certainly not begun.
	Retries int `koanf:"retries"`
	// Speculation sends idempotent statements to further hosts when the first
	// is slow.
	Speculation SpeculationOptions `koanf:"speculation"`
}

// TLSOptions are the keys under "tls". Of each File and Data pair at most one
// may be given. Files are read again when they change.
type TLSOptions struct {
	// Enabled switches TLS on.
	Enabled bool `koanf:"enabled"`
	// CaFile holds the certificates of the authorities that may have signed
	// the database's; none given: those of the system.
	CaFile string `koanf:"caFile"`
	// CertFile and KeyFile are the client's certificate and private key.
	CertFile string `koanf:"certFile"`
	// KeyFile is the private key of certFile.
	KeyFile string `koanf:"keyFile"`
	// CaData is what caFile would hold, base64.
	CaData string `koanf:"caData"`
	// CertData is what certFile would hold, base64.
	CertData string `koanf:"certData"`
	// KeyData is what keyFile would hold, base64.
	KeyData backend.Secret `koanf:"keyData"`
	// ServerName is the name that the database's certificate must carry; empty:
	// the host that is connected to.
	ServerName string `koanf:"serverName"`
	// EnableHostVerification checks the database's certificate and its name. It
	// is on unless switched off, unlike in stock Temporal.
	EnableHostVerification bool `koanf:"enableHostVerification"`
}

// ConsistencyOptions are the keys under "consistency".
type ConsistencyOptions struct {
	// Default holds for every store.
	Default ConsistencyLevels `koanf:"default"`
}

// ConsistencyLevels names consistency levels as Cassandra does.
type ConsistencyLevels struct {
	// Consistency of reads, and of the commit of conditional writes.
	Consistency string `koanf:"consistency"`
	// SerialConsistency of the conditions: LOCAL_SERIAL or SERIAL. YugabyteDB
	// takes it and ignores it.
	SerialConsistency string `koanf:"serialConsistency"`
}

// TranslatorOptions are the keys under "addressTranslator".
type TranslatorOptions struct {
	// Translator is fixed-address-translator or empty.
	Translator string `koanf:"translator"`
	// Options of the translator: advertised-hostname.
	Options map[string]string `koanf:"options"`
}

// SpeculationOptions are the keys under "speculation".
type SpeculationOptions struct {
	// Attempts is the number of further hosts; zero switches it off.
	Attempts int `koanf:"attempts"`
	// Delay before each of them.
	Delay time.Duration `koanf:"delay"`
}

const (
	fixedTranslator    = "fixed-address-translator"
	advertisedHostname = "advertised-hostname"
)

// DefaultOptions returns the options that hold where nothing is configured.
func DefaultOptions() Options {
	return Options{
		Port:           9042,
		MaxConns:       2,
		ConnectTimeout: 10 * time.Second,
		Timeout:        10 * time.Second,
		TLS:            TLSOptions{EnableHostVerification: true},
		Consistency: ConsistencyOptions{Default: ConsistencyLevels{
			Consistency: "LOCAL_QUORUM", SerialConsistency: "LOCAL_SERIAL",
		}},
		PageSize:    1000,
		Retries:     1,
		Speculation: SpeculationOptions{Delay: 50 * time.Millisecond},
	}
}

// Check drops empty hosts and returns everything that is wrong.
func (o *Options) Check() []error {
	for i, h := range o.Hosts {
		o.Hosts[i] = strings.TrimSpace(h)
	}
	o.Hosts = slices.DeleteFunc(o.Hosts, func(h string) bool { return h == "" })

	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if len(o.Hosts) == 0 {
		fault("hosts: name at least one host of the cluster")
	}
	for _, h := range o.Hosts {
		if _, _, err := o.address(h); err != nil {
			fault("hosts: %q is neither host nor host:port", h)
		}
	}
	if o.Keyspace == "" {
		fault("keyspace: name the keyspace of Temporal's tables")
	} else if !validKeyspace(o.Keyspace) {
		fault("keyspace: %q is not a name that CQL takes: letters, digits and underscores, at most 48", o.Keyspace)
	}
	if o.Port < 1 || o.Port > 65535 {
		fault("port: %d is not between 1 and 65535", o.Port)
	}
	switch {
	case o.Password != "" && o.PasswordFile != "":
		fault("password, passwordFile: give one of them")
	case o.User == "" && (o.Password != "" || o.PasswordFile != ""):
		fault("user: a password is given, but no user")
	}
	for _, n := range []struct {
		name string
		ok   bool
		must string
	}{
		{"maxConns", o.MaxConns > 0, "be more than zero"},
		{"connectTimeout", o.ConnectTimeout > 0, "be more than zero"},
		{"timeout", o.Timeout > 0, "be more than zero"},
		{"pageSize", o.PageSize > 0, "be more than zero"},
		{"writeTimeout", o.WriteTimeout >= 0, "not be negative"},
		{"writeCoalesceWaitTime", o.WriteCoalesceWaitTime >= 0, "not be negative"},
		{"retries", o.Retries >= 0, "not be negative"},
		{"speculation.attempts", o.Speculation.Attempts >= 0, "not be negative"},
		{"speculation.delay", o.Speculation.Delay > 0 || o.Speculation.Attempts == 0, "be more than zero"},
	} {
		if !n.ok {
			fault("%s: must %s", n.name, n.must)
		}
	}
	faults = append(faults, o.TLS.validate()...)
	return append(faults, o.AddressTranslator.validate()...)
}

func (o *TLSOptions) validate() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	pair := func(name, file, data string) {
		if file != "" && data != "" {
			fault("tls.%sFile, tls.%sData: give one of them", name, name)
		}
	}
	pair("ca", o.CaFile, o.CaData)
	pair("cert", o.CertFile, o.CertData)
	pair("key", o.KeyFile, o.KeyData.Reveal())
	cert, key := o.CertFile != "" || o.CertData != "", o.KeyFile != "" || o.KeyData != ""
	if cert != key {
		fault("tls: a client certificate and its key belong together, and only one of them is given")
	}
	if (o.CertFile != "") != (o.KeyFile != "") && cert && key {
		fault("tls: give client certificate and key both as files or both as data")
	}
	if !o.Enabled && (cert || key || o.CaFile != "" || o.CaData != "" || o.ServerName != "") {
		fault("tls.enabled: other tls options are given, but TLS is off")
	}
	return faults
}

func (o *TranslatorOptions) validate() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch o.Translator {
	case "":
		if len(o.Options) > 0 {
			fault("addressTranslator.translator: options are given, but no translator")
		}
	case fixedTranslator:
		for name := range o.Options {
			if name != advertisedHostname {
				fault("addressTranslator.options: unknown key %q, did you mean %q?", name, advertisedHostname)
			}
		}
		if o.Options[advertisedHostname] == "" {
			fault("addressTranslator.options: %s needs %s", fixedTranslator, advertisedHostname)
		}
	default:
		fault("addressTranslator.translator: %q is not %s", o.Translator, fixedTranslator)
	}
	return faults
}

// address splits a contact point into host and port.
func (o *Options) address(h string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(h)
	if err != nil {
		// No port. A bare IPv6 address has colons of its own.
		if strings.Contains(h, ":") && net.ParseIP(strings.Trim(h, "[]")) == nil {
			return "", 0, fmt.Errorf("%q is neither host nor host:port", h)
		}
		return strings.Trim(h, "[]"), o.Port, nil
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 1 || port > 65535 || host == "" {
		return "", 0, fmt.Errorf("%q is neither host nor host:port", h)
	}
	return host, port, nil
}

// Contacts returns the contact points as host:port. Names are resolved anew
// each time, so a session that is made again finds a database that moved;
// resolve may be nil.
func (o *Options) Contacts(resolve func(string) []string) ([]string, error) {
	var hosts []string
	for _, contact := range o.Hosts {
		host, port, err := o.address(contact)
		if err != nil {
			return nil, err
		}
		names := []string{host}
		if resolve != nil {
			if found := resolve(host); len(found) > 0 {
				names = found
			}
		}
		for _, name := range names {
			if _, _, err := net.SplitHostPort(name); err == nil {
				hosts = append(hosts, name)
				continue
			}
			hosts = append(hosts, net.JoinHostPort(name, strconv.Itoa(port)))
		}
	}
	return hosts, nil
}

// CurrentPassword returns the password as it is now.
func (o *Options) CurrentPassword() (string, error) {
	if o.PasswordFile == "" {
		return o.Password.Reveal(), nil
	}
	b, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read passwordFile: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" {
		return "", fmt.Errorf("passwordFile %s: its first line is empty", o.PasswordFile)
	}
	return line, nil
}

// ErrNoPassword is a fault of options that name a user alone.
var ErrNoPassword = errors.New("password: a user is given, but neither password nor passwordFile")

func validKeyspace(name string) bool {
	if len(name) > 48 {
		return false
	}
	for _, r := range name {
		if r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// Security tells how connections are protected.
func (o *Options) Security() backend.Security {
	s := backend.Security{TLS: o.TLS.Enabled, Verified: o.TLS.Enabled && o.TLS.EnableHostVerification, User: o.User}
	var err error
	if s.Contacts, err = o.Contacts(nil); err != nil {
		s.Contacts = slices.Clone(o.Hosts) // one that is none, which opening refuses
	}
	return s
}

// At returns the options for one node alone.
func (o Options) At(address string) Options {
	o.Hosts, o.DisableInitialHostLookup = []string{address}, true
	return o
}
