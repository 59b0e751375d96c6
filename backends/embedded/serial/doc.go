// Package serial holds the test that concurrent statements of the embedded
// engine are serializable in real time: histories of clients that race for the
// same rows are checked by porcupine, a linearizability checker.
package serial
