package report_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/temporal-ycql/temporal-ycql/internal/browser"
)

// frame shows the page at a width and writes down what a reader would meet. It is
// on the page's own origin, or it could not look.
const frame = `<!DOCTYPE html><iframe id="f" src="/page" style="border:0;width:%dpx;height:800px"></iframe><pre id="seen"></pre><script>
const f = document.getElementById("f");
f.onload = () => {
  const d = f.contentDocument, w = f.contentWindow;
  const luminance = c => c.match(/\d+/g).slice(0, 3).reduce((s, v, i) => s + v * [0.299, 0.587, 0.114][i], 0);
  const body = w.getComputedStyle(d.body), small = [];
  for (const s of d.querySelectorAll("svg")) {
    const scale = s.getBoundingClientRect().width / s.viewBox.baseVal.width;
    for (const t of s.querySelectorAll("text")) small.push(scale * parseFloat(w.getComputedStyle(t).fontSize));
  }
  const line = w.getComputedStyle(d.querySelector("polyline.a")).stroke;
  document.getElementById("seen").textContent = "seen: " + [
    "overflow=" + (d.documentElement.scrollWidth - d.documentElement.clientWidth),
    "background=" + Math.round(luminance(body.backgroundColor)), "text=" + Math.round(luminance(body.color)),
    "line=" + Math.round(luminance(line)), "smallest=" + Math.floor(Math.min(...small)),
    "resources=" + w.performance.getEntriesByType("resource").length,
  ].join(" ");
};
</script>`

// TestThePageInABrowser has a real one show it at the widths of a phone and a desk,
// light and dark.
func TestThePageInABrowser(t *testing.T) {
	page := render(t, sample())
	var mu sync.Mutex
	asked := map[string]int{}
	width := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/frame":
			fmt.Fprintf(w, frame, width)
		case "/page":
			fmt.Fprint(w, page)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	for _, tt := range []struct {
		name   string
		width  int
		scheme string // of Chromium's setting preferredColorScheme
		dark   bool
	}{
		{"phone, light", 360, "1", false},
		{"phone, dark", 360, "0", true},
		{"desk, light", 1280, "1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mu.Lock()
			width = tt.width
			clear(asked)
			mu.Unlock()
			seen := look(t, s.URL+"/frame", tt.scheme)
			require.Equal(t, 0, seen["overflow"], "the page scrolls sideways")
			require.Equal(t, 0, seen["resources"], "the page asked for something")
			require.GreaterOrEqual(t, seen["smallest"], 9, "text in charts can be read")
			require.Equal(t, tt.dark, seen["background"] < 60, "background %d", seen["background"])
			require.Greater(t, abs(seen["background"]-seen["text"]), 150, "text stands out")
			require.Greater(t, abs(seen["background"]-seen["line"]), 60, "lines stand out")
			mu.Lock()
			defer mu.Unlock()
			delete(asked, "/favicon.ico") // the browser's own wish
			require.Equal(t, map[string]int{"/frame": 1, "/page": 1}, asked)
		})
	}
}

func abs(n int) int { return max(n, -n) }

var (
	seenLine = regexp.MustCompile(`seen: ([a-z=0-9 -]+)<`)
	seenPart = regexp.MustCompile(`([a-z]+)=(-?\d+)`)
)

func look(t *testing.T, url, scheme string) map[string]int {
	t.Helper()
	dom, err := browser.Dump(t.Context(), t, url, "--blink-settings=preferredColorScheme="+scheme, "--window-size=1400,1000")
	require.NoError(t, err)
	line := seenLine.FindStringSubmatch(dom)
	require.NotNil(t, line, "the frame wrote nothing down:\n%s", dom)
	seen := map[string]int{}
	for _, part := range seenPart.FindAllStringSubmatch(line[1], -1) {
		var n int
		_, err := fmt.Sscan(part[2], &n)
		require.NoError(t, err)
		seen[part[1]] = n
	}
	return seen
}
