package devserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

// Embedded is the backend that start-dev runs on where none is asked for.
const Embedded = "embedded"

// DefaultDialect is the dialect of the embedded database where none is asked for.
const DefaultDialect = "ycql"

// DefaultNamespace exists in every development server.
const DefaultNamespace = "default"

// DefaultPort is the frontend's.
const DefaultPort = 7233

// uiOffset is how far above the frontend's port the UI's is by default.
const uiOffset = 1000

const maxPort = 65535

// Options are what the flags say.
type Options struct {
	// IP is the address that the frontend, its HTTP API and metrics listen on;
	// "localhost" is 127.0.0.1.
	IP string
	// Port is the frontend's. HTTPPort and MetricsPort are chosen if they are 0.
	Port, HTTPPort, MetricsPort int
	// Headless leaves out the UI.
	Headless bool
	// UIIP and UIPort are where the UI listens; empty means IP, 0 means Port+1000.
	UIIP   string
	UIPort int
	// Namespaces exist beside "default".
	Namespaces []string
	// SearchAttributes are NAME=TYPE, for all of these namespaces.
	SearchAttributes []string
	// DynamicConfig are KEY=VALUE, the value in JSON.
	DynamicConfig []string
	// LogLevel is debug, info, warn, error or never. Empty means warn, but
	// for what roles say that see others go while all of them stop.
	LogLevel string
	// LogFormat is text or json.
	LogFormat string
	// Backend is the database; empty means the embedded one.
	Backend string
	// Dialect is that of the embedded database; empty means [DefaultDialect].
	Dialect string
	// DataDir keeps all data; empty means [DataDir]. Ephemeral keeps it in memory.
	DataDir   string
	Ephemeral bool
	// Set are settings a.b=value of the server's configuration.
	Set []string

	quietStop bool
}

// attribute is a search attribute to make.
type attribute struct {
	name string
	kind enumspb.IndexedValueType
}

// complete checks the options and fills in what they leave open, except ports.
func (o *Options) complete() error {
	ip, err := address("--ip", o.IP)
	if err != nil {
		return err
	}
	o.IP = ip
	if o.UIIP == "" {
		o.UIIP = o.IP
	} else if o.UIIP, err = address("--ui-ip", o.UIIP); err != nil {
		return err
	}
	for _, p := range []struct {
		flag  string
		value int
		least int
	}{{"--port", o.Port, 1}, {"--ui-port", o.UIPort, 0}, {"--http-port", o.HTTPPort, 0}, {"--metrics-port", o.MetricsPort, 0}} {
		if p.value < p.least || p.value > maxPort {
			return fmt.Errorf("%s %d: give a port from %d to %d", p.flag, p.value, max(p.least, 1), maxPort)
		}
	}
	if o.UIPort == 0 {
		o.UIPort = min(o.Port+uiOffset, maxPort)
	}
	if o.LogLevel == "" {
		o.LogLevel, o.quietStop = "warn", true
	}
	if _, err := oneOf("--log-level", o.LogLevel, logLevels); err != nil {
		return err
	}
	if _, err := oneOf("--log-format", o.LogFormat, logFormats); err != nil {
		return err
	}
	for _, name := range o.Namespaces {
		if strings.TrimSpace(name) == "" {
			return errors.New("--namespace: the name is empty")
		}
	}
	return o.place()
}

// place settles where the data is.
func (o *Options) place() error {
	if o.Backend == "" {
		o.Backend = Embedded
	}
	if o.Backend != Embedded {
		switch {
		case o.Dialect != "":
			return fmt.Errorf("--dialect is of the embedded database: leave it out with --backend %s", o.Backend)
		case o.Ephemeral:
			return fmt.Errorf("--ephemeral is of the embedded database: leave it out with --backend %s", o.Backend)
		}
	} else if o.Dialect == "" {
		o.Dialect = DefaultDialect
	}
	switch {
	case o.Ephemeral && o.DataDir != "":
		return errors.New("--ephemeral keeps data in memory, --data-dir on disk: give one of them")
	case o.Ephemeral:
		return nil
	case o.DataDir == "":
		dir, err := DataDir(runtime.GOOS, os.Getenv)
		if err != nil {
			return err
		}
		o.DataDir = dir
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", o.DataDir, err)
	}
	o.DataDir = dir
	return nil
}

// allNamespaces begins with the default one.
func (o *Options) allNamespaces() []string {
	all := []string{DefaultNamespace}
	for _, name := range o.Namespaces {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// attributes reads SearchAttributes.
func (o *Options) attributes() ([]attribute, error) {
	var out []attribute
	for _, text := range o.SearchAttributes {
		name, kind, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--search-attribute %q: write it as NAME=TYPE", text)
		}
		known := attributeTypes()
		i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, kind) })
		if i < 0 {
			return nil, fmt.Errorf("--search-attribute %s: %q is not a type: give one of %s", name, kind, strings.Join(known, ", "))
		}
		a := attribute{name, enumspb.IndexedValueType(enumspb.IndexedValueType_shorthandValue[known[i]])}
		j := slices.IndexFunc(out, func(b attribute) bool { return b.name == name })
		switch {
		case j < 0:
			out = append(out, a)
		case out[j].kind != a.kind:
			return nil, fmt.Errorf("--search-attribute %s: it is given with the types %s and %s", name, out[j].kind, a.kind)
		}
	}
	return out, nil
}

// attributeTypes are the types that a search attribute may have.
func attributeTypes() []string {
	var names []string
	for name, value := range enumspb.IndexedValueType_shorthandValue {
		if value != int32(enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// DataDir is where a user's programs keep data by the custom of the operating
// system: $XDG_DATA_HOME or ~/.local/share, ~/Library/Application Support,
// %LocalAppData%.
func DataDir(goos string, getenv func(string) string) (string, error) {
	const own = "temporal-ycql"
	home := getenv("HOME")
	switch goos {
	case "windows":
		if dir := getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, own), nil
		}
	case "darwin":
		if home != "" {
			return filepath.Join(home, "Library", "Application Support", own), nil
		}
	default:
		// The specification has relative values ignored.
		if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, own), nil
		}
		if home != "" {
			return filepath.Join(home, ".local", "share", own), nil
		}
	}
	return "", errors.New("the user has no home directory to keep data in: give --data-dir, or --ephemeral to keep it in memory")
}

// address reads the value of a flag as an IP address.
func address(flag, value string) (string, error) {
	if value == "localhost" {
		return "127.0.0.1", nil
	}
	ip := net.ParseIP(value)
	if ip == nil {
		return "", fmt.Errorf("%s %q: give an IP address, such as 127.0.0.1, or 0.0.0.0 for all", flag, value)
	}
	return ip.String(), nil
}

// choice is a value of a flag and what the server's configuration calls it.
type choice struct{ flag, server string }

var (
	logLevels = []choice{
		{"debug", "debug"},
		{"info", "info"},
		{"warn", "warn"},
		{"error", "error"},
		{"never", "fatal"}, // what ends the process is always said
	}
	logFormats = []choice{{"text", "console"}, {"json", "json"}}
)

func oneOf(flag, value string, choices []choice) (string, error) {
	names := make([]string, len(choices))
	for i, c := range choices {
		if c.flag == value {
			return c.server, nil
		}
		names[i] = c.flag
	}
	return "", fmt.Errorf("%s %q: give one of %s", flag, value, strings.Join(names, ", "))
}
