package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Bare returns err as a T, which it must be itself: the server tells the errors
// of stores apart by type switch, so to it a wrapped one is another.
func Bare[T error](t testing.TB, err error) T {
	t.Helper()
	e, ok := any(err).(T)
	require.Truef(t, ok, "%T: %v", err, err)
	return e
}
