package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

func development() Options {
	return Options{
		Enabled:        true,
		PublicURL:      &url.URL{Scheme: "http", Host: "localhost:8080"},
		OutboxPath:     "/dev/outbox",
		Mode:           "development",
		DefaultHeaders: map[string]string{"Publishable-Key": `pk_"quoted"`},
	}
}

func request(t *testing.T, h http.Handler, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; " +
			"connect-src 'self' ws://localhost:8080; worker-src 'self'; img-src 'self' data:; " +
			"font-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	h := Handler(development())
	for _, target := range append(pageAssets(t, h), "/playground", "/playground/", "/playground/assets/none.js") {
		answer := request(t, h, "GET", target)
		for name, value := range want {
			if got := answer.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, want %q", target, name, got, value)
			}
		}
	}
}

func TestPolicyNamesTheWebSocketOfThePublicURL(t *testing.T) {
	tests := []struct {
		public *url.URL
		want   string
	}{
		{nil, "connect-src 'self';"},
		{&url.URL{Scheme: "http", Host: "127.0.0.1:9"}, "connect-src 'self' ws://127.0.0.1:9;"},
		{&url.URL{Scheme: "https", Host: "id.example.com", Path: "/x"}, "connect-src 'self' wss://id.example.com;"},
	}
	for _, test := range tests {
		if policy := contentSecurityPolicy(test.public); !strings.Contains(policy, test.want) {
			t.Errorf("%v: no %q in %q", test.public, test.want, policy)
		}
	}
}

func TestDisabledServesNothing(t *testing.T) {
	h := Handler(Options{})
	for _, target := range append(pageAssets(t, Handler(development())), "/playground") {
		if answer := request(t, h, "GET", target); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", target, answer.StatusCode)
		}
	}
}

var referencePattern = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

// pageAssets returns the paths of all files that the page loads or links to.
func pageAssets(t *testing.T, h http.Handler) []string {
	t.Helper()
	page := bodyOf(t, request(t, h, "GET", "/playground"))
	paths := []string{configOf(t, page).StoryPath}
	for _, match := range referencePattern.FindAllStringSubmatch(page, -1) {
		if strings.HasPrefix(match[1], "/playground/assets/") {
			paths = append(paths, match[1])
		} else if match[1] != "data:," && match[1] != "/dev/outbox" {
			t.Errorf("the page refers to %q", match[1])
		}
	}
	return paths
}

var configPattern = regexp.MustCompile(`data-config="([^"]*)"`)

func configOf(t *testing.T, page string) configuration {
	t.Helper()
	match := configPattern.FindStringSubmatch(page)
	if match == nil {
		t.Fatal("the page has no configuration")
	}
	unescaped := strings.NewReplacer("&#34;", `"`, "&#43;", "+", "&amp;", "&").Replace(match[1])
	var config configuration
	if err := json.Unmarshal([]byte(unescaped), &config); err != nil {
		t.Fatal(err)
	}
	return config
}

func TestPageHasItsConfigurationAndNothingInline(t *testing.T) {
	page := bodyOf(t, request(t, Handler(development()), "GET", "/playground"))
	config := configOf(t, page)
	if config.GraphQLPath != "/graphql" || config.DefaultHeaders["Publishable-Key"] != `pk_"quoted"` {
		t.Errorf("configuration is %+v", config)
	}
	for _, inline := range []string{`<script>`, `<style`, ` style=`, ` onclick=`, `javascript:`} {
		if strings.Contains(page, inline) {
			t.Errorf("the page contains %q", inline)
		}
	}
	for _, text := range []string{">development<", `href="/dev/outbox"`} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	production := bodyOf(t, request(t, Handler(Options{Enabled: true}), "GET", "/playground"))
	if strings.Contains(production, "outbox") {
		t.Error("the page links to an outbox that does not exist")
	}
}

func TestCaching(t *testing.T) {
	h := Handler(development())
	assets := pageAssets(t, h)
	if len(assets) != 11 {
		t.Errorf("the page has %d files, want 11: %v", len(assets), assets)
	}
	for _, target := range append(assets, "/playground") {
		first := request(t, h, "GET", target, "Accept-Encoding", "gzip")
		if first.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", target, first.StatusCode)
		}
		want := "public, max-age=31536000, immutable"
		if target == "/playground" {
			want = "no-cache"
		}
		if got := first.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", target, got, want)
		}
		again := request(t, h, "GET", target, "Accept-Encoding", "gzip", "If-None-Match", `"other", W/`+first.Header.Get("ETag"))
		if body := bodyOf(t, again); again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s: revalidation gives status %d and %d bytes", target, again.StatusCode, len(body))
		}
		plain := request(t, h, "GET", target, "If-None-Match", first.Header.Get("ETag"))
		if plain.StatusCode != http.StatusOK {
			t.Errorf("%s: the tag of the gzip form is taken for that of the plain form", target)
		}
	}
}

func TestEveryAssetComesCompressedOrPlain(t *testing.T) {
	h := Handler(development())
	for _, target := range append(pageAssets(t, h), "/playground") {
		compressed := request(t, h, "GET", target, "Accept-Encoding", "br, gzip")
		plain := request(t, h, "GET", target)
		if compressed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" {
			t.Fatalf("%s: encodings are %q and %q", target, compressed.Header.Get("Content-Encoding"), plain.Header.Get("Content-Encoding"))
		}
		reader, err := gzip.NewReader(compressed.Body)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(unpacked) == 0 || string(unpacked) != bodyOf(t, plain) {
			t.Errorf("%s: the two forms differ", target)
		}
		if compressed.Header.Get("Vary") != "Accept-Encoding" || plain.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: no Vary", target)
		}
		if compressed.Header.Get("Content-Type") != plain.Header.Get("Content-Type") {
			t.Errorf("%s: the two forms differ in type", target)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	h := Handler(development())
	for _, target := range pageAssets(t, h) {
		want := map[string]string{
			".js":   "text/javascript; charset=utf-8",
			".css":  "text/css; charset=utf-8",
			".json": "application/json",
			".txt":  "text/plain; charset=utf-8",
		}[filepath.Ext(target)]
		if got := request(t, h, "GET", target).Header.Get("Content-Type"); got != want {
			t.Errorf("%s: type %q, want %q", target, got, want)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	tests := map[string]bool{
		"":                       false,
		"gzip":                   true,
		"GZIP":                   true,
		"deflate, gzip;q=0.5":    true,
		"gzip;q=0":               false,
		"gzip; q=0.000":          false,
		"gzip;q=nonsense":        false,
		"*":                      true,
		"*;q=0":                  false,
		"*, gzip;q=0":            false,
		"*;q=0, gzip":            true,
		"br, deflate, identity":  false,
		"gzipped":                false,
		"br;q=1.0, x-gzip;q=0.8": true,
	}
	for field, want := range tests {
		if got := acceptsGzip(field); got != want {
			t.Errorf("%q: %v, want %v", field, got, want)
		}
	}
}

func TestMethods(t *testing.T) {
	h := Handler(development())
	for _, target := range append(pageAssets(t, h), "/playground") {
		get, head := request(t, h, "GET", target), request(t, h, "HEAD", target)
		if body := bodyOf(t, head); body != "" || head.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: status %d and %d bytes", target, head.StatusCode, len(body))
		}
		if head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
			t.Errorf("HEAD %s: another length than GET", target)
		}
		post := request(t, h, "POST", target)
		if post.StatusCode != http.StatusMethodNotAllowed || post.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: status %d, Allow %q", target, post.StatusCode, post.Header.Get("Allow"))
		}
	}
}

func TestSlashLeadsToThePage(t *testing.T) {
	answer := request(t, Handler(development()), "GET", "/playground/")
	if answer.StatusCode != http.StatusPermanentRedirect || answer.Header.Get("Location") != "/playground" {
		t.Errorf("status %d, Location %q", answer.StatusCode, answer.Header.Get("Location"))
	}
}

func TestChecksumsMatchTheAssets(t *testing.T) {
	list, err := os.ReadFile("assets/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	files := readAll(libraryFiles, "assets")
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		if line := hex.EncodeToString(sum[:]) + "  " + f.name + "\n"; !bytes.Contains(list, []byte(line)) {
			t.Errorf("%s is not in SHA256SUMS", f.name)
		}
	}
	if lines := bytes.Count(list, []byte("\n")); lines != len(files) {
		t.Errorf("SHA256SUMS has %d lines for %d files", lines, len(files))
	}
}

type storyStep struct {
	ID        string            `json:"id"`
	Query     []string          `json:"query"`
	Variables map[string]any    `json:"variables"`
	Headers   map[string]string `json:"headers"`
}

func storySteps(t *testing.T) []storyStep {
	t.Helper()
	text, err := ownFiles.ReadFile("story.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var story struct {
		Steps []storyStep `json:"steps"`
	}
	if err := decoder.Decode(&story); err != nil {
		t.Fatal(err)
	}
	return story.Steps
}

func loadSchema(t *testing.T) *ast.Schema {
	t.Helper()
	const path = "../../schema.graphqls"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: path, Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestStoryIsValid(t *testing.T) {
	schema, names := loadSchema(t), map[string]bool{}
	for _, step := range storySteps(t) {
		document, errs := gqlparser.LoadQueryWithRules(schema, strings.Join(step.Query, "\n"), nil)
		if errs != nil {
			t.Errorf("%s: %v", step.ID, errs)
			continue
		}
		if len(document.Operations) != 1 {
			t.Errorf("%s: %d operations, want 1", step.ID, len(document.Operations))
			continue
		}
		operation := document.Operations[0]
		if operation.Name == "" || names[operation.Name] {
			t.Errorf("%s: tabs are titled by the operation, and %q is not a title of its own", step.ID, operation.Name)
		}
		names[operation.Name] = true
		if _, err := validator.VariableValues(schema, operation, step.Variables); err != nil {
			t.Errorf("%s: %v", step.ID, err)
		}
	}
	if len(names) == 0 {
		t.Error("the story is empty")
	}
}

func TestStoryHeadersCanBeSent(t *testing.T) {
	for _, step := range storySteps(t) {
		for name, value := range step.Headers {
			if strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%s: a browser refuses the header %s: %s", step.ID, name, value)
			}
		}
	}
}
