package ycql_test

import (
	"flag"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/dialect/dialecttest"
	"github.com/temporal-ycql/temporal-ycql/dialect/ycql"
)

var update = flag.Bool("update", false, "rewrite the goldens under testdata")

func TestGoldens(t *testing.T) { dialecttest.Golden(t, ycql.New(ycql.All), *update) }
