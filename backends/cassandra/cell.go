package cassandra

import (
	"github.com/gocql/gocql"

	"github.com/temporal-ycql/temporal-ycql/backends/internal/client"
	"github.com/temporal-ycql/temporal-ycql/core/cql"
)

// raw hands an argument that is serialized already to gocql.
type raw []byte

// MarshalCQL implements gocql.Marshaler.
func (r raw) MarshalCQL(gocql.TypeInfo) ([]byte, error) { return r, nil }

// arguments turns the arguments of a call into what gocql takes.
func arguments(args []any) []any {
	return client.Arguments(args, func(r cql.Raw) any { return raw(r) }, gocql.UnsetValue)
}

// cell reads one column into dest, which may be any destination of
// cql.Rows.Scan or *any.
type cell struct{ dest any }

// UnmarshalCQL implements gocql.Unmarshaler.
func (c *cell) UnmarshalCQL(info gocql.TypeInfo, data []byte) error {
	return client.Scan(client.Kind(info.Type()), data, c.dest)
}
