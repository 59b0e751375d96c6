package e2e

import (
	"context"
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
)

// sdkLimit is how long Temporal's client waits for the answer to a request, all its
// attempts together, where a caller names no time (defaultRPCTimeout in
// internal/internal_utils.go:26 of its release 1.44.0).
const sdkLimit = 10 * time.Second

// unhurried gives a request a minute where the client would give it ten seconds, and
// one that names no time as well. A client that lost its server looks for it at most
// every ten seconds itself (retryPollOperationMaxInterval), a machine may stop for
// longer than that, and a hundred signals of one workflow wait for one another: none
// of it is what a test is about. Further attempts are for what users' clients repeat,
// and are the same request under the same id, which the server takes once. What a
// caller wants sooner, and what workers ask, is left alone.
func unhurried(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	deadline, limited := ctx.Deadline()
	if ofWorkers(method) || limited && time.Until(deadline) < sdkLimit/2 {
		return invoke(ctx, method, req, reply, cc, opts...)
	}
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(time.Minute, time.Until(deadline)))
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) { // the test has ended
			cancel()
		}
	})()
	for {
		err := invoke(long, method, req, reply, cc, opts...)
		if err == nil || !passing(err) {
			return err
		}
		select {
		case <-long.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// passing reports whether err is one that may not come again. Unknown is what a server
// answers whose deadline for reading its own metadata has passed
// (common/searchattribute/mapper.go:116 of 1.32.2), and what users' clients repeat.
func passing(err error) bool {
	switch grpcstatus.Code(err) {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded, codes.Aborted, codes.Unknown:
		// One that is too large does not get smaller.
		return !strings.Contains(err.Error(), "larger than max")
	default:
		return false
	}
}

// ofWorkers reports whether a method is one that workers call, which have a patience
// of their own and end when they are told to.
func ofWorkers(method string) bool {
	name := path.Base(method)
	if strings.HasPrefix(name, "Poll") {
		return strings.HasSuffix(name, "TaskQueue")
	}
	for _, prefix := range []string{"Respond", "Record", "Shutdown"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// TestUnhurriedClient: what users' clients repeat is repeated beyond their limit, and
// nothing else is.
func TestUnhurriedClient(t *testing.T) {
	t.Parallel()
	cc, err := grpc.NewClient("passthrough:///nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cc.Close()) })
	tests := []struct {
		name    string
		method  string
		within  time.Duration // of the caller; 0: none
		answers []codes.Code  // of one attempt after another
		want    codes.Code
	}{
		{"a server that comes back", "/s/StartWorkflowExecution", patience, []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.OK}, codes.OK},
		{"a call without limit", "/s/RegisterNamespace", 0, []codes.Code{codes.ResourceExhausted, codes.OK}, codes.OK},
		{"an answer that is final", "/s/StartWorkflowExecution", patience, []codes.Code{codes.NotFound}, codes.NotFound},
		{"a caller who wants to know soon", "/s/StartWorkflowExecution", time.Second, []codes.Code{codes.Unavailable}, codes.Unavailable},
		{"a worker", "/s/PollWorkflowTaskQueue", patience, []codes.Code{codes.Unavailable}, codes.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			if tt.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, tt.within)
				defer cancel()
			}
			attempts := 0
			err := unhurried(ctx, tt.method, nil, nil, cc, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
				attempts++
				return grpcstatus.Error(tt.answers[attempts-1], "as asked")
			})
			require.Equal(t, tt.want, grpcstatus.Code(err))
			require.Equal(t, len(tt.answers), attempts)
		})
	}
}
