package yugabyte_test

import (
	"slices"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/core/cql"
	"github.com/temporal-ycql/temporal-ycql/dialect/samples"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

// What the dialect says of a statement's partition key is what the server says:
// else it would be sent to another row's leader, for ever.
func TestKeysOfAllStatementsAreThoseOfTheServer(t *testing.T) {
	c := prepared(t)
	routed, other := 0, 0
	check := func(s *cql.Statement) {
		p, err := c.engine.Prepare(t.Context(), "ks", s.Text)
		if err != nil {
			t.Errorf("%s: %v", s.Text, err)
			return
		}
		var server []int
		for _, i := range p.PKIndices {
			server = append(server, int(i))
		}
		if !slices.Equal(s.KeyArgs, server) {
			t.Errorf("the key is %v, the server's is %v, of\n%s", s.KeyArgs, server, s.Text)
		}
		if len(server) > 0 {
			routed++
		} else {
			other++
		}
	}
	for _, abilities := range []ycql.Abilities{ycql.All, {}} {
		d := ycql.New(abilities)
		for _, sample := range samples.Of(d) {
			if sample.Write != nil {
				p, err := d.CompileWrite(sample.Write)
				if err != nil {
					t.Fatal(err)
				}
				for _, step := range p.Steps {
					for _, call := range step.Calls {
						check(call.Statement)
					}
				}
			}
			if sample.Read != nil {
				p, err := d.CompileRead(sample.Read)
				if err != nil {
					t.Fatal(err)
				}
				for i := range p.Parts(sample.Args) {
					call, _, err := p.Bind(i, sample.Args)
					if err != nil {
						t.Fatal(err)
					}
					check(call.Statement)
				}
			}
		}
	}
	t.Logf("%d statements are routed, %d go to all servers in turn", routed, other)
	if routed < 10*other {
		t.Errorf("only %d statements are routed, %d are not", routed, other)
	}
}
