package cassandratest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// settings is what a node is started with. The template of cassandra.yaml reads it.
type settings struct {
	Host           string
	Port           int // 0 until a free one is chosen
	StoragePort    int
	JMXPort        int
	Dir            string // data, logs and configuration
	HeapMB         int
	Version        string
	CommitlogBatch bool
	Password       bool
	TLS            *TLS

	keepDir bool // Dir was named by the caller and stays
	wantTLS tlsMode
}

type tlsMode uint8

const (
	tlsOff tlsMode = iota
	tlsServer
	tlsMutual
)

// Option changes how a node is started.
type Option func(*settings)

// WithHost makes the node listen on host, an address of this machine such as
// 127.0.0.2. The default is 127.0.0.1.
func WithHost(host string) Option { return func(s *settings) { s.Host = host } }

// WithPort sets the port for CQL. The default is a free one.
func WithPort(port int) Option { return func(s *settings) { s.Port = port } }

// WithDir keeps everything in dir, which outlives the node. The default is a
// temporary directory that goes with the process.
func WithDir(dir string) Option {
	return func(s *settings) { s.Dir, s.keepDir = dir, true }
}

// WithHeap sets the size of the Java heap in MiB. The default of 512 does for suites.
func WithHeap(mib int) Option { return func(s *settings) { s.HeapMB = mib } }

// WithVersion runs [Version] or [OlderVersion]. Cassandra 4.1 was not made for Java
// 17: what its start script refuses, the server can do with a few more options.
func WithVersion(version string) Option { return func(s *settings) { s.Version = version } }

// Older tells the template that this is the older line.
func (s *settings) Older() bool { return s.Version == OlderVersion }

// WithDurableCommitlog makes the node sync its log before it answers a write
// (commitlog_sync: batch). By default it syncs every ten seconds.
func WithDurableCommitlog() Option { return func(s *settings) { s.CommitlogBatch = true } }

// WithPassword makes the node ask for user and password and check permissions. Its
// first user is [SuperUser], a superuser, with [SuperPassword].
func WithPassword() Option { return func(s *settings) { s.Password = true } }

// WithTLS makes the node accept TLS only. [Node.TLS] names the files of a client.
func WithTLS() Option { return func(s *settings) { s.wantTLS = tlsServer } }

// WithMutualTLS is [WithTLS], with a certificate asked of clients, too.
func WithMutualTLS() Option { return func(s *settings) { s.wantTLS = tlsMutual } }

// The superuser of a node that was started [WithPassword].
const (
	SuperUser     = "cassandra"
	SuperPassword = "cassandra"
)

// writeFiles writes the node's configuration into its directory.
func (s *settings) writeFiles() error {
	conf := filepath.Join(s.Dir, "conf")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		return fmt.Errorf("make Cassandra's directory: %w", err)
	}
	yaml, err := filled("files/cassandra.yaml.tmpl", s)
	if err != nil {
		return err
	}
	logback, err := files.ReadFile("files/logback.xml")
	if err != nil {
		return fmt.Errorf("read the embedded logback.xml: %w", err)
	}
	for name, text := range map[string]string{"cassandra.yaml": yaml, "logback.xml": string(logback)} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write Cassandra's configuration: %w", err)
		}
	}
	return nil
}

// filled returns an embedded template with its data.
func filled(name string, data any) (string, error) {
	tmpl, err := template.ParseFS(files, name)
	if err != nil {
		return "", fmt.Errorf("parse the embedded %s: %w", name, err)
	}
	var text strings.Builder
	if err := tmpl.Execute(&text, data); err != nil {
		return "", fmt.Errorf("fill in %s: %w", name, err)
	}
	return text.String(), nil
}

// javaArgs returns the arguments of java for this node.
func (s *settings) javaArgs(jars string) ([]string, error) {
	options, err := files.ReadFile("files/jvm17.options")
	if err != nil {
		return nil, fmt.Errorf("read the embedded jvm17.options: %w", err)
	}
	args := []string{fmt.Sprintf("-Xms%dm", s.HeapMB), fmt.Sprintf("-Xmx%dm", s.HeapMB)}
	for line := range strings.Lines(string(options)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			args = append(args, line)
		}
	}
	if s.Older() {
		// It measures its memory by an agent, without which it looks into classes that
		// Java 17 hides, and sets a security manager.
		args = append(args, "-javaagent:"+filepath.Join(jars, "jamm-0.3.2.jar"), "-Djava.security.manager=allow",
			"--add-opens=java.base/java.lang.invoke=ALL-UNNAMED", "--add-opens=java.base/java.lang.ref=ALL-UNNAMED",
			"--add-opens=java.base/java.util.concurrent.locks=ALL-UNNAMED")
	}
	conf := filepath.Join(s.Dir, "conf")
	return append(args,
		"-Djava.io.tmpdir="+filepath.Join(s.Dir, "tmp"),
		"-Dcassandra.config=file://"+filepath.ToSlash(filepath.Join(conf, "cassandra.yaml")),
		"-Dlogback.configurationFile="+filepath.Join(conf, "logback.xml"),
		"-Dcassandra.storagedir="+s.Dir,
		fmt.Sprintf("-Dcassandra.jmx.local.port=%d", s.JMXPort),
		"-cp", filepath.Join(jars, "*"),
		"org.apache.cassandra.service.CassandraDaemon",
	), nil
}

// choosePorts fills in the ports that are 0 with ones that were free a moment ago.
func (s *settings) choosePorts() error {
	for _, port := range []*int{&s.Port, &s.StoragePort, &s.JMXPort} {
		if *port != 0 {
			continue
		}
		free, err := childproc.FreePort(s.Host)
		if err != nil {
			return err
		}
		*port = free
	}
	return nil
}
