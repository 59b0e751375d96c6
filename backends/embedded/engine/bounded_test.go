package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/backends/embedded/parse"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/server"
	"github.com/temporal-ycql/temporal-ycql/backends/embedded/wire"
)

const boundedRows = 2000

func openBounded(t *testing.T, d parse.Dialect) *session {
	t.Helper()
	s := openSchema(t, d, "CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
	text := strings.Repeat("x", 100)
	for i := range boundedRows {
		if _, err := s.query(fmt.Sprintf("INSERT INTO t (k, c, v) VALUES (%d, %d, '%s')", i%7, i, text)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestAResultHasABound lowers the bound to 64 KiB: 2,000 rows of 100 bytes and more
// exceed it, a page of 100 does not.
func TestAResultHasABound(t *testing.T) {
	for _, d := range []parse.Dialect{parse.Cassandra, parse.YCQL} {
		t.Run(d.String(), func(t *testing.T) {
			s := openBounded(t, d)
			s.e.maxResult = 64 << 10
			for _, text := range []string{"SELECT * FROM t", "SELECT c, v FROM t WHERE k IN (0, 1, 2, 3, 4)"} {
				_, err := s.e.Query(t.Context(), "ks", text, &server.Params{})
				var w *wire.Error
				if !errors.As(err, &w) || w.Code != wire.CodeInvalid || !strings.Contains(w.Message, "not supported by the embedded engine") {
					t.Fatalf("%s: error %v, want 0x2200 about the size", text, err)
				}
			}
			rows, p := 0, &server.Params{PageSize: 100}
			for {
				res, err := s.e.Query(t.Context(), "ks", "SELECT * FROM t", p)
				if err != nil {
					t.Fatal(err)
				}
				rows += res.RowCount()
				if p.PagingState = res.PagingState; p.PagingState == nil {
					break
				}
			}
			if rows != boundedRows {
				t.Fatalf("%d rows in pages, want %d", rows, boundedRows)
			}
			res, err := s.e.Query(t.Context(), "ks", "SELECT count(*) FROM t", &server.Params{})
			if err != nil || res.RowCount() != 1 {
				t.Fatalf("a count of more rows than fit: %v", err)
			}
		})
	}
}

func TestAReadEndsWhenItsClientHasGone(t *testing.T) {
	s := openBounded(t, parse.Cassandra)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{
		"SELECT * FROM t",
		"SELECT count(*) FROM t",
		"SELECT * FROM t WHERE v = 'none' ALLOW FILTERING",
		"SELECT * FROM t WHERE k = 1",
	} {
		if _, err := s.e.Query(ctx, "ks", text, &server.Params{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want that of the context", text, err)
		}
	}
	// What is done before anybody would ask is done.
	if _, err := s.e.Query(ctx, "ks", "SELECT * FROM t WHERE k = 1 AND c = 1", &server.Params{}); err != nil {
		t.Error(err)
	}
}
