package store

import (
	commonpb "go.temporal.io/api/common/v1"

	"github.com/temporal-ycql/temporal-ycql/core/store/storetest"
)

// split and unsplit are the scenes of goldens, by form of nodes; testNamespace
// is theirs.
var (
	split   = storetest.Fixed(false)
	unsplit = storetest.Fixed(true)
)

const testNamespace = "10000000-0000-0000-0000-00000000000a"

func blob(format string, args ...any) *commonpb.DataBlob { return storetest.Blob(format, args...) }
