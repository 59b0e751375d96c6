package devserver

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
)

// TestDynamicLayers: flags win over the file, which wins over the defaults, and
// changes of the file reach those who subscribed unless a flag hides them.
func TestDynamicLayers(t *testing.T) {
	flags, err := dynamicFlags([]string{
		`frontend.persistenceMaxQPS=7`,
		`history.shutdownDrainDuration="3s"`,
		`callback.allowedAddresses=[{"Pattern":"a,b","AllowInsecure":true}]`,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dynamic.yaml")
	write := func(frontend, matching, at int) {
		text := []byte("frontend.persistenceMaxQPS: [{value: " + string(rune('0'+frontend)) + "}]\nmatching.persistenceMaxQPS: [{value: " + string(rune('0'+matching)) + "}]\n")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Unix(int64(at), 0) // the client compares times of change
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	write(1, 2, 1000)
	done := make(chan any)
	defer close(done)
	file, err := dynamicconfig.NewFileBasedClient(&dynamicconfig.FileBasedClientConfig{Filepath: path, PollInterval: time.Hour}, log.NewNoopLogger(), done)
	if err != nil {
		t.Fatal(err)
	}
	d := &dynamic{flags: flags, file: file, defaults: defaults()}
	collection := dynamicconfig.NewCollection(d, log.NewNoopLogger())
	collection.Start()
	defer collection.Stop()
	values := func() []any {
		return []any{
			dynamicconfig.FrontendPersistenceMaxQPS.Get(collection)(),
			dynamicconfig.MatchingPersistenceMaxQPS.Get(collection)(),
			dynamicconfig.HistoryPersistenceMaxQPS.Get(collection)(),
			dynamicconfig.TransferProcessorMaxPollRPS.Get(collection)(),
			dynamicconfig.HistoryShutdownDrainDuration.Get(collection)(),
			dynamicconfig.WorkerPersistenceMaxQPS.Get(collection)(),
		}
	}
	for i, want := range []any{7, 2, 45_000, 2000, 3 * time.Second, 2500} {
		if got := values()[i]; got != want {
			t.Errorf("value %d = %v, want %v", i, got, want)
		}
	}
	var told map[dynamicconfig.Key][]dynamicconfig.ConstrainedValue
	defer d.Subscribe(func(changed map[dynamicconfig.Key][]dynamicconfig.ConstrainedValue) { told = changed })()
	heard := make(chan int, 9) // the collection calls from a goroutine of its own
	_, cancel := dynamicconfig.MatchingPersistenceMaxQPS.Subscribe(collection)(func(n int) { heard <- n })
	defer cancel()
	write(3, 4, 2000)
	if err := file.Update(); err != nil {
		t.Fatal(err)
	}
	if got := told[dynamicconfig.FrontendPersistenceMaxQPS.Key()]; len(got) != 1 || got[0].Value != 7 {
		t.Errorf("who subscribed hears %v where a flag hides the file", got)
	}
	if got := dynamicconfig.FrontendPersistenceMaxQPS.Get(collection)(); got != 7 {
		t.Errorf("the file hides a flag: %d", got)
	}
	if got := dynamicconfig.MatchingPersistenceMaxQPS.Get(collection)(); got != 4 {
		t.Errorf("the file has changed, its value is %d", got)
	}
	select {
	case got := <-heard:
		if got != 4 {
			t.Errorf("who subscribed hears %d, the file says 4", got)
		}
	case <-time.After(time.Minute):
		t.Error("the file has changed, and who subscribed does not hear of it")
	}
}
