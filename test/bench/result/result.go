// Package result writes what the programs beside it measured.
package result

import (
	"encoding/json"
	"fmt"
	"os"
)

// Write writes v as indented JSON to a file, or to standard output if path is
// empty.
func Write(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	text = append(text, '\n')
	if path == "" {
		_, err = os.Stdout.Write(text)
	} else {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
