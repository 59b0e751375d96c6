package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReadTakesMetricsAndRefusesFailures(t *testing.T) {
	const good = "goos: linux\npkg: x/y\ncpu: c\nBenchmarkA/b,_1-2 \t 100\t 12.5 ns/op\t 3.0 p50-µs\nPASS\n"
	r, err := read(strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	b := r.Benchmarks
	if len(b) != 1 || b[0].Name != "A/b,_1-2" || b[0].Package != "x/y" || b[0].Runs != 100 || b[0].Metrics["ns/op"] != 12.5 || b[0].Metrics["p50-µs"] != 3 || r.CPU != "c" {
		t.Fatalf("read %+v", r)
	}
	for name, bad := range map[string]string{"a failure": good + "--- FAIL: BenchmarkB\n", "nothing": "PASS\n"} {
		if _, err := read(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	var out bytes.Buffer
	if err := run(strings.NewReader(good), &out, "busy"); err != nil || !strings.Contains(out.String(), `"note": "busy"`) {
		t.Fatalf("wrote %s, error %v", out.String(), err)
	}
}
