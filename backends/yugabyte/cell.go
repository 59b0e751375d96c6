package yugabyte

import (
	"github.com/yugabyte/gocql"

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
	if dest, ok := c.dest.(*any); ok && data != nil && isTextMap(info) {
		var m map[string]string
		err := gocql.Unmarshal(info, data, &m)
		*dest = m
		return err
	}
	return client.Scan(client.Kind(info.Type()), data, c.dest)
}

// isTextMap tells whether values are map<text, text>, which cql.Row can hold.
func isTextMap(info gocql.TypeInfo) bool {
	c, ok := info.(gocql.CollectionType)
	return ok && c.Type() == gocql.TypeMap && c.Key.Type() == gocql.TypeVarchar && c.Elem.Type() == gocql.TypeVarchar
}
