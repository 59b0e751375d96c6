package devserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// retention is how long closed workflows are kept, as by upstream's development
// server.
const retention = 24 * time.Hour

// namespaceLimit bounds how long each namespace may take to be made and known, with
// its search attributes. A quick machine needs a second or two, for the server looks
// for new namespaces only so often.
const namespaceLimit = time.Minute

// setUp makes namespaces and search attributes that do not exist yet, through the
// server's own API, and returns when all of the server knows them.
func setUp(ctx context.Context, frontend string, namespaces []string, attributes []attribute) error {
	conn, err := grpc.NewClient(frontend, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(patient))
	if err != nil {
		return fmt.Errorf("connect to %s: %w", frontend, err)
	}
	defer conn.Close() //nolint:errcheck // all has been answered
	s := setter{workflowservice.NewWorkflowServiceClient(conn), operatorservice.NewOperatorServiceClient(conn)}
	for _, namespace := range namespaces {
		if err := s.set(ctx, namespace, attributes); err != nil {
			return err
		}
	}
	return nil
}

// passing are codes of errors that say nothing about the next call: those that
// Temporal's clients repeat, and of a deadline of the server's own. Unknown is its
// answer where it could not read its metadata in time
// (common/searchattribute/manager.go:114 of 1.32.2).
var passing = []codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.Aborted, codes.Unknown, codes.DeadlineExceeded}

// patient asks again, until ctx ends, where an answer may be another one soon, and
// turns errors of gRPC into those of the API. A frontend that listens answers
// Unavailable until it has found itself to be healthy
// (common/rpc/interceptor/health.go of 1.32.2).
func patient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var lasting error
	err := until(ctx, func() error {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if slices.Contains(passing, status.Code(err)) {
			return err
		}
		lasting = err
		return nil
	})
	if err = cmp.Or(lasting, err); err != nil {
		return serviceerror.FromStatus(serviceerror.ToStatus(err))
	}
	return nil
}

type setter struct {
	workflows workflowservice.WorkflowServiceClient
	operator  operatorservice.OperatorServiceClient
}

// set makes a namespace and its search attributes.
func (s setter) set(ctx context.Context, namespace string, attributes []attribute) error {
	ctx, cancel := context.WithTimeout(ctx, namespaceLimit)
	defer cancel()
	if err := s.namespace(ctx, namespace); err != nil {
		return fmt.Errorf("namespace %q: %w", namespace, err)
	}
	for _, a := range attributes {
		if err := s.attribute(ctx, namespace, a); err != nil {
			return fmt.Errorf("search attribute %q of namespace %q: %w", a.name, namespace, err)
		}
	}
	return nil
}

func (s setter) namespace(ctx context.Context, name string) error {
	_, err := s.workflows.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	return until(ctx, func() error { return s.known(ctx, name) })
}

// known asks for a workflow that does not exist, which history says, and for a
// list, which visibility answers: both must know the namespace.
func (s setter) known(ctx context.Context, namespace string) error {
	_, err := s.workflows.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: "start-dev"},
	})
	var absent *serviceerror.NotFound
	if err != nil && !errors.As(err, &absent) {
		return err
	}
	_, err = s.workflows.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: namespace, PageSize: 1})
	return err
}

// attribute adds a search attribute. The server takes one that exists with another
// type for the same; whoever asked for that one would look for it in vain.
func (s setter) attribute(ctx context.Context, namespace string, a attribute) error {
	kind := func() (enumspb.IndexedValueType, error) {
		list, err := s.operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		if err != nil {
			return 0, err
		}
		if k, ok := list.GetSystemAttributes()[a.name]; ok {
			return k, fmt.Errorf("the name is one of the server's own (%s): take another", k)
		}
		return list.GetCustomAttributes()[a.name], nil
	}
	have, err := kind()
	switch {
	case err != nil:
		return err
	case have == a.kind:
		return nil
	case have != enumspb.INDEXED_VALUE_TYPE_UNSPECIFIED:
		return fmt.Errorf("it exists with the type %s, not %s: take another name", have, a.kind)
	}
	if _, err = s.operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: map[string]enumspb.IndexedValueType{a.name: a.kind},
	}); err != nil {
		return err
	}
	return until(ctx, func() error {
		if have, err = kind(); err == nil && have != a.kind {
			err = errors.New("it is not known yet")
		}
		return err
	})
}

// until repeats ask until it succeeds or ctx is done; then it returns the last
// answer.
func until(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(10 * time.Millisecond):
		}
	}
}
