package visibility

import (
	"time"

	"go.temporal.io/server/common/log"
)

// OpenAlone opens and closes a file as another process would.
func OpenAlone(path string) error {
	f, err := openFile(options{path: path, busyTimeout: 30 * time.Second, pragmas: map[string]string{}}, log.NewNoopLogger())
	if err != nil {
		return err
	}
	return f.writer.close()
}
