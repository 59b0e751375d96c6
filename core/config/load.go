package config

import (
	"errors"
	"fmt"
	stdlog "log"
	"os"
	"path/filepath"
	"slices"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	tconfig "go.temporal.io/server/common/config"

	"github.com/temporal-ycql/temporal-ycql/core/backend"
)

// Source says where configuration comes from. At most one of Given, File and
// Dir is set; with none, the environment template is the first layer.
type Source struct {
	// Given is the first layer of a command that describes a server by itself:
	// nested map[string]any, as YAML would be read. GivenBy is the command.
	Given   map[string]any
	GivenBy string
	// File is a configuration file.
	File string
	// Dir is a configuration directory; Env and Zone choose files in it. An
	// empty Env is "development".
	Dir, Env, Zone string
	// Set are settings a.b=value.
	Set []string
	// Environ are variables NAME=value with which single values are set; nil
	// means those of the process. (Templates always read the process's own.)
	Environ []string
}

// Loaded is a valid configuration.
type Loaded struct {
	// Config is the server's configuration, validated as upstream validates.
	// A short form is expanded in it.
	Config *tconfig.Config
	// Chosen is the database of ours that the default store asks for; nil if
	// the default store is one of stock Temporal's.
	Chosen *Chosen
	// Warnings name what the server will not heed, each with its place.
	Warnings []string

	tree tree
	book *book
}

// Chosen is a database of ours with valid options.
type Chosen struct {
	// Name is the backend's, e.g. "cassandra".
	Name string
	// Opener connects with the options that were configured.
	Opener backend.Opener
}

// pathDelimiter joins keys in koanf; it cannot occur in them, dots can.
const pathDelimiter = "\x1f"

// Load reads, merges and checks all layers.
//
// The short form "backend: NAME" makes the default store (persistence.
// defaultStore; "default" if it has no name) a custom data store of that name
// with the options under "backends: {NAME: ...}"; whatever that store was
// before is replaced, its fault injection kept. So one word switches the
// database. Without a word, a customDatastore block means the same.
//
// Errors are one line per fault. Unknown keys are errors in what is ours and
// warnings in what is stock's.
func Load(src Source, registry *backend.Registry) (*Loaded, error) {
	if src.File != "" && src.Dir != "" {
		return nil, errors.New("a configuration file and a configuration directory are both given: choose one")
	}
	if src.Given != nil && src.File+src.Dir != "" {
		return nil, fmt.Errorf("%s describes its configuration by itself: it takes no configuration file", src.GivenBy)
	}
	environ := src.Environ
	if environ == nil {
		environ = os.Environ()
	}
	b := &book{}
	k := koanf.New(pathDelimiter)
	if err := b.loadFirst(k, src, environ); err != nil {
		return nil, err
	}
	for _, read := range []func(o *overrider) (tree, error){
		func(o *overrider) (tree, error) { return o.fromVariables(environ) },
		func(o *overrider) (tree, error) { return o.fromSettings(src.Set) },
	} {
		layer, err := read(&overrider{book: b, registry: registry, below: k.Raw()})
		if err != nil {
			return nil, err
		}
		if err := k.Load(confmap.Provider(layer, ""), nil); err != nil {
			return nil, err
		}
	}
	return b.finish(k.Raw(), registry)
}

// loadFirst loads the lowest layer. Its lines on standard error are upstream's.
func (b *book) loadFirst(k *koanf.Koanf, src Source, environ []string) error {
	var layers []tree
	switch {
	case src.Given != nil:
		t, err := b.fromCommand(src.GivenBy, src.Given)
		if err != nil {
			return err
		}
		layers = append(layers, t)
	case src.File != "":
		t, err := b.fromFile(src.File)
		if err != nil {
			return err
		}
		layers = append(layers, t)
	case src.Dir != "":
		env := src.Env
		if env == "" {
			env = "development"
		}
		stdlog.Printf("Loading config; env=%v,zone=%v,configDir=%v\n", env, src.Zone, src.Dir)
		files, err := directoryFiles(src.Dir, env, src.Zone)
		if err != nil {
			return err
		}
		stdlog.Printf("Loading config files=%v\n", files)
		for _, path := range files {
			t, err := b.fromFile(path)
			if err != nil {
				return err
			}
			layers = append(layers, t)
		}
	default:
		t, err := b.fromEnvironment(asked(src.Set, environ))
		if err != nil {
			return err
		}
		layers = append(layers, t)
	}
	for _, t := range layers {
		if err := k.Load(confmap.Provider(t, ""), nil, koanf.WithMergeFunc(mergeFiles)); err != nil {
			return err
		}
	}
	return nil
}

// directoryFiles lists the files that a directory contributes, lowest first.
func directoryFiles(dir, env, zone string) ([]string, error) {
	names := []string{"base.yaml", env + ".yaml"}
	if zone != "" {
		names = append(names, env+"_"+zone+".yaml")
	}
	var files []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		_, err := os.Stat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("read configuration directory: %w", err)
		default:
			files = append(files, path)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("failed to get config files: %w in directory: %s (looked for %v)", tconfig.ErrConfigFilesNotFound, dir, names)
	}
	return files, nil
}

// asked is the database that variables or settings ask for by name: the
// environment template describes what it needs.
func asked(set, environ []string) string {
	o := &overrider{book: &book{}, registry: emptyRegistry}
	name := ""
	// Faults are reported when the layers themselves are read.
	variables, _ := o.fromVariables(environ)
	settings, _ := o.fromSettings(set)
	for _, t := range []tree{variables, settings} {
		if s := text(t, "backend"); s != "" {
			name = s
		}
	}
	return name
}

var emptyRegistry = func() *backend.Registry {
	r, err := backend.NewRegistry(nil)
	if err != nil {
		panic(err) // nothing that could be wrong was given
	}
	return r
}()

// finish turns merged layers into the result.
func (b *book) finish(t tree, registry *backend.Registry) (*Loaded, error) {
	e := &expander{book: b, registry: registry, tree: t}
	chosen, err := e.expand()
	if err != nil {
		return nil, err
	}
	warnings, err := b.unknownKeys(t)
	if err != nil {
		return nil, err
	}
	cfg, err := b.decode(t)
	if err != nil {
		return nil, err
	}
	if err := validate(cfg); err != nil {
		return nil, err
	}
	warnings = append(warnings, e.warnings...)
	slices.Sort(warnings)
	return &Loaded{Config: cfg, Chosen: chosen, Warnings: slices.Compact(warnings), tree: t, book: b}, nil
}
