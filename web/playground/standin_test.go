package playground

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

const (
	standInCode           = "424242"
	standInSecretKey      = "sk_standin"
	standInPublishableKey = "pk_standin"
)

// standIn plays the server for the browser: it validates operations against
// the schema, answers each root field with one fixed shape whatever was
// selected, and knows a single sign-up.
type standIn struct {
	t      *testing.T
	schema *ast.Schema

	mu          sync.Mutex
	address     string
	verified    bool
	progressive bool
	changed     chan struct{} // closed at the next change
	payloads    []map[string]any
	streams     int
}

// startStandIn serves the page, the API and the outbox on one loopback address.
func startStandIn(t *testing.T) (*standIn, *httptest.Server) {
	t.Helper()
	s := &standIn{t: t, schema: loadSchema(t), progressive: true, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/graphql", s.serveGraphQL)
	mux.HandleFunc("/dev/outbox", s.serveOutbox)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	options := development()
	options.PublicURL.Host = server.Listener.Addr().String()
	options.DefaultHeaders = map[string]string{"Publishable-Key": standInPublishableKey}
	page := Handler(options)
	mux.Handle(Path, page)
	mux.Handle(Path+"/", page)
	return s, server
}

type operationRequest struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

func (s *standIn) serveGraphQL(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		s.serveWebSocket(w, r)
		return
	}
	var request operationRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream") {
		s.serveEventStream(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.write(w, s.answer(request, r.Header.Get("Authorization")))
}

func (s *standIn) write(w http.ResponseWriter, value any) {
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.t.Errorf("stand-in: %v", err)
	}
}

func (s *standIn) answer(request operationRequest, authorization string) map[string]any {
	if request.OperationName == "IntrospectionQuery" {
		return map[string]any{"data": map[string]any{"__schema": introspectSchema(s.schema)}}
	}
	document, errs := gqlparser.LoadQueryWithRules(s.schema, request.Query, nil)
	if errs != nil {
		return refusal(errs.Error())
	}
	field := document.Operations[0].SelectionSet[0].(*ast.Field).Name
	if strings.HasPrefix(field, "instanceSettings") && authorization != "Bearer "+standInSecretKey {
		return refusal("This needs the secret key.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{"data": map[string]any{field: s.resolve(field, request.Variables)}}
}

func refusal(message string) map[string]any {
	return map[string]any{"errors": []any{map[string]any{"message": message}}}
}

func (s *standIn) resolve(field string, variables map[string]any) map[string]any {
	noErrors := []any{}
	input, _ := variables["input"].(map[string]any)
	switch field {
	case "signUpCreate":
		s.address, s.verified = fmt.Sprint(input["emailAddress"]), false
	case "signUpVerificationCheck":
		if proof, _ := input["proof"].(map[string]any); proof["emailCode"] != standInCode {
			return map[string]any{"signUp": s.signUp(), "userErrors": []any{map[string]any{"code": "CODE_INCORRECT"}}}
		}
		s.verified = true
		close(s.changed)
		s.changed = make(chan struct{})
	case "sessionTokenCreate":
		return map[string]any{"token": "eyJ.stand.in", "userErrors": noErrors}
	case "instanceSettingsUpdate":
		s.progressive = variables["on"] == true
		return map[string]any{"settings": s.settings(), "userErrors": noErrors}
	case "instanceSettings", "publicSettings":
		return s.settings()
	case "signUp":
		return s.signUp()
	}
	return map[string]any{"signUp": s.signUp(), "userErrors": noErrors}
}

func (s *standIn) settings() map[string]any {
	return map[string]any{
		"version":           1,
		"progressiveSignUp": s.progressive,
		"requiredFields":    []string{"EMAIL_ADDRESS", "PASSWORD"},
		"optionalFields":    []string{"FIRST_NAME", "LAST_NAME"},
	}
}

func (s *standIn) signUp() map[string]any {
	signUp := s.settings()
	signUp["status"], signUp["revision"] = "MISSING_REQUIREMENTS", 1
	signUp["missingFields"], signUp["unverifiedFields"] = []string{}, []string{"EMAIL_ADDRESS"}
	if s.verified {
		signUp["status"], signUp["revision"], signUp["unverifiedFields"] = "COMPLETE", 2, []string{}
	}
	return signUp
}

// watch sends the present state of the sign-up, and the final one.
func (s *standIn) watch(ctx context.Context, send func(result map[string]any)) {
	s.mu.Lock()
	s.streams++
	s.mu.Unlock()
	for {
		s.mu.Lock()
		signUp, done, changed := s.signUp(), s.verified, s.changed
		s.mu.Unlock()
		send(map[string]any{"data": map[string]any{"signUpStatusChanged": signUp}})
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// serveEventStream follows the distinct-connections mode of GraphQL over SSE.
func (s *standIn) serveEventStream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	event := func(name string, data any) {
		fmt.Fprintf(w, "event: %s\ndata: ", name)
		s.write(w, data)
		fmt.Fprint(w, "\n")
		w.(http.Flusher).Flush()
	}
	s.watch(r.Context(), func(result map[string]any) { event("next", result) })
	if r.Context().Err() == nil {
		event("complete", nil)
	}
}

// serveWebSocket follows graphql-transport-ws, for one subscription.
func (s *standIn) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		s.t.Errorf("stand-in: %v", err)
		return
	}
	defer socket.CloseNow()
	ctx := r.Context()
	for {
		var message struct {
			ID, Type string
			Payload  map[string]any
		}
		if err := wsjson.Read(ctx, socket, &message); err != nil {
			return // the browser left
		}
		switch message.Type {
		case "connection_init":
			s.mu.Lock()
			s.payloads = append(s.payloads, message.Payload)
			s.mu.Unlock()
			_ = wsjson.Write(ctx, socket, map[string]any{"type": "connection_ack"})
		case "subscribe":
			go func() {
				s.watch(ctx, func(result map[string]any) {
					_ = wsjson.Write(ctx, socket, map[string]any{"id": message.ID, "type": "next", "payload": result})
				})
				_ = wsjson.Write(ctx, socket, map[string]any{"id": message.ID, "type": "complete"})
			}()
		}
	}
}

func (s *standIn) serveOutbox(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	messages := []any{}
	if r.URL.Query().Get("to") == s.address {
		messages = append(messages, map[string]any{"to": s.address, "channel": "EMAIL", "code": standInCode})
	}
	s.write(w, messages)
}

// introspectSchema answers the introspection query with every field that
// GraphiQL may ask for.
func introspectSchema(schema *ast.Schema) map[string]any {
	types := []any{}
	for _, definition := range schema.Types {
		types = append(types, introspectType(schema, definition))
	}
	directives := []any{}
	for _, directive := range schema.Directives {
		directives = append(directives, map[string]any{
			"name": directive.Name, "description": directive.Description, "isRepeatable": directive.IsRepeatable,
			"locations": directive.Locations, "args": introspectArguments(schema, directive.Arguments),
		})
	}
	return map[string]any{
		"description": schema.Description, "types": types, "directives": directives,
		"queryType":        map[string]any{"name": schema.Query.Name},
		"mutationType":     map[string]any{"name": schema.Mutation.Name},
		"subscriptionType": map[string]any{"name": schema.Subscription.Name},
	}
}

func introspectType(schema *ast.Schema, definition *ast.Definition) map[string]any {
	described := map[string]any{
		"kind": definition.Kind, "name": definition.Name, "description": definition.Description,
		"fields": nil, "inputFields": nil, "enumValues": nil, "possibleTypes": nil, "interfaces": []any{},
	}
	switch definition.Kind {
	case ast.Enum:
		values := []any{}
		for _, value := range definition.EnumValues {
			values = append(values, map[string]any{"name": value.Name, "description": value.Description, "isDeprecated": false})
		}
		described["enumValues"] = values
	case ast.InputObject:
		inputs := []any{}
		for _, field := range definition.Fields {
			inputs = append(inputs, introspectInput(schema, field.Name, field.Description, field.Type, field.DefaultValue))
		}
		described["inputFields"] = inputs
	case ast.Object, ast.Interface:
		described["fields"] = introspectFields(schema, definition.Fields)
		described["interfaces"] = namedTypes(schema, definition.Interfaces)
	}
	if definition.IsAbstractType() {
		names := []string{}
		for _, possible := range schema.GetPossibleTypes(definition) {
			names = append(names, possible.Name)
		}
		described["possibleTypes"] = namedTypes(schema, names)
	}
	return described
}

func introspectFields(schema *ast.Schema, fields ast.FieldList) []any {
	described := []any{}
	for _, field := range fields {
		if strings.HasPrefix(field.Name, "__") {
			continue
		}
		described = append(described, map[string]any{
			"name": field.Name, "description": field.Description, "isDeprecated": false,
			"type": introspectReference(schema, field.Type), "args": introspectArguments(schema, field.Arguments),
		})
	}
	return described
}

func introspectArguments(schema *ast.Schema, arguments ast.ArgumentDefinitionList) []any {
	described := []any{}
	for _, argument := range arguments {
		described = append(described, introspectInput(schema, argument.Name, argument.Description, argument.Type, argument.DefaultValue))
	}
	return described
}

func introspectInput(schema *ast.Schema, name, description string, of *ast.Type, value *ast.Value) map[string]any {
	described := map[string]any{
		"name": name, "description": description, "type": introspectReference(schema, of),
		"defaultValue": nil, "isDeprecated": false,
	}
	if value != nil {
		described["defaultValue"] = value.String()
	}
	return described
}

func introspectReference(schema *ast.Schema, of *ast.Type) map[string]any {
	if of.NonNull {
		nullable := *of
		nullable.NonNull = false
		return map[string]any{"kind": "NON_NULL", "ofType": introspectReference(schema, &nullable)}
	}
	if of.Elem != nil {
		return map[string]any{"kind": "LIST", "ofType": introspectReference(schema, of.Elem)}
	}
	return map[string]any{"kind": schema.Types[of.NamedType].Kind, "name": of.NamedType}
}

func namedTypes(schema *ast.Schema, names []string) []any {
	described := []any{}
	for _, name := range names {
		described = append(described, map[string]any{"kind": schema.Types[name].Kind, "name": name})
	}
	return described
}
