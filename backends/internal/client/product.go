package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// Product is a kind of server that speaks CQL.
type Product string

// The products that are told apart.
const (
	Cassandra  Product = "Apache Cassandra"
	YugabyteDB Product = "YugabyteDB"
	ScyllaDB   Product = "ScyllaDB"
	Keyspaces  Product = "Amazon Keyspaces"
	CosmosDB   Product = "Azure Cosmos DB"
)

// Server is what answered.
type Server struct {
	Product Product
	// Release is what it gives as its release of Cassandra, "3.9-SNAPSHOT" from
	// every YugabyteDB.
	Release string
}

func (s Server) String() string {
	if s.Product == YugabyteDB {
		return string(s.Product)
	}
	return strings.TrimSpace(string(s.Product) + " " + s.Release)
}

// ErrOtherServer is the cause when a backend cannot use what answered.
var ErrOtherServer = errors.New("not the server that this backend is for")

// Facts are what servers are told apart by.
type Facts struct {
	Release, Cluster, Partitioner, DataCenter string          // of system.local
	Tables                                    map[string]bool // of keyspace system
	Keyspaces                                 map[string]bool
	Hosts                                     []string // that are configured
}

// Server tells what the facts are those of. Amazon Keyspaces has a schema
// keyspace, a cluster name and perhaps a partitioner of its own; Cosmos DB is
// known by its name, in what it says or in its host's, which accounts cannot
// choose; YugabyteDB has system.partitions, ScyllaDB system.scylla_local. A
// cluster may be called anything: one that has Cassandra's own table of Paxos is
// no service.
func (f Facts) Server() Server {
	s := Server{Product: Cassandra, Release: f.Release}
	said := strings.ToLower(f.Release + " " + f.Cluster + " " + f.Partitioner + " " + f.DataCenter)
	own := f.Tables["paxos"]
	switch {
	case f.Keyspaces["system_schema_mcs"], strings.HasPrefix(f.Partitioner, "com.amazonaws."), f.Cluster == string(Keyspaces) && !own:
		s.Product = Keyspaces
	case strings.Contains(said, "cosmos") && !own, cosmosHost(f.Hosts):
		s.Product = CosmosDB
	case f.Tables["partitions"]:
		s.Product = YugabyteDB
	case f.Tables["scylla_local"]:
		s.Product = ScyllaDB
	}
	return s
}

// cosmosHost finds the documented ends of Cosmos DB's host names, e.g.
// name.cassandra.cosmos.azure.com.
func cosmosHost(hosts []string) bool {
	for _, h := range hosts {
		name, _, _ := strings.Cut(strings.ToLower(h), ":")
		if strings.Contains(name, ".cassandra.cosmos") {
			return true
		}
	}
	return false
}

// WhyNot says why Temporal cannot run on a product with any backend; empty if it
// can with some.
func (p Product) WhyNot() string {
	switch p {
	case Keyspaces:
		return "its batches cannot be conditional, and Temporal cannot run without such"
	case CosmosDB:
		return "its batches are not atomic, and Temporal cannot run without such"
	default:
		return ""
	}
}

// Refuse is the error of a backend that cannot use a server, in one line; use
// names the backend that can.
func (s Server) Refuse(use string) error {
	if why := s.Product.WhyNot(); why != "" {
		return fmt.Errorf("the server is %s (%w): %s", s, ErrOtherServer, why)
	}
	return fmt.Errorf("the server is %s (%w): use the %s backend", s, ErrOtherServer, use)
}

// Identify asks a server what it is.
func Identify(ctx context.Context, hosts []string, query func(ctx context.Context, text string) ([]cql.Row, error)) (Server, error) {
	local, err := query(ctx, `SELECT * FROM system.local WHERE key = 'local'`)
	if err != nil {
		return Server{}, fmt.Errorf("ask the server for its version: %w", err)
	}
	f := Facts{Tables: map[string]bool{}, Keyspaces: map[string]bool{}, Hosts: hosts}
	for _, row := range local {
		for name, to := range map[string]*string{
			"release_version": &f.Release, "cluster_name": &f.Cluster, "partitioner": &f.Partitioner, "data_center": &f.DataCenter,
		} {
			*to, _ = row[name].(string)
		}
	}
	service := f.Server()
	for _, list := range []struct {
		text, column string
		names        map[string]bool
	}{
		{`SELECT keyspace_name FROM system_schema.keyspaces`, "keyspace_name", f.Keyspaces},
		{`SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system'`, "table_name", f.Tables},
	} {
		rows, err := query(ctx, list.text)
		if err != nil && service.Product.WhyNot() != "" {
			return service, nil
		}
		if err != nil {
			return Server{}, fmt.Errorf("ask the server for its tables: %w", err)
		}
		for _, row := range rows {
			if name, ok := row[list.column].(string); ok {
				list.names[name] = true
			}
		}
	}
	return f.Server(), nil
}
