package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/temporal-ycql/temporal-ycql/internal/browser"
	"github.com/temporal-ycql/temporal-ycql/test/harness"
)

// TestStartDevShowsWorkflows loads the pages of the web UI in a real browser: the
// list of workflows, and one of them with its result.
func TestStartDevShowsWorkflows(t *testing.T) {
	t.Parallel()
	s := launch(t, dev(t, "--ephemeral"), harness.Spec{})
	s.awaitBlock(t)
	c := s.dial(t, "default")
	const queue = "shown"
	work(t, c, queue, worker.Options{})
	id, word := unique("shown"), unique("word")
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: queue}, wfEcho, word)
	require.NoError(t, err)
	require.Equal(t, word, result[string](t, run))
	awaitListed(t, c, "ExecutionStatus = 'Completed'", id)
	for _, page := range []struct{ path, want string }{
		{"/", id}, // leads to the list of the namespace default
		{"/namespaces/default/workflows", id},
		{"/namespaces/default/workflows/" + id + "/" + run.GetRunID() + "/history", word},
	} {
		await(t, "the page "+page.path, func(ctx context.Context) error {
			text, err := browser.Dump(ctx, t, "http://"+s.UI()+page.path)
			if err == nil && !strings.Contains(text, page.want) {
				err = fmt.Errorf("no %q in %d bytes of page", page.want, len(text))
			}
			return err
		})
	}
}
