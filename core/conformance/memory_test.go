package conformance_test

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/conformance"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/core/exec/memory"
)

// inMemory is the plan interpreter as a backend: what it fails is the stores'
// fault or the suite's, not a database's.
type inMemory struct{ traits cql.Traits }

func (inMemory) Excused() map[string]string { return nil }

func (h inMemory) Open(*testing.T) conformance.Database {
	name := "memory"
	if h.traits.WholeNodes {
		name = "memory-cassandra"
	}
	return conformance.Database{
		Session: memory.NewSession(memory.NewState()), Dialect: memory.NewDialect(h.traits), Name: name,
	}
}

func TestCassandraSuiteInMemory(t *testing.T) {
	conformance.Run(t, inMemory{cql.Traits{TTL: true, CheapDelete: true}})
}

func TestCassandraSuiteInMemoryWithWholeNodes(t *testing.T) {
	conformance.Run(t, inMemory{cql.Traits{TTL: true, WholeNodes: true}})
}

// Writes have numbers, and rows ahead stay where they are.
func TestCassandraSuiteInMemorySequenced(t *testing.T) {
	conformance.Run(t, inMemory{cql.Traits{TTL: true, CheapDelete: true, RerunsBlocks: true, Sequenced: true}})
}
