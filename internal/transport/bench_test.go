package transport_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	gqlgen "github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"stepwise/internal/transport"
)

// BenchmarkPost compares this package with gqlgen's own POST transport on one
// document, both with a cache that holds it. gqlgen is set up to check nothing, so
// the difference is the price of all limits less the saving of the transport.
func BenchmarkPost(b *testing.B) {
	schema := NewExecutableSchema(Config{Resolvers: &resolvers{renamed: func() {}}})
	body := request(`mutation Rename($id: ID!, $name: String!) {
		rename(id: $id, name: $name) {
			id name color colors tags createdAt active size weight note
			parent { id name } children { id name }
		}
	}`, map[string]any{"id": "item_1", "name": "A new name"})

	exec := executor.New(schema)
	exec.SetQueryCache(&graphql.MapCache[*ast.QueryDocument]{})
	stock := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gqlgen.POST{}.Do(w, r.WithContext(graphql.StartOperationTrace(r.Context())), exec)
	})

	b.Run("gqlgen", func(b *testing.B) { benchmarkPost(b, stock, body) })
	b.Run("transport", func(b *testing.B) { benchmarkPost(b, transport.New(transport.Config{Schema: schema}), body) })
}

func benchmarkPost(b *testing.B, h http.Handler, body string) {
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/graphql", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), `{"data":{"rename":`) {
			b.Fatalf("%d %s", recorder.Code, recorder.Body)
		}
	}
}
