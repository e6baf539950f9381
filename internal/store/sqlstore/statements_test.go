package sqlstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"stepwise/engine"
)

// allStatements are the constants of statements*.go, each taken for one
// statement, and some of what their functions compose.
func allStatements(t *testing.T) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range []string{"statements.go", "statements_invitations.go", "statements_webhooks.go", "statements_shapes.go"} {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, file)
	}
	config := types.Config{Error: func(error) {}} // imports stay unresolved
	info := types.Info{Defs: map[*ast.Ident]types.Object{}}
	_, _ = config.Check("sqlstore", files, parsed, &info)

	all := map[string]string{}
	for name, object := range info.Defs {
		constant, ok := object.(*types.Const)
		if !ok || constant.Parent() != constant.Pkg().Scope() || strings.HasSuffix(name.Name, "Columns") {
			continue
		}
		text, err := strconv.Unquote(constant.Val().ExactString())
		if err != nil {
			t.Fatalf("%s: %v", name.Name, err)
		}
		all[name.Name] = text
	}
	for n := 1; n <= 12; n++ {
		all["insertIdentifiers "+strconv.Itoa(n)] = insertIdentifiers(n)
		all["insertEvents "+strconv.Itoa(n)] = insertEvents(n)
		all["selectTaken "+strconv.Itoa(n)] = selectTaken(n)
		all["selectOwners "+strconv.Itoa(n)] = selectOwners(n)
		all["insertDeliveries "+strconv.Itoa(n)] = insertDeliveries(n)
		all["insertConversions "+strconv.Itoa(n)] = insertConversions(n)
		all["deleteConversions "+strconv.Itoa(n)] = deleteConversions(n)
		all["insertAbandonments "+strconv.Itoa(n)] = insertAbandonments(n)
	}
	for _, externalID := range []string{"", "x"} {
		for _, norm := range []string{"", "y"} {
			source, args := usersOf(externalID, norm)
			all["selectUsers "+externalID+norm] = selectUsers(source, 2+len(args))
			all["countUsers "+externalID+norm] = countUsers(source)
		}
	}
	for _, state := range ticketStates {
		source, timed := invitationsOf(state)
		args := 1
		if timed {
			args = 2
		}
		all["selectInvitations "+source] = selectInvitations(source, args+1)
		all["countInvitations "+source] = countInvitations(source)
	}
	for _, endpoint := range []string{"", "x"} {
		for _, event := range []string{"", "y"} {
			source, args := deliveriesOf(endpoint, event)
			all["selectDeliveries "+endpoint+event] = selectDeliveries(source, 2+len(args))
		}
	}
	return all
}

// ticketStates are those by which invitations are selected, nil for all.
var ticketStates = []*engine.TicketState{
	nil, new(engine.TicketValid), new(engine.TicketRevoked), new(engine.TicketExpired), new(engine.TicketUsed),
}

var (
	parameter   = regexp.MustCompile(`\$\d+`)
	notPortable = regexp.MustCompile(`(?i)\bFOR (UPDATE|SHARE)\b|\b(ANY|LOWER|UPPER|NOW|STRFTIME|DATETIME|UNIXEPOCH)\s*\(|` +
		`CURRENT_TIMESTAMP|\|\||::|\?|\bILIKE\b|\bGLOB\b|\bREPLACE INTO\b|\bOR IGNORE\b|"`)
	verbs = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE)\b`)
)

// complaint says what is wrong with a statement, empty for nothing.
func complaint(statement string) string {
	if !verbs.MatchString(statement) {
		return "is no statement"
	}
	if bad := notPortable.FindString(statement); bad != "" {
		return "uses " + bad
	}
	highest := 0
	for _, p := range parameter.FindAllString(statement, -1) {
		n, _ := strconv.Atoi(p[1:])
		switch {
		case n == highest+1:
			highest = n
		case n < 1 || n > highest:
			return p + " appears before $" + strconv.Itoa(highest+1)
		}
	}
	return ""
}

func TestStatementsArePortable(t *testing.T) {
	all := allStatements(t)
	if len(all) < 52+96+4+14 {
		t.Errorf("only %d statements were found", len(all))
	}
	for name, statement := range all {
		if c := complaint(statement); c != "" {
			t.Errorf("%s: %s:\n%s", name, c, statement)
		}
	}
	for _, bad := range []string{
		"SELECT $2, $1", "SELECT $1, $3", "SELECT $0", "SELECT now()", "SELECT 1 FOR UPDATE", "SELECT a || b", "PRAGMA x",
		"SELECT id = ANY($1)", "SELECT ?", `SELECT "a"`, "SELECT $1::text",
	} {
		if complaint(bad) == "" {
			t.Errorf("%s was let through", bad)
		}
	}
}

// Both databases understand every statement.
func TestStatementsPrepare(t *testing.T) {
	onEachBackend(t, func(t *testing.T, url string) {
		s := mustOpen(t, Options{URL: url})
		db := s.db.reader()
		for name, statement := range allStatements(t) {
			if err := prepareOnly(t, db, statement); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func prepareOnly(t *testing.T, x executor, statement string) error {
	var source preparer
	switch x := x.(type) {
	case *prepared:
		source = x.source
	case preparer:
		source = x
	}
	prepared, err := source.PrepareContext(t.Context(), statement)
	if err != nil {
		return err
	}
	return prepared.Close()
}
