// Package config turns layers of configuration into the server's own
// config.Config and the database that it asks for.
//
// Layers, lowest first:
//
//  1. one of: a configuration file; a configuration directory (base.yaml,
//     ENV.yaml, ENV_ZONE.yaml); or, when neither is asked for, the environment
//     template: upstream's own, with ours laid over it (template.yaml);
//  2. environment variables TEMPORAL__A__B=value;
//  3. settings A.b=value of the command line.
//
// The first layer means what it means to stock Temporal: files are templates
// under the same mark, and those of a directory are merged as upstream merges
// them (a later file replaces an entry of a map, such as one data store, as a
// whole). The two layers above it set single values.
//
// A value is kept as the YAML node that it was read from until the very end.
// So text stays as it was written (version 7.10 is not 7.1, password 0123 is
// not 83), and every value knows the file and line, variable or setting that it
// came from.
//
// Two keys are ours: "backend" names the database, "backends" holds options by
// name. They are a short form for a custom data store; see [Load].
package config
