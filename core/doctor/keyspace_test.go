package doctor

import "testing"

func TestJudgeCommitLog(t *testing.T) {
	tests := []struct {
		sync   string
		copies int
		want   Status
	}{
		{"periodic", 1, Warning},
		{"periodic", 3, Good},
		{"batch", 1, Good},
		{"group", 1, Good},
	}
	for _, tt := range tests {
		status, found, hint := judgeCommitLog(tt.sync, tt.copies)
		if status != tt.want || found == "" || (hint == "") != (status == Good) {
			t.Errorf("%s with %d copies: %v, %q, %q", tt.sync, tt.copies, status, found, hint)
		}
	}
}
