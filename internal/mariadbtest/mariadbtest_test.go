package mariadbtest_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/mariadbtest"
)

func TestStartAnswersQueries(t *testing.T) {
	db := mariadbtest.Start(t)
	pool, err := sql.Open("mysql", db.User+"@tcp("+db.Addr()+")/")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var version string
	if err := pool.QueryRowContext(t.Context(), "SELECT version()").Scan(&version); err != nil || !strings.HasPrefix(version, mariadbtest.Version) {
		t.Fatalf("it says %q, %v", version, err)
	}
}
