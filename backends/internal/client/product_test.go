package client

import (
	"errors"
	"strings"
	"testing"
)

func TestServersAreToldApart(t *testing.T) {
	set := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	const murmur = "org.apache.cassandra.dht.Murmur3Partitioner"
	tests := []struct {
		name string
		give Facts
		want string
	}{
		{"Cassandra 5.0", Facts{Release: "5.0.6", Cluster: "c", Partitioner: murmur, Tables: set("local", "peers_v2")}, "Apache Cassandra 5.0.6"},
		{"Cassandra 3", Facts{Release: "3.11.4", Cluster: "Test Cluster", Partitioner: murmur, Tables: set("local")}, "Apache Cassandra 3.11.4"},
		{"ScyllaDB", Facts{Release: "3.0.8", Partitioner: murmur, Tables: set("local", "scylla_local")}, "ScyllaDB 3.0.8"},
		{"YugabyteDB", Facts{Release: "3.9-SNAPSHOT", Cluster: "local cluster", Partitioner: murmur, Tables: set("local", "partitions")}, "YugabyteDB"},
		{"Amazon Keyspaces by its name", Facts{Release: "3.11.2", Cluster: "Amazon Keyspaces", Partitioner: murmur}, "Amazon Keyspaces 3.11.2"},
		{"by its partitioner", Facts{Release: "3.11.2", Partitioner: "com.amazonaws.cassandra.DefaultPartitioner"}, "Amazon Keyspaces 3.11.2"},
		{"by its keyspace", Facts{Release: "3.11.2", Partitioner: murmur, Keyspaces: set("system", "system_schema_mcs")}, "Amazon Keyspaces 3.11.2"},
		{"Cosmos DB by what it says", Facts{Release: "3.11.0", Cluster: "CosmosDB"}, "Azure Cosmos DB 3.11.0"},
		{"by its host", Facts{Release: "3.11.0", Hosts: []string{"me.cassandra.cosmos.azure.com:10350"}}, "Azure Cosmos DB 3.11.0"},
		{"a cluster that is only called so", Facts{Release: "5.0.1", Cluster: "cosmos", Tables: set("local", "paxos")}, "Apache Cassandra 5.0.1"},
		{"a host that is only called so", Facts{Release: "5.0.1", Hosts: []string{"cosmos.example.com"}}, "Apache Cassandra 5.0.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.give.Server().String(); got != tt.want {
				t.Fatalf("Server() = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for product, want := range map[Product]string{
		Cassandra: "use the cassandra backend", YugabyteDB: "use the cassandra backend", ScyllaDB: "use the cassandra backend",
		Keyspaces: "cannot be conditional", CosmosDB: "not atomic",
	} {
		err := Server{Product: product}.Refuse("cassandra")
		if !errors.Is(err, ErrOtherServer) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), string(product)) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Refuse() = %v", err)
		}
	}
}
