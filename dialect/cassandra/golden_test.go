package cassandra_test

import (
	"testing"

	"github.com/temporal-ycql/temporal-ycql/dialect/cassandra"
	"github.com/temporal-ycql/temporal-ycql/dialect/dialecttest"
)

func TestGoldens(t *testing.T) { dialecttest.Golden(t, cassandra.New()) }
