package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/internal/pythonenv"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestStartDevServesPython runs a client and worker of Temporal's SDK for Python,
// which shares no code with the one for Go.
func TestStartDevServesPython(t *testing.T) {
	t.Parallel()
	l := dev(t, "--ephemeral") // skips before anything is installed
	bin := pythonenv.Make(t, "temporalio==1.35.0")
	s := launch(t, l, harness.Spec{})
	s.awaitBlock(t)
	ctx, cancel := context.WithTimeout(t.Context(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "python"), filepath.Join("testdata", "client.py"), s.Address())
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "hello, world\nsignalled: a b\nscheduled: hello, schedule\n")
}
