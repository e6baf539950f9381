// Package playground serves GraphiQL, from inside the program: a page on which
// a person can try the API, filled on the first visit with the story of one
// sign-up (story.json).
//
// Nothing is loaded from another host, and nothing in the page is inline, so
// that the Content-Security-Policy can refuse everything that did not come with
// this binary. Secret keys are typed into GraphiQL's headers editor; page.js
// sees to it that they stay in the memory of the page.
package playground

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"
	"net/url"
)

// Path is where the page is served. Everything else that Handler answers lies
// below it, so a server mounts the handler at Path and at Path + "/".
const Path = "/playground"

// Options say what the page talks to.
type Options struct {
	// Enabled turns the page on; without it every request gets 404.
	Enabled bool
	// PublicURL is the address at which people reach the server. The page may
	// open WebSockets to its host. Nil allows the page's own host only, which
	// some browsers do not read as including WebSockets.
	PublicURL *url.URL
	// GraphQLPath is the path of the API on the same host, for HTTP, WebSocket
	// and server-sent events; empty means "/graphql".
	GraphQLPath string
	// OutboxPath links to the messages of a development server; empty means
	// that there is no such page.
	OutboxPath string
	// Mode is shown on the page, for instance "development".
	Mode string
	// DefaultHeaders stand in the headers editor of every new tab. They are
	// readable by everyone who can open the page.
	DefaultHeaders map[string]string
}

// configuration is what page.js reads from the page.
type configuration struct {
	GraphQLPath    string            `json:"graphQLPath"`
	StoryPath      string            `json:"storyPath"`
	DefaultHeaders map[string]string `json:"defaultHeaders"`
}

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// Handler serves the page at Path and its files below Path + "/assets/", for
// GET and HEAD. The files never change under their names and may be cached for
// ever; the page itself is revalidated.
func Handler(o Options) http.Handler {
	if !o.Enabled {
		return http.NotFoundHandler()
	}
	mux := http.NewServeMux()
	assets := loadAssets()
	page := newContent("text/html; charset=utf-8", renderPage(o, assets))
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		page.serve(w, r, "no-cache")
	})
	mux.Handle(Path+"/{$}", http.RedirectHandler(Path, http.StatusPermanentRedirect))
	for name, c := range assets {
		mux.HandleFunc(assetPath(name), func(w http.ResponseWriter, r *http.Request) {
			c.serve(w, r, "public, max-age=31536000, immutable")
		})
	}
	return withSecurityHeaders(mux, contentSecurityPolicy(o.PublicURL))
}

func renderPage(o Options, assets assetSet) []byte {
	config := configuration{
		GraphQLPath:    o.GraphQLPath,
		StoryPath:      assets.path("story", "json"),
		DefaultHeaders: map[string]string{},
	}
	if config.GraphQLPath == "" {
		config.GraphQLPath = "/graphql"
	}
	maps.Copy(config.DefaultHeaders, o.DefaultHeaders)
	encoded, err := json.Marshal(config)
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	var page bytes.Buffer
	err = pageTemplate.Execute(&page, map[string]any{
		"Config":     string(encoded),
		"Mode":       o.Mode,
		"OutboxPath": o.OutboxPath,
		"Licenses":   assets.path("licenses", "txt"),
		"Styles":     assets.paths("css", "graphiql", "explorer", "page"),
		"Scripts":    assets.paths("js", "react", "react-dom", "graphiql", "explorer", "graphql-sse", "page"),
	})
	if err != nil {
		panic(err) // the template and its data are both ours
	}
	return page.Bytes()
}

func contentSecurityPolicy(public *url.URL) string {
	connect := "'self'"
	if public != nil {
		connect += " " + webSocketOrigin(public)
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; connect-src " + connect +
		"; worker-src 'self'; img-src 'self' data:; font-src 'self' data:" +
		"; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

func webSocketOrigin(public *url.URL) string {
	if public.Scheme == "https" {
		return "wss://" + public.Host
	}
	return "ws://" + public.Host
}

func withSecurityHeaders(next http.Handler, policy string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}
