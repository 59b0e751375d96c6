package command

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/temporal-ycql/temporal-ycql/core/compare"
)

var defaultContamination = compare.Contamination{Others: 0.15, Lag: 20 * time.Millisecond, Repeats: 2}

//go:embed quick.yaml
var quickConfiguration string

// The arms of a quick run: the embedded engine and stock SQLite. Both sync a write
// before it is answered.
const (
	quickA = `customDatastore: {name: embedded, options: {dialect: ycql, dataDir: data}}`
	quickB = `sql: {pluginName: sqlite, databaseName: temporal.db, connectAddr: localhost, connectProtocol: tcp, maxConns: 1, maxIdleConns: 1, ` +
		`connectAttributes: {mode: rwc, journal_mode: wal, synchronous: "2", busy_timeout: "10000"}}`
)

// quickPlan ends within five minutes on two processors, also if every block is
// repeated.
func quickPlan() Plan {
	p := DefaultPlan()
	p.Pairs, p.Contamination.Repeats = 4, 1
	s := &p.Store
	s.Rates, s.Duration, s.WarmupLeast, s.WarmupMost = []float64{150}, 8*time.Second, time.Second, 4*time.Second
	return p
}

// writeQuick writes the configurations of a quick run and returns their paths.
func writeQuick(dir string) (a, b string, err error) {
	a, b = filepath.Join(dir, "quick-a.yaml"), filepath.Join(dir, "quick-b.yaml")
	for path, store := range map[string]string{a: quickA, b: quickB} {
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(quickConfiguration, "STORE", store)), 0o600); err != nil {
			return "", "", err
		}
	}
	return a, b, nil
}
