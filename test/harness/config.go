package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/temporal-ycql/temporal-ycql/internal/childproc"
)

// Setting is one value of the dynamic configuration, for everything or for what
// Constraints name ("namespace", "taskQueueName", ...).
type Setting struct {
	Value       any            `json:"value"`
	Constraints map[string]any `json:"constraints,omitempty"`
}

// Dynamic is a dynamic configuration. Where a key has several settings the most
// constrained one that fits counts.
type Dynamic map[string][]Setting

// Always is the setting without constraints.
func Always(value any) []Setting { return []Setting{{Value: value}} }

// quickDynamic shortens the periods that would make a test wait and nothing else.
var quickDynamic = Dynamic{
	"system.namespaceCacheRefreshInterval":           Always("1s"),
	"system.forceSearchAttributesCacheRefreshOnRead": Always(true),
	"system.forceNexusEndpointRefreshOnRead":         Always(true),
	"frontend.shutdownDrainDuration":                 Always("0s"),
	"history.shutdownDrainDuration":                  Always("0s"),
	"matching.shutdownDrainDuration":                 Always("0s"),
	// A deletion waits until the close of its workflow has been acknowledged.
	"history.transferProcessorUpdateAckInterval":   Always("1s"),
	"history.timerProcessorUpdateAckInterval":      Always("1s"),
	"history.visibilityProcessorUpdateAckInterval": Always("1s"),
	"history.outboundProcessorUpdateAckInterval":   Always("1s"),
	"history.retentionTimerJitterDuration":         Always("1ms"),
	"system.namespaceMinRetentionLocal":            Always("1s"),
}

// Roles of a Temporal server.
const (
	Frontend = "frontend"
	History  = "history"
	Matching = "matching"
	Worker   = "worker"
)

var allRoles = []string{Frontend, History, Matching, Worker}

// ports are the same for all processes of a server, which differ by address: a
// role's gRPC port is one for the whole cluster.
type ports map[string]int // role, role+"-membership", "http", "ui", "metrics"

// newPorts finds ports that are free on all addresses. They lie below the range
// that the system takes for outgoing connections: a server that is killed and
// started again must find its ports free.
func newPorts(hosts []string) (ports, error) {
	p := ports{}
	names := []string{"http", "ui", "metrics"}
	for _, role := range allRoles {
		names = append(names, role, role+"-membership")
	}
	for _, name := range names {
		port, err := childproc.FreePort(hosts...)
		if err != nil {
			return nil, err
		}
		p[name] = port
	}
	return p, nil
}

// FreePort returns a port that was free on 127.0.0.1 a moment ago and that no
// outgoing connection takes.
func FreePort() (int, error) { return childproc.FreePort("127.0.0.1") }

// Root is the directory of this repository.
func Root() string { return moduleRoot() }

// sqliteVisibility keeps visibility in one file, which several processes may share.
func sqliteVisibility(dir string) map[string]any {
	return map[string]any{"sql": map[string]any{
		"pluginName":      "sqlite",
		"databaseName":    filepath.Join(dir, "visibility.db"),
		"connectAddr":     "localhost",
		"connectProtocol": "tcp",
		"connectAttributes": map[string]any{
			"mode": "rwc", "setup": "true", "journal_mode": "wal", "busy_timeout": "10000",
		},
		"maxConns": 1, "maxIdleConns": 1,
	}}
}

// writeConfig writes the configuration of process i and the dynamic configuration
// that all share. The files hold JSON, which is YAML.
func (s *Server) writeConfig(i int) error {
	host := s.spec.Processes[i].Host
	services := map[string]any{}
	for _, role := range allRoles {
		rpc := map[string]any{
			"grpcPort": s.ports[role], "membershipPort": s.ports[role+"-membership"], "bindOnIP": host,
		}
		if role == Frontend {
			rpc["httpPort"] = s.ports["http"]
		}
		services[role] = map[string]any{"rpc": rpc}
	}
	visibility := s.spec.Visibility
	if visibility == nil {
		visibility = sqliteVisibility(s.dir)
	}
	frontend := net.JoinHostPort(s.frontendHost(), strconv.Itoa(s.ports[Frontend]))
	config := map[string]any{
		"log": map[string]any{"stdout": true, "level": "info"},
		"persistence": map[string]any{
			"defaultStore": "default", "visibilityStore": "visibility", "numHistoryShards": s.spec.Shards,
			"datastores": map[string]any{
				"default":    s.launcher.Store(s.Node, s.Keyspace),
				"visibility": visibility,
			},
		},
		"global": map[string]any{
			"membership": map[string]any{"maxJoinDuration": "30s", "broadcastAddress": host},
		},
		"services": services,
		"clusterMetadata": map[string]any{
			"enableGlobalNamespace": false, "failoverVersionIncrement": 10,
			"masterClusterName": "active", "currentClusterName": "active",
			"clusterInformation": map[string]any{"active": map[string]any{
				"enabled": true, "initialFailoverVersion": 1, "rpcAddress": frontend,
				"httpAddress": net.JoinHostPort(s.frontendHost(), strconv.Itoa(s.ports["http"])),
			}},
		},
		"dcRedirectionPolicy": map[string]any{"policy": "noop"},
		"publicClient":        map[string]any{"hostPort": frontend},
		"dynamicConfigClient": map[string]any{
			"filepath": s.dynamicFile(), "pollInterval": "5s",
		},
	}
	if s.spec.Metrics {
		config["global"].(map[string]any)["metrics"] = map[string]any{ //nolint:forcetypeassert // it is written above
			"prometheus": map[string]any{"listenAddress": s.MetricsOf(i)},
		}
	}
	return errors.Join(s.writeDynamic(), writeJSON(filepath.Join(s.dir, fmt.Sprintf("config-%d.yaml", i)), config))
}

func (s *Server) dynamicFile() string { return filepath.Join(s.dir, "dynamic.yaml") }

// writeDynamic writes the dynamic configuration, which all processes share.
func (s *Server) writeDynamic() error {
	dynamic := Dynamic{}
	if !s.spec.Unhurried {
		maps.Copy(dynamic, quickDynamic)
	}
	// Asynchronous Nexus operations call back over the frontend's HTTP port.
	dynamic["component.nexusoperations.callback.endpoint.template"] = Always("http://" +
		net.JoinHostPort(s.frontendHost(), strconv.Itoa(s.ports["http"])) + "/namespaces/{{.NamespaceName}}/nexus/callback")
	dynamic["callback.allowedAddresses"] = Always([]any{map[string]any{"Pattern": "*", "AllowInsecure": true}})
	maps.Copy(dynamic, s.spec.Dynamic)
	return writeJSON(s.dynamicFile(), dynamic)
}

// configFile writes the configuration of process i and returns its path.
func (s *Server) configFile(i int) (string, error) {
	return filepath.Join(s.dir, fmt.Sprintf("config-%d.yaml", i)), s.writeConfig(i)
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write a server's configuration: %w", err)
	}
	return nil
}

// SQLite keeps visibility in dir, so that servers that follow each other on one
// keyspace share it.
func SQLite(dir string) map[string]any { return sqliteVisibility(dir) }
