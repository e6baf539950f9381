package landing_test

import (
	"flag"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"stepwise/internal/landing"
	"stepwise/internal/signup"
)

var update = flag.Bool("update", false, "write testdata/*.html anew")

// Every page, to the letter.
func TestPages(t *testing.T) {
	outcome := func(result signup.LinkResult) func(w *world) *httptest.ResponseRecorder {
		return func(w *world) *httptest.ResponseRecorder {
			w.result = result
			return w.post("/verify", "token=t1")
		}
	}
	pages := map[string]func(w *world) *httptest.ResponseRecorder{
		"confirm": func(w *world) *httptest.ResponseRecorder { return w.send("GET", "/verify?token=t1", "") },
		"app-name-is-text": func(w *world) *httptest.ResponseRecorder {
			w.page.AppName = `</title><script>alert(1)</script> & "Sons"`
			return w.send("GET", "/verify?token="+`%22%3E%3Cscript%3Ealert(1)%3C/script%3E`, "")
		},
		"confirmed":     outcome(signup.LinkResult{Outcome: signup.LinkConfirmed}),
		"elsewhere":     outcome(signup.LinkResult{Outcome: signup.LinkElsewhere}),
		"expired":       outcome(signup.LinkResult{Outcome: signup.LinkExpired}),
		"invalid":       outcome(signup.LinkResult{Outcome: signup.LinkInvalid}),
		"refused":       outcome(signup.LinkResult{Outcome: signup.LinkRefused, Message: "This email address already belongs to an account. Sign in instead, or use another one."}),
		"not-under-way": func(w *world) *httptest.ResponseRecorder { return w.send("GET", "/oauth/callback/google", "") },
		"foreign-form": func(w *world) *httptest.ResponseRecorder {
			return w.post("/verify", "token=t1", "Sec-Fetch-Site", "cross-site")
		},
		"no-form": func(w *world) *httptest.ResponseRecorder {
			return w.post("/verify", "{}", "Content-Type", "application/json")
		},
		"bad-form":     func(w *world) *httptest.ResponseRecorder { return w.post("/verify", "token=%") },
		"too-much":     func(w *world) *httptest.ResponseRecorder { return w.post("/verify", strings.Repeat("x", 1<<20)) },
		"not-found":    func(w *world) *httptest.ResponseRecorder { return w.send("GET", "/x", "") },
		"wrong-method": func(w *world) *httptest.ResponseRecorder { return w.send("PUT", "/verify", "") },
		"unavailable": func(w *world) *httptest.ResponseRecorder {
			w.openErr = refusal("UNAVAILABLE")
			return w.send("GET", "/verify?token=t1", "")
		},
		"mistake": func(w *world) *httptest.ResponseRecorder {
			w.result = signup.LinkResult{}
			return w.post("/verify", "token=t1")
		},
	}
	reference := regexp.MustCompile(`reference: [A-Z2-7]{10}`)
	for name, get := range pages {
		got := reference.ReplaceAllString(get(newWorld(t)).Body.String(), "reference: REFERENCE")
		file := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s", file, got)
		}
	}
	files, err := filepath.Glob("testdata/*.html")
	if err != nil || len(files) != len(pages) {
		t.Errorf("%d files for %d pages, %v", len(files), len(pages), err)
	}
}

// Text has a contrast of 4.5 at least (WCAG 2.2, 1.4.3), in both schemes.
func TestContrast(t *testing.T) {
	css := newWorld(t).send("GET", landing.StylePath, "").Body.String()
	light, dark, found := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark scheme")
	}
	for scheme, rules := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(rules, -1) {
			colors[m[1]] = m[2]
		}
		for _, pair := range [][2]string{{"text", "surface"}, {"text", "background"}, {"quiet", "surface"}, {"on-accent", "accent"}} {
			a, b := luminance(t, colors[pair[0]]), luminance(t, colors[pair[1]])
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
				t.Errorf("%s: %s on %s has a contrast of %.2f", scheme, pair[0], pair[1], contrast)
			}
		}
	}
}

// luminance is the relative luminance of an sRGB colour, as WCAG defines it.
func luminance(t *testing.T, color string) float64 {
	t.Helper()
	rgb, err := strconv.ParseUint(color, 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", color, err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb>>(16-8*i)&0xff) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
