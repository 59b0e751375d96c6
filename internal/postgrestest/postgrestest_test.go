package postgrestest_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
	"github.com/temporal-ycql/temporal-ycql/internal/postgrestest"
)

func TestStartAnswersQueries(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		needs.Missing(t, "psql", "install Debian's package postgresql")
	}
	db := postgrestest.Start(t)
	out, err := exec.Command(psql, "-h", db.Host, "-p", strconv.Itoa(db.Port), "-U", db.User, "-d", "postgres", "-Atc", "SELECT 6 * 7").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "42" {
		t.Fatalf("psql said %q, %v", out, err)
	}
}
