//go:build linux && cgo

package storage

// #include <malloc.h>
//
// enum { arenas = 2 };
//
// // Before main, and so before there are threads with arenas of their own, which
// // would stay.
// __attribute__((constructor)) static void share_arenas(void) {
// #ifdef M_ARENA_MAX // of the GNU C library; others have none
//     mallopt(M_ARENA_MAX, arenas);
// #endif
// }
import "C"

// arenas is how many arenas the C library's allocator may have, from which Pebble
// takes the blocks of its cache and its memory tables where there is cgo. By itself
// it makes up to eight for each processor. What one thread frees, only those that
// share its arena can use again, so with a cache that is full each arena grows to
// what its threads once needed: on two processors a cache of 64 MiB took 490.
const arenas = C.arenas
