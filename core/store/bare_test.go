package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireBare checks that err is of the type of want itself: the server tells
// errors apart by type switch, so a wrapped one is another to it.
func requireBare(t testing.TB, want, err error, more ...any) {
	t.Helper()
	require.Equal(t, fmt.Sprintf("%T", want), fmt.Sprintf("%T", err), more...)
}
