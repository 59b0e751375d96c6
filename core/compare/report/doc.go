// Package report renders a comparison for people: one HTML file that needs nothing
// beside it. It holds no script and asks for nothing over the network, which its
// own policy forbids it; charts are SVG whose colours follow the reader's scheme;
// tables that are wider than a phone scroll by themselves.
//
// Everything that is judged was judged before: this package only shows a
// [result.Run], also one that broke off.
package report
