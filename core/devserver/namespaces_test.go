package devserver

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// frontend answers as a server's does, after refusals.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	operatorservice.UnimplementedOperatorServiceServer

	mu       sync.Mutex
	refusals map[string][]error // by method, what it answers first
	calls    map[string]int     // by method
	made     map[string]enumspb.IndexedValueType
}

func (f *frontend) refuse(_ context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	method := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	if left := f.refusals[method]; len(left) > 0 {
		f.refusals[method] = left[1:]
		return nil, serviceerror.ToStatus(left[0]).Err()
	}
	reply, err := handle(context.Background(), req)
	if err != nil {
		err = serviceerror.ToStatus(err).Err()
	}
	return reply, err
}

func (f *frontend) RegisterNamespace(context.Context, *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

func (f *frontend) DescribeWorkflowExecution(context.Context, *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	return nil, serviceerror.NewNotFound("no such workflow")
}

func (f *frontend) ListWorkflowExecutions(context.Context, *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	return &workflowservice.ListWorkflowExecutionsResponse{}, nil
}

func (f *frontend) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: f.made}, nil
}

func (f *frontend) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	f.made = r.GetSearchAttributes()
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

// serve returns the address at which f answers until the test ends.
func (f *frontend) serve(t *testing.T) string {
	t.Helper()
	f.calls = map[string]int{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(f.refuse))
	workflowservice.RegisterWorkflowServiceServer(server, f)
	operatorservice.RegisterOperatorServiceServer(server, f)
	go func() { _ = server.Serve(listener) }() // it ends with Stop
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TestSetUpWaitsForTheServer: a server that listens is not healthy yet, and one that
// is busy refuses a call now and then.
func TestSetUpWaitsForTheServer(t *testing.T) {
	unhealthy, busy := serviceerror.NewUnavailable("Frontend is not healthy yet"), status.Error(codes.ResourceExhausted, "busy")
	f := &frontend{refusals: map[string][]error{
		"RegisterNamespace":         {unhealthy, unhealthy, serviceerror.NewDeadlineExceeded("too late")},
		"DescribeWorkflowExecution": {unhealthy, serviceerror.NewNamespaceNotFound("n")},
		"ListWorkflowExecutions":    {busy},
		"ListSearchAttributes":      {unhealthy},
		"AddSearchAttributes":       {busy, unhealthy, errors.New("load search attributes: context deadline exceeded")},
	}}
	if err := setUp(t.Context(), f.serve(t), []string{"n"}, []attribute{{"Colour", enumspb.INDEXED_VALUE_TYPE_KEYWORD}}); err != nil {
		t.Fatal(err)
	}
	for method, left := range f.refusals {
		if len(left) > 0 {
			t.Errorf("%s was not asked often enough: %v", method, left)
		}
	}
	if f.calls["RegisterNamespace"] != 4 || f.made["Colour"] != enumspb.INDEXED_VALUE_TYPE_KEYWORD {
		t.Errorf("calls %v, made %v", f.calls, f.made)
	}
}

// TestSetUpEndsWithWhatIsRefusedForGood: asking again would not help.
func TestSetUpEndsWithWhatIsRefusedForGood(t *testing.T) {
	f := &frontend{refusals: map[string][]error{"RegisterNamespace": {serviceerror.NewInvalidArgument("too long")}}}
	err := setUp(t.Context(), f.serve(t), []string{"n"}, nil)
	if err == nil || err.Error() != `namespace "n": too long` || f.calls["RegisterNamespace"] != 1 {
		t.Fatalf("setUp() = %v after %v", err, f.calls)
	}
}
