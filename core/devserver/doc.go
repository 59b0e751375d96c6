// Package devserver is "temporal-server start-dev": a whole Temporal in one
// process with nothing to prepare, with the flags and habits of "temporal server
// start-dev".
//
// It is no second bootstrap. The flags become the first layer of an ordinary
// configuration (package config), over which variables and --set lie as ever, and
// package server runs it. What is here is what only a development server has: the
// layer, defaults of the dynamic configuration, checks that turn a port that is
// taken into a line, and hooks beside the server that make namespaces and search
// attributes, serve the web UI and say where everything is.
//
// The flags choose; what then counts is the merged configuration: addresses are
// read from it, so that a value set from outside never contradicts what is
// printed.
package devserver
