package transport

import (
	"container/list"
	"context"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
)

// documentCache keeps parsed and validated documents by their text, the least
// recently used leaving first. It is bounded in number and in estimated memory, since
// whoever can send a query can fill it.
//
// It does not keep documents with string literals. Those rarely come twice, and
// their strings may be somebody's password.
type documentCache struct {
	capacity, capacityBytes int

	mu      sync.Mutex
	bytes   int
	entries map[string]*list.Element
	recent  *list.List // of cachedDocument, most recently used first
}

type cachedDocument struct {
	text     string
	document *ast.QueryDocument
	bytes    int
}

func newDocumentCache(capacity, capacityBytes int) *documentCache {
	return &documentCache{
		capacity: capacity, capacityBytes: capacityBytes,
		entries: map[string]*list.Element{}, recent: list.New(),
	}
}

// Get implements graphql.Cache.
func (c *documentCache) Get(_ context.Context, text string) (*ast.QueryDocument, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[text]
	if !ok {
		return nil, false
	}
	c.recent.MoveToFront(element)
	return element.Value.(cachedDocument).document, true
}

// Add implements graphql.Cache.
func (c *documentCache) Add(_ context.Context, text string, document *ast.QueryDocument) {
	size, cacheable := measure(text, document)
	if !cacheable || size > c.capacityBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[text]; ok {
		return
	}
	c.entries[text] = c.recent.PushFront(cachedDocument{text: text, document: document, bytes: size})
	c.bytes += size
	for c.recent.Len() > c.capacity || c.bytes > c.capacityBytes {
		oldest := c.recent.Remove(c.recent.Back()).(cachedDocument)
		delete(c.entries, oldest.text)
		c.bytes -= oldest.bytes
	}
}

// nodeBytes is about what one selection, argument or value takes in memory, its
// position included.
const nodeBytes = 400

// measure estimates the size of a document and reports whether it may be kept.
func measure(text string, document *ast.QueryDocument) (bytes int, cacheable bool) {
	m := measurement{cacheable: true}
	for _, operation := range document.Operations {
		for _, variable := range operation.VariableDefinitions {
			m.value(variable.DefaultValue)
			m.directives(variable.Directives)
		}
		m.directives(operation.Directives)
		m.selections(operation.SelectionSet)
	}
	for _, fragment := range document.Fragments {
		m.directives(fragment.Directives)
		m.selections(fragment.SelectionSet)
	}
	return 2*len(text) + m.nodes*nodeBytes, m.cacheable
}

type measurement struct {
	nodes     int
	cacheable bool
}

func (m *measurement) selections(set ast.SelectionSet) {
	for _, selection := range set {
		m.nodes++
		switch selection := selection.(type) {
		case *ast.Field:
			m.arguments(selection.Arguments)
			m.directives(selection.Directives)
			m.selections(selection.SelectionSet)
		case *ast.InlineFragment:
			m.directives(selection.Directives)
			m.selections(selection.SelectionSet)
		case *ast.FragmentSpread:
			m.directives(selection.Directives)
		}
	}
}

func (m *measurement) directives(directives ast.DirectiveList) {
	for _, directive := range directives {
		m.nodes++
		m.arguments(directive.Arguments)
	}
}

func (m *measurement) arguments(arguments ast.ArgumentList) {
	for _, argument := range arguments {
		m.value(argument.Value)
	}
}

func (m *measurement) value(value *ast.Value) {
	if value == nil {
		return
	}
	m.nodes++
	if value.Kind == ast.StringValue || value.Kind == ast.BlockValue {
		m.cacheable = false
	}
	for _, child := range value.Children {
		m.value(child.Value)
	}
}
