package harness

import (
	"errors"
	"strconv"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// describeAbsent asks for a workflow that does not exist; other numbers ask for others.
func describeAbsent(n int) *workflowservice.DescribeWorkflowExecutionRequest {
	return &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: "temporal-system",
		Execution: &commonpb.WorkflowExecution{WorkflowId: "harness-probe-" + strconv.Itoa(n)},
	}
}

func registerNamespace(name string, retention time.Duration) *workflowservice.RegisterNamespaceRequest {
	return &workflowservice.RegisterNamespaceRequest{
		Namespace: name, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	}
}

// isNotFound tells a workflow that does not exist from a namespace that does not.
func isNotFound(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}

func exists(err error) bool {
	var taken *serviceerror.NamespaceAlreadyExists
	return errors.As(err, &taken)
}
