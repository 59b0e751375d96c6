package scrape_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/temporal-ycql/temporal-ycql/internal/scrape"
)

const page = `# HELP requests requests counter
# TYPE requests counter
requests{operation="a",service="x \"y\""} 3
requests{operation="b",service="x"} 4
# TYPE requests_pending gauge
requests_pending 7
requests_bare 5
# TYPE requests_time histogram
requests_time_bucket{le="+Inf"} 2
requests_time_sum 3
requests_time_count 2
# TYPE other gauge
other 1
`

func TestFamilies(t *testing.T) {
	answers := map[string]string{"/metrics": page, "/broken": "requests{"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	defer server.Close()

	all, err := scrape.Families(t.Context(), server.URL+"/metrics", "requests")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Errorf("families %v, want all that begin with requests", all)
	}
	for _, tt := range []struct {
		name   string
		labels []scrape.Label
		want   []float64
	}{
		{"requests", nil, []float64{3, 4}},
		{"requests", []scrape.Label{{Name: "operation", Value: "b"}}, []float64{4}},
		{"requests", []scrape.Label{{Name: "operation", Value: "b"}, {Name: "service", Value: "z"}}, nil},
		{"requests", []scrape.Label{{Name: "service", Value: `x "y"`}}, []float64{3}},
		{"requests_pending", nil, []float64{7}},
		{"requests_bare", nil, []float64{5}},
		{"requests_time", nil, nil},
		{"other", nil, nil}, // it was not asked for
	} {
		if got := scrape.Values(all[tt.name], tt.labels...); !slices.Equal(got, tt.want) {
			t.Errorf("Values(%s, %v) = %v, want %v", tt.name, tt.labels, got, tt.want)
		}
	}

	for path, want := range map[string]string{"/broken": "read metrics: ", "/nothing": "answers 404"} {
		if _, err := scrape.Families(t.Context(), server.URL+path, "requests"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", path, err, want)
		}
	}
}
