package cassandra_test

import (
	"flag"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/dialecttest"
)

var update = flag.Bool("update", false, "rewrite the goldens under testdata")

func TestGoldens(t *testing.T) { dialecttest.Golden(t, cassandra.New(), *update) }
