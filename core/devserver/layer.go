package devserver

import (
	"net"
	"path/filepath"
	"strconv"

	"github.com/temporal-ycql/temporal-ycql/core/visibility"
)

// shards is the number of history shards of a new database: a shard's writes go
// one after the other, and each has goroutines and caches. It can never be changed.
const shards = 4

// clusterName is what every single Temporal cluster is called in its samples.
const clusterName = "active"

// layer describes the whole server as a configuration file would. Internal roles
// listen on loopback whatever IP says: they ask nobody who he is.
func (o *Options) layer(free func() (int, error)) (map[string]any, error) {
	ports := make([]int, 5)
	ports[0], ports[1] = o.HTTPPort, o.MetricsPort
	for i := range ports {
		if ports[i] != 0 {
			continue
		}
		var err error
		if ports[i], err = free(); err != nil {
			return nil, err
		}
	}
	level, _ := oneOf("", o.LogLevel, logLevels) // complete has checked both
	format, _ := oneOf("", o.LogFormat, logFormats)
	frontend := hostPort(reachable(o.IP), o.Port)
	internal := func(port int) map[string]any {
		return map[string]any{"rpc": map[string]any{"grpcPort": port, "bindOnIP": "127.0.0.1"}}
	}
	disabled := func() map[string]any {
		return map[string]any{"history": map[string]any{"state": "disabled"}, "visibility": map[string]any{"state": "disabled"}}
	}
	out := map[string]any{
		"log":     map[string]any{"level": level, "format": format},
		"backend": o.Backend,
		"persistence": map[string]any{
			"defaultStore": "default", "visibilityStore": "visibility", "numHistoryShards": shards,
			"datastores": map[string]any{"visibility": o.store()},
		},
		"global": map[string]any{
			"membership": map[string]any{"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"},
			"metrics": map[string]any{"prometheus": map[string]any{
				"listenAddress": hostPort(o.IP, ports[1]), "handlerPath": "/metrics", "timerType": "histogram",
			}},
		},
		"services": map[string]any{
			"frontend": map[string]any{"rpc": map[string]any{"grpcPort": o.Port, "httpPort": ports[0], "bindOnIP": o.IP}},
			"history":  internal(ports[2]), "matching": internal(ports[3]), "worker": internal(ports[4]),
		},
		"clusterMetadata": map[string]any{
			"enableGlobalNamespace": false, "failoverVersionIncrement": 10,
			"masterClusterName": clusterName, "currentClusterName": clusterName,
			"clusterInformation": map[string]any{clusterName: map[string]any{
				"enabled": true, "initialFailoverVersion": 1,
				"rpcAddress": frontend, "httpAddress": hostPort(reachable(o.IP), ports[0]),
			}},
		},
		"dcRedirectionPolicy": map[string]any{"policy": "noop"},
		"publicClient":        map[string]any{"hostPort": frontend},
		"archival":            disabled(),
		"namespaceDefaults":   map[string]any{"archival": disabled()},
	}
	database := map[string]any{"keyspace": "temporal"}
	if o.Backend == Embedded {
		database["dialect"] = o.Dialect
		if o.Ephemeral {
			database["ephemeral"] = true
		} else {
			database["dataDir"] = filepath.Join(o.DataDir, "engine")
		}
	}
	out["backends"] = map[string]any{o.Backend: database}
	return out, nil
}

// store is the visibility store: a data store that lives and dies with the rest of
// the data.
func (o *Options) store() map[string]any {
	sql := map[string]any{
		"pluginName": visibility.PluginName, "databaseName": filepath.Join(o.DataDir, "visibility.db"),
		"connectAddr": "localhost", "connectProtocol": "tcp", // asked for, not used
	}
	if o.Ephemeral {
		sql["databaseName"] = "visibility"
		sql["connectAttributes"] = map[string]any{"mode": "memory"}
	}
	return map[string]any{"sql": sql}
}

// reachable is an address at which a server that listens on ip answers.
func reachable(ip string) string {
	switch parsed := net.ParseIP(ip); {
	case parsed == nil || !parsed.IsUnspecified():
		return ip
	case parsed.To4() != nil:
		return "127.0.0.1"
	default:
		return "::1"
	}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
