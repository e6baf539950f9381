package transport

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func parse(t *testing.T, text string) *ast.QueryDocument {
	t.Helper()
	document, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func (c *documentCache) has(text string) bool {
	_, ok := c.Get(context.Background(), text)
	return ok
}

func TestDocumentCacheEvictsTheLeastRecentlyUsed(t *testing.T) {
	c := newDocumentCache(2, 1<<20)
	add := func(text string) { c.Add(context.Background(), text, parse(t, text)) }
	add("{ a }")
	add("{ b }")
	add("{ b }") // again, as two requests for a new document do
	if !c.has("{ a }") {
		t.Fatal("a is gone")
	}
	add("{ c }")
	if !c.has("{ a }") || c.has("{ b }") || !c.has("{ c }") {
		t.Error("not the least recently used one was evicted")
	}
}

func TestDocumentCacheIsBoundedInMemory(t *testing.T) {
	const capacity = 100_000
	c := newDocumentCache(1_000_000, capacity)
	for i := range 1000 {
		text := fmt.Sprintf("{ a%d %s }", i, strings.Repeat("b ", i%50))
		c.Add(context.Background(), text, parse(t, text))
		if c.bytes > capacity {
			t.Fatalf("%d bytes", c.bytes)
		}
	}
	for c.recent.Len() > 0 {
		oldest := c.recent.Remove(c.recent.Back()).(cachedDocument)
		delete(c.entries, oldest.text)
		c.bytes -= oldest.bytes
	}
	if c.bytes != 0 || len(c.entries) != 0 {
		t.Errorf("the accounts do not balance: %d bytes, %d entries", c.bytes, len(c.entries))
	}
	large := "{ " + strings.Repeat("a ", capacity/nodeBytes) + "}"
	c.Add(context.Background(), large, parse(t, large))
	if c.has(large) {
		t.Error("a document larger than the cache was kept")
	}
}

func TestDocumentsWithStringLiteralsAreNotKept(t *testing.T) {
	c := newDocumentCache(100, 1<<20)
	for text, kept := range map[string]bool{
		`query($p: String) { a(p: $p, n: 1, e: RED, b: true, l: [1], o: {x: null}) @include(if: true) }`: true,
		`{ a(p: "hunter2") }`:                             false,
		`{ a(p: """hunter2""") }`:                         false,
		`{ a(p: {x: [{y: "hunter2"}]}) }`:                 false,
		`{ a { b { ... { c(p: "hunter2") } } } }`:         false,
		`{ a @x(p: "hunter2") }`:                          false,
		`{ ... @x(p: "hunter2") { a } }`:                  false,
		`{ ...F @x(p: "hunter2") } fragment F on Q { a }`: false,
		`{ ...F } fragment F on Q { a(p: "hunter2") }`:    false,
		`{ ...F } fragment F on Q @x(p: "hunter2") { a }`: false,
		`query @x(p: "hunter2") { a }`:                    false,
		`query($p: String = "hunter2") { a(p: $p) }`:      false,
		`query($p: Int @x(p: "hunter2")) { a(p: $p) }`:    false,
	} {
		c.Add(context.Background(), text, parse(t, text))
		if c.has(text) != kept {
			t.Errorf("%s: kept %v", text, !kept)
		}
	}
}
