package differential

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/temporal-ycql/temporal-ycql/internal/cassandratest"
)

var scriptFlag = flag.String("script", "", "file of statements, each ended by a semicolon at the end of its line, to run on both sides; a line '-- page N' before one pages it, '-- sleep' waits for short TTLs to run out")

// TestScript shows what both sides answer to the statements of a file. It is a
// tool for looking into a difference and asserts nothing.
func TestScript(t *testing.T) {
	if *scriptFlag == "" {
		t.Skip("a tool: name a file with -script")
	}
	b, err := os.ReadFile(*scriptFlag)
	if err != nil {
		t.Fatal(err)
	}
	node := cassandratest.Start(t)
	keyspace := node.Keyspace(t)
	sides := []*side{{name: "engine", Session: engineSession(t, keyspace)}, {name: "cassandra", Session: node.Session(t, keyspace)}}
	for _, text := range strings.Split(string(b), ";\n") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		st := stmt{text: text}
		if n, _ := fmt.Sscanf(text, "-- page %d", &st.page); n == 1 {
			_, st.text, _ = strings.Cut(text, "\n")
		}
		if rest, ok := strings.CutPrefix(st.text, "-- sleep\n"); ok {
			st.text, st.wait = rest, true
			time.Sleep(expiryWait)
		}
		t.Log(text)
		for _, s := range sides {
			o, err := s.run("t", st)
			t.Logf("    %-9s %v %v", s.name, o, err)
		}
	}
}
