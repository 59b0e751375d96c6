package needs_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/needs"
)

// recorder is a testing.TB that notes how a test ended.
type recorder struct {
	testing.TB
	fatal, skip string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.skip = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissing(t *testing.T) {
	tests := []struct {
		name       string
		giveEnv    string
		wantFailed bool
	}{
		{"a person's machine skips", "", false},
		{"zero means not set", "0", false},
		{"a machine that must run everything fails", "1", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(needs.RequireAllEnv, tt.giveEnv)
			var r recorder
			done := make(chan struct{})
			go func() {
				defer close(done)
				needs.Missing(&r, "Java 17", "install it")
			}()
			<-done
			if got := r.fatal != ""; got != tt.wantFailed {
				t.Errorf("failed = %t (%q), want %t", got, r.fatal, tt.wantFailed)
			}
			if got := r.skip != ""; got == tt.wantFailed {
				t.Errorf("skipped = %t (%q), want %t", got, r.skip, !tt.wantFailed)
			}
			if text := r.fatal + r.skip; !strings.Contains(text, "Java 17") || !strings.Contains(text, "install it") {
				t.Errorf("message %q names neither what is missing nor the remedy", text)
			}
		})
	}
}
