package engine

import (
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/describe"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
)

// runDescribe answers Cassandra's DESCRIBE. It costs nothing: no table is read.
func (e *Engine) runDescribe(p *plan) (*server.Result, error) {
	return describe.Run(describe.Schemas{
		System: e.system.Schema(), User: e.state.Load().schema, Cluster: e.system.ClusterName(), IsSystem: e.system.IsSystem,
	}, p.keyspace, p.src.Text)
}
