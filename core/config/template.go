package config

import (
	"bytes"
	_ "embed"
	"fmt"
	stdlog "log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	tconfig "go.temporal.io/server/common/config"
	"gopkg.in/yaml.v3"
)

//go:embed template.yaml
var ownTemplate []byte

// templateMark and templateHead are upstream's rule for which files are
// templates (common/config/loader.go, checkTemplatingEnabled): a comment in the
// first kibibyte that contains the mark.
const (
	templateMark = "enable-template"
	templateHead = 1024
)

func isTemplate(content []byte) bool {
	for line := range strings.Lines(string(content[:min(len(content), templateHead)])) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") && strings.Contains(line, templateMark) {
			return true
		}
	}
	return false
}

// render runs content as a Go template with sprig's functions if it is marked
// as one, and logs as upstream does. more adds functions.
func render(name string, content []byte, more template.FuncMap) ([]byte, error) {
	if !isTemplate(content) {
		return content, nil
	}
	stdlog.Printf("Processing config file as template; filename=%v\n", filepath.Base(name))
	return execute(name, content, more)
}

func execute(name string, content []byte, more template.FuncMap) ([]byte, error) {
	t, err := template.New(filepath.Base(name)).Funcs(sprig.FuncMap()).Funcs(more).Parse(string(content))
	if err != nil {
		return nil, fmt.Errorf("failed to process config file %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return nil, fmt.Errorf("failed to process config file %s: %w", name, err)
	}
	return out.Bytes(), nil
}

const environmentLayer = "environment template"

// fromEnvironment is the first layer when no file is asked for. Upstream's
// template is run by upstream's own loader, so its variables keep their meaning
// release by release; ours is laid over it. asked is the database that a layer
// above asks for.
func (b *book) fromEnvironment(asked string) (tree, error) {
	cfg, err := stockFromEnvironment(asked != "")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", environmentLayer, err)
	}
	stock, err := yaml.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", environmentLayer, err)
	}
	own, err := execute("template.yaml", ownTemplate, template.FuncMap{"asked": func() string { return asked }})
	if err != nil {
		return nil, err
	}
	out, err := b.parse(environmentLayer, stock)
	if err != nil {
		return nil, err
	}
	dropZeros(out)
	// The exporters have no form to be written in (the type decodes itself and
	// does not encode); upstream's template has no variables for them.
	delete(out, "otel")
	over, err := b.parse(environmentLayer, own)
	if err != nil {
		return nil, err
	}
	if v, ok := lookup(over, "persistence", "datastores", "visibility").(tree); ok {
		if stores, ok := lookup(out, "persistence", "datastores").(tree); ok {
			stores["visibility"] = v // replaces what DB implied, as a whole
		}
	}
	deep(over, out)
	b.forgetLines(environmentLayer)
	return out, nil
}

// stockFromEnvironment runs upstream's template. Its loader refuses a Cassandra
// without hosts, which is what DB means when it is not set. So where a database
// of ours stands in for that one, DB says so while upstream reads it: for a
// name that it does not know, its template describes no data store.
func stockFromEnvironment(ours bool) (*tconfig.Config, error) {
	db, set := os.LookupEnv("DB")
	if ours && (db == "" || strings.EqualFold(db, "cassandra")) {
		if err := os.Setenv("DB", "ours"); err != nil {
			return nil, err
		}
		defer func() {
			if !set {
				_ = os.Unsetenv("DB") // cannot fail for a valid name
				return
			}
			_ = os.Setenv("DB", db) // the same
		}()
	}
	return tconfig.Load(tconfig.WithEmbedded())
}

// dropZeros removes what the marshalled struct says without saying anything,
// so that every value left is one that the template gave.
func dropZeros(t tree) {
	for key, value := range t {
		switch v := value.(type) {
		case tree:
			dropZeros(v) // an empty mapping stays: it may be behind a pointer
		case *yaml.Node:
			switch {
			case isNull(v), v.Kind == yaml.SequenceNode && len(v.Content) == 0:
				delete(t, key)
			case v.Kind == yaml.ScalarNode && slices.Contains([]string{"", "0", "0s", "false"}, v.Value):
				delete(t, key)
			}
		}
	}
}

// forgetLines drops line numbers of a layer that no user can look up.
func (b *book) forgetLines(layer string) {
	for i := range b.origins {
		if b.origins[i].layer == layer {
			b.origins[i].line = 0
		}
	}
}

// fromFile is the first layer when a file is asked for.
func (b *book) fromFile(path string) (tree, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	content, err = render(path, content, nil)
	if err != nil {
		return nil, err
	}
	return b.parse(path, content)
}

// fromCommand is the first layer when a command gives it. It goes through YAML
// because leaves of a tree carry text and origin.
func (b *book) fromCommand(command string, given map[string]any) (tree, error) {
	content, err := yaml.Marshal(given)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	t, err := b.parse(command, content)
	if err != nil {
		return nil, err
	}
	b.forgetLines(command)
	return t, nil
}
