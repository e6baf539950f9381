package resolvers

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	gql "github.com/vektah/gqlparser/v2/ast"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

func schema() *gql.Schema {
	return graph.NewExecutableSchema(graph.Config{Resolvers: &Resolver{}}).Schema()
}

// callers are all kinds there are.
var callers = []struct {
	name string
	signup.Principal
}{
	{"unknown", signup.Principal{}},
	{"nobody", signup.Principal{Instance: here}},
	{"client", signup.Principal{Instance: here, Client: "client_1"}},
	{"stale", signup.Principal{Instance: here, Client: "client_1", Stale: true}},
	{"secret", signup.Principal{Instance: here, Secret: true}},
}

var here = signup.StoredInstance{Instance: signup.Instance{ID: "ins_1"}}

// TestAccess: who may use which field, for every field and every kind of
// caller. A stale client is let in where a client is: the service answers it
// with the one thing it may still hear.
func TestAccess(t *testing.T) {
	const (
		unauthenticated = "UNAUTHENTICATED UNAUTHENTICATED"
		public          = "UNAUTHENTICATED ok ok ok ok"
		client          = unauthenticated + " ok ok FORBIDDEN"
		clientOrSecret  = unauthenticated + " ok ok ok"
		secret          = unauthenticated + " FORBIDDEN FORBIDDEN ok"
	)
	want := map[string]string{ // unknown, nobody, client, stale, secret
		"Query.signUp":                      public,
		"Query.client":                      public,
		"Query.publicSettings":              public,
		"Query.instanceSettings":            secret,
		"Query.instanceSettingsPreview":     secret,
		"Query.signUpFunnel":                secret,
		"Query.instanceSettingsVersions":    secret,
		"Query.instanceSettingsCompare":     secret,
		"Query.user":                        secret,
		"Query.users":                       secret,
		"Query.node":                        clientOrSecret,
		"Query.invitations":                 secret,
		"Query.webhookEndpoints":            secret,
		"Query.webhookDeliveries":           secret,
		"Mutation.signUpCreate":             public,
		"Mutation.signUpUpdate":             client,
		"Mutation.signUpVerificationStart":  client,
		"Mutation.signUpVerificationCheck":  client,
		"Mutation.sessionTokenCreate":       client,
		"Mutation.sessionEnd":               client,
		"Mutation.instanceSettingsUpdate":   secret,
		"Mutation.userUpdate":               secret,
		"Mutation.userPasswordVerify":       secret,
		"Mutation.userSessionCreate":        secret,
		"Mutation.sessionVerificationStart": public,
		"Mutation.sessionCreate":            public,
		"Mutation.invitationCreate":         secret,
		"Mutation.invitationRevoke":         secret,
		"Mutation.webhookEndpointCreate":    secret,
		"Mutation.webhookEndpointUpdate":    secret,
		"Mutation.webhookEndpointDelete":    secret,
		"Mutation.webhookReplay":            secret,
		"Subscription.signUpStatusChanged":  clientOrSecret,
	}
	got := map[string]string{}
	for name, field := range rootFields(schema()) {
		if field.Directives.ForName("access") == nil || len(accessOf(field)) == 0 {
			t.Errorf("%s says nothing about access", name)
		}
		var decisions []string
		for _, caller := range callers {
			decisions = append(decisions, decision(allowed(field, caller.Principal)))
		}
		got[name] = strings.Join(decisions, " ")
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if want[name] != got[name] {
			t.Errorf("%s: %s, want %q", name, got[name], want[name])
		}
	}
	for name := range want {
		if got[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

func rootFields(s *gql.Schema) map[string]*gql.FieldDefinition {
	all := map[string]*gql.FieldDefinition{}
	for _, root := range []*gql.Definition{s.Query, s.Mutation, s.Subscription} {
		for _, field := range root.Fields {
			if !strings.HasPrefix(field.Name, "__") {
				all[root.Name+"."+field.Name] = field
			}
		}
	}
	return all
}

func decision(err error) string {
	var refused *signup.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &refused):
		return refused.Code()
	}
	return err.Error()
}

// TestFieldsWithoutAccessAreRefused: forgetting the directive opens nothing,
// and neither does a kind of caller that nobody has heard of.
func TestFieldsWithoutAccessAreRefused(t *testing.T) {
	strange := &gql.Directive{Name: "access", Arguments: gql.ArgumentList{{Name: "by", Value: &gql.Value{Kind: gql.ListValue, Children: gql.ChildValueList{
		{Value: &gql.Value{Kind: gql.EnumValue, Raw: "EVERYBODY"}},
	}}}}}
	empty := &gql.Directive{Name: "access", Arguments: gql.ArgumentList{{Name: "by", Value: &gql.Value{Kind: gql.ListValue}}}}
	for name, directives := range map[string]gql.DirectiveList{
		"no directive": nil, "another directive": {{Name: "deprecated"}}, "an empty list": {empty}, "an unknown kind": {strange},
	} {
		field := &gql.FieldDefinition{Name: "new", Directives: directives}
		for _, caller := range callers {
			if allowed(field, caller.Principal) == nil {
				t.Errorf("%s: open to %s", name, caller.name)
			}
		}
	}
}

// TestAuthorizeStandsBeforeTheField: a refused field does not run; the caller
// gets null and the error.
func TestAuthorizeStandsBeforeTheField(t *testing.T) {
	s := schema()
	for name, field := range rootFields(s) {
		for _, caller := range callers {
			ran := false
			ctx := graphql.WithResponseContext(WithPrincipal(t.Context(), caller.Principal), graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			ctx = graphql.WithRootFieldContext(ctx, &graphql.RootFieldContext{
				Field: graphql.CollectedField{Field: &gql.Field{Name: field.Name, Definition: field}},
			})
			answer := Authorize(ctx, func(context.Context) graphql.Marshaler { ran = true; return graphql.True })
			open := allowed(field, caller.Principal) == nil
			if ran != open || (answer == graphql.Null) == open || (len(graphql.GetErrors(ctx)) == 0) != open {
				t.Errorf("%s for %s: ran %t, errors %v", name, caller.name, ran, graphql.GetErrors(ctx))
			}
		}
	}
}

// TestEnumsAreComplete: what the packages below can say is in the schema, and
// what is in the schema is said by one of them.
func TestEnumsAreComplete(t *testing.T) {
	ofSettings := func(c constant) bool { return c.kind == "" && strings.Contains(c.group, "settings that are") }
	refusals, warnings := map[string]bool{}, map[string]bool{}
	for _, c := range slices.Concat(constants(t, "../engine", ofSettings), constants(t, "../internal/signup", ofSettings)) {
		if strings.Contains(c.group, "refused") {
			refusals[c.value] = true
		} else {
			warnings[c.value] = true
		}
	}
	attributes := map[string]bool{}
	for _, a := range engine.All.List() {
		attributes[a.String()] = true
	}
	events := map[string]bool{}
	for _, kind := range signup.EventKinds {
		events[string(webhookEvent(kind))] = true
	}
	for enum, said := range map[string]map[string]bool{
		"UserErrorCode": union(typed(t, "../engine", "Code"), typed(t, "../internal/identifier", "Code"),
			typed(t, "../internal/signup", "Code"), typed(t, "../internal/signup", "engine.Code"), refusals),
		"SettingsWarningCode":     warnings,
		"SignUpField":             attributes,
		"SignUpStatus":            typed(t, "../engine", "Status"),
		"SignUpRequirementState":  typed(t, "../engine", "State"),
		"SignUpRequirementReason": typed(t, "../engine", "Reason"),
		"SignUpPath":              typed(t, "../engine", "Path"),
		"SignUpOutlook":           typed(t, "../engine", "Outlook"),
		"SignUpArrival":           typed(t, "../engine", "Arrival"),
		"SettingsEffectKind":      typed(t, "../engine", "EffectKind"),
		"SignUpSourceKind":        typed(t, "../engine", "SourceKind"),
		"BotProtectionProvider":   typed(t, "../internal/signup", "BotProvider"),
		"SignUpActionKind":        typed(t, "../engine", "ActionKind"),
		"SignUpBlockerCode":       typed(t, "../engine", "BlockerCode"),
		"SignUpRemedy":            typed(t, "../engine", "Remedy"),
		"VerificationStatus":      typed(t, "../engine", "VerificationStatus"),
		"VerificationStrategy":    typed(t, "../engine", "Strategy"),
		"SessionStatus":           typed(t, "../internal/signup", "SessionStatus"),
		"SignUpMode":              typed(t, "../internal/signup", "SignUpMode"),
		"ProviderPreset":          setOf(signup.PresetNames()),
		"InvitationStatus":        setOf(slices.Collect(maps.Values(invitationStates))),
		"WebhookEvent":            events,
		"WebhookDeliveryStatus": setOf([]graph.WebhookDeliveryStatus{
			webhookDelivery(signup.Delivery{}).Status, webhookDelivery(signup.Delivery{DoneAt: time.Now()}).Status,
			webhookDelivery(signup.Delivery{FailedAt: time.Now()}).Status,
		}),
	} {
		t.Run(enum, func(t *testing.T) {
			definition := schema().Types[enum]
			if definition == nil || len(said) == 0 {
				t.Fatalf("nothing to compare: %d constants", len(said))
			}
			listed := map[string]bool{}
			for _, v := range definition.EnumValues {
				listed[v.Name] = true
				if !said[v.Name] {
					t.Errorf("%s is in the schema, and nothing says it", v.Name)
				}
			}
			for _, v := range slices.Sorted(maps.Keys(said)) {
				if !listed[v] {
					t.Errorf("%s can be said, and is not in the schema", v)
				}
			}
		})
	}
}

// TestEveryEnumIsCompared: an enum that is added is added to the test above, or
// is known not to come from below.
func TestEveryEnumIsCompared(t *testing.T) {
	compared := []string{
		"UserErrorCode", "SettingsWarningCode", "SignUpField", "SignUpStatus", "SignUpRequirementState", "SignUpRequirementReason",
		"SettingsEffectKind", "SignUpPath", "SignUpOutlook", "SignUpArrival", "SignUpSourceKind", "BotProtectionProvider", "SignUpActionKind", "SignUpBlockerCode", "SignUpRemedy", "VerificationStatus", "VerificationStrategy", "SessionStatus", "SignUpMode",
		"ProviderPreset", "InvitationStatus", "WebhookEvent", "WebhookDeliveryStatus",
		"Access", // what Authorize reads
	}
	for name, definition := range schema().Types {
		if definition.Kind == gql.Enum && !strings.HasPrefix(name, "__") && !slices.Contains(compared, name) {
			t.Errorf("%s is compared with nothing", name)
		}
	}
}

// TestEverySentence: whatever the engine refuses is explained to people.
func TestEverySentence(t *testing.T) {
	for code := range union(typed(t, "../engine", "Code"), typed(t, "../internal/signup", "engine.Code")) {
		for _, a := range engine.All.List() {
			if s := signup.Sentence(engine.Code(code), a); s == "" || strings.Contains(s, "%") || !strings.HasSuffix(s, ".") {
				t.Errorf("%s of %s is explained by %q", code, a, s)
			}
		}
	}
}

// constant is a string constant of a package.
type constant struct{ name, kind, value, group string }

func typed(t *testing.T, dir, kind string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, c := range constants(t, dir, func(c constant) bool { return c.kind == kind }) {
		all[c.value] = true
	}
	return all
}

func setOf[T ~string](list []T) map[string]bool {
	all := map[string]bool{}
	for _, v := range list {
		all[string(v)] = true
	}
	return all
}

func union(sets ...map[string]bool) map[string]bool {
	all := map[string]bool{}
	for _, s := range sets {
		maps.Copy(all, s)
	}
	return all
}

// constants reads the string constants of a package that the filter takes.
func constants(t *testing.T, dir string, takes func(constant) bool) []constant {
	t.Helper()
	files, err := sourceFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []constant
	for _, file := range files {
		for _, d := range file.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, s := range group.Specs {
				c, ok := stringConstant(s.(*ast.ValueSpec))
				c.group = group.Doc.Text()
				if ok && takes(c) {
					found = append(found, c)
				}
			}
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s has no such constants", dir)
	}
	return found
}

// sourceFiles reads the files of a package that are not tests.
func sourceFiles(dir string) ([]*ast.File, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, file)
	}
	return files, nil
}

func stringConstant(spec *ast.ValueSpec) (constant, bool) {
	if len(spec.Names) != 1 || len(spec.Values) != 1 {
		return constant{}, false
	}
	literal, ok := spec.Values[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return constant{}, false
	}
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		return constant{}, false
	}
	c := constant{name: spec.Names[0].Name, value: value}
	switch kind := spec.Type.(type) {
	case *ast.Ident:
		c.kind = kind.Name
	case *ast.SelectorExpr:
		c.kind = kind.X.(*ast.Ident).Name + "." + kind.Sel.Name
	}
	return c, true
}
