package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded"
	"github.com/temporal-ycql/temporal-ycql/core/backend"
	"github.com/temporal-ycql/temporal-ycql/core/schema"
	"github.com/temporal-ycql/temporal-ycql/core/server"
)

// TestAServerMakesTheKeyspaceOfItsOwnDatabase runs whole servers on a database
// inside of their process. Nothing was made before; Temporal opens and closes
// the stores several times at boot, in memory too.
func TestAServerMakesTheKeyspaceOfItsOwnDatabase(t *testing.T) {
	dir, ycqlDir := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	tests := []struct {
		name, dialect string
		set           string
	}{
		{"in memory", "ycql", "backends.embedded.ephemeral=true"},
		{"on disk", "ycql", "backends.embedded.dataDir=" + ycqlDir},
		{"on disk again", "ycql", "backends.embedded.dataDir=" + ycqlDir},
		{"on disk, as Cassandra", "cassandra", "backends.embedded.dataDir=" + dir},
		{"on disk again, as Cassandra", "cassandra", "backends.embedded.dataDir=" + dir},
	}
	// At other ports a role may ask for the members of before, which are in the database,
	// for longer than it may take to start.
	ports := map[string][]int{} // by database
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ports[tt.set] == nil {
				ports[tt.set] = freePorts(t, 8)
			}
			p, port := loadAt(t, ports[tt.set], embedded.New(), "backend=embedded", tt.set, "backends.embedded.dialect="+tt.dialect)
			signals, ended := make(chan os.Signal, 2), make(chan error, 1)
			go func() { ended <- server.Run(p, signals, mustNotAbort) }()
			conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			asked := make(chan error, 1)
			go func() { asked <- untilItAnswers(ctx, conn) }()
			select {
			case err := <-ended:
				t.Fatalf("Run() ended by itself: %v", err)
			case err := <-asked:
				if err != nil {
					t.Fatal(err)
				}
			}
			signals <- syscall.SIGTERM
			if err := <-ended; err != nil {
				t.Fatalf("Run() = %v", err)
			}
			if !strings.Contains(tt.set, "dataDir") {
				return
			}
			// Everything was closed: another process can have the directory.
			other, err := embedded.New().ParseOptions(map[string]any{"dataDir": strings.TrimPrefix(tt.set, "backends.embedded.dataDir="), "dialect": tt.dialect})
			if err != nil {
				t.Fatal(err)
			}
			a, err := other.OpenAdmin(ctx, backend.Env{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = a.Close() }()
			set, err := schema.For(tt.dialect)
			if err != nil {
				t.Fatal(err)
			}
			tool := &schema.Tool{Admin: a, Set: set, Keyspace: "temporal"}
			if differences, err := tool.Verify(ctx); err != nil || len(differences) > 0 {
				t.Fatalf("Verify() = %v, %v", differences, err)
			}
		})
	}
}

// untilItAnswers asks a server until it answers or ctx ends. A server that listens
// refuses calls until it has found itself to be healthy.
func untilItAnswers(ctx context.Context, conn *grpc.ClientConn) error {
	for {
		_, err := workflowservice.NewWorkflowServiceClient(conn).GetClusterInfo(ctx, &workflowservice.GetClusterInfoRequest{}, grpc.WaitForReady(true))
		if status.Code(err) != codes.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// breaking is the embedded database, whose holder a test tells that it is broken.
type breaking struct {
	*embedded.Backend
	broken chan func(error)
}

func (b *breaking) ParseOptions(raw map[string]any) (backend.Opener, error) {
	o, err := b.Backend.ParseOptions(raw)
	if err != nil {
		return nil, err
	}
	return &breakingOpener{o.(*embedded.Opener), b.broken}, nil //nolint:forcetypeassert // it is one
}

type breakingOpener struct {
	*embedded.Opener
	broken chan func(error)
}

func (o *breakingOpener) Hold(env backend.Env) (func() error, error) {
	o.broken <- env.Broken
	return o.Opener.Hold(env)
}

func TestAServerEndsWithItsDatabase(t *testing.T) {
	b := &breaking{embedded.New(), make(chan func(error), 1)}
	p, port := load(t, b, "backend=embedded", "backends.embedded.ephemeral=true")
	ended := make(chan error, 1)
	go func() { ended <- server.Run(p, nil, mustNotAbort) }()
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := untilItAnswers(ctx, conn); err != nil {
		t.Fatal(err)
	}
	tell := <-b.broken
	tell(errors.New("the disk is gone"))
	tell(errors.New("again")) // must not block
	select {
	case err := <-ended:
		if err == nil || err.Error() != "The database has failed. Error: the disk is gone." {
			t.Fatalf("Run() = %v", err)
		}
	case <-ctx.Done():
		t.Fatal("the server runs on")
	}
}

// held counts how often a made-up database inside of the process is held.
type held struct {
	*database
	hold     error
	released int
}

func (h *held) ParseOptions(raw map[string]any) (backend.Opener, error) {
	o, err := h.database.ParseOptions(raw)
	return &heldOpener{o, h}, err
}

type heldOpener struct {
	backend.Opener
	h *held
}

func (o *heldOpener) Hold(backend.Env) (func() error, error) {
	return func() error { o.h.released++; return nil }, o.h.hold
}

func TestADatabaseIsReleasedWhenAStartFails(t *testing.T) {
	tests := []struct {
		name     string
		give     *held
		want     string
		released int
	}{
		{"it cannot be opened", &held{database: &database{}, hold: errors.New("in use by process 7")}, "Unable to create server. Error: in use by process 7.", 0},
		{"its schema cannot be made", &held{database: &database{none: true}}, `Unable to create server. Error: create keyspace "temporal": ` + errWrites.Error(), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, _ := load(t, tt.give, "backend=cassandra")
			err := server.Run(p, nil, mustNotAbort)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("Run() = %v, want %s", err, tt.want)
			}
			if tt.give.released != tt.released {
				t.Fatalf("released %d times, want %d", tt.give.released, tt.released)
			}
		})
	}
}
