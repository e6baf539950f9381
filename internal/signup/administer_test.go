package signup_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"stepwise/internal/signup"
)

// TestUsersPageByPage: each user is on one page, newest first, whoever signs up
// meanwhile.
func TestUsersPageByPage(t *testing.T) {
	w := newWorld(t, unverifiedEmail)
	signUp := func(address string) {
		wantProblems(t, w.client().create(signup.Input{EmailAddress: signup.Given(address), Password: signup.Given(goodPassword)}))
	}
	const n = 7
	for i := range n {
		signUp(fmt.Sprintf("jane%d@example.com", i))
		if i%3 != 0 { // some at the same time
			w.clock.advance(time.Second)
		}
	}
	seen := map[string]bool{}
	after := ""
	for pages := 0; ; pages++ {
		page, err := w.service.Users(t.Context(), w.secret(), signup.UserQuery{First: 3, After: after})
		w.must(err)
		for _, u := range page.Items {
			if seen[u.ID] {
				t.Errorf("%s is on two pages", u.ID)
			}
			seen[u.ID] = true
		}
		if pages == 0 {
			signUp("later@example.com")
		}
		if !page.More {
			if len(seen) != n || page.Total != n+1 {
				t.Errorf("%d users on %d pages, %d in all", len(seen), pages+1, page.Total)
			}
			break
		}
		after = page.Cursors[len(page.Cursors)-1]
	}
	for _, q := range []signup.UserQuery{
		{First: 0}, {First: -1}, {First: signup.MaxPage + 1}, {First: 1, After: "x"}, {First: 1, After: "!"}, {First: 1, After: strings.Repeat("QQ", 1000)},
	} {
		_, err := w.service.Users(t.Context(), w.secret(), q)
		wantCode(t, err, "BAD_USER_INPUT")
	}
}

// TestUsersAreFoundInAnySpelling: by what an identifier is, not how it is written.
func TestUsersAreFoundInAnySpelling(t *testing.T) {
	w := newWorld(t, `{"emailAddress": {"verifyAtSignUp": false}, "username": {"enabled": true},
		"phoneNumber": {"enabled": true, "verifyAtSignUp": false}, "defaultCountry": "DE"}`)
	wantProblems(t, w.client().create(signup.Input{
		EmailAddress: signup.Given("Jane@Example.com"), Username: signup.Given("Jane_Doe"), PhoneNumber: signup.Given("030 901820"), Password: signup.Given(goodPassword),
	}))
	for spelling, want := range map[string]int{
		"jane@example.com": 1, " JANE@EXAMPLE.COM": 1, "+49 30 901820": 1, "030/901820": 1, "JANE_DOE": 1,
		"joan@example.com": 0, "": 1, "nobody at all": 0, "\x00": 0, "%": 0,
	} {
		page, err := w.service.Users(t.Context(), w.secret(), signup.UserQuery{First: 10, Identifier: spelling})
		w.must(err)
		if len(page.Items) != want || page.Total != want {
			t.Errorf("%q finds %d of %d, want %d", spelling, len(page.Items), page.Total, want)
		}
	}
}

// TestUserUpdate: what a backend keeps on a user.
func TestUserUpdate(t *testing.T) {
	w := newWorld(t, "")
	_, jane := w.completed("jane@example.com")
	_, joan := w.completed("joan@example.com")
	update := func(in signup.UserInput) (*signup.User, []signup.Problem) {
		u, problems, err := w.service.UpdateUser(t.Context(), w.secret(), in)
		w.must(err)
		return u, problems
	}
	w.clock.advance(time.Hour)
	u, problems := update(signup.UserInput{
		ID: jane.CreatedUserID, ExternalID: signup.Given("otter-7"), PublicMetadata: map[string]any{"plan": "gold"}, PrivateMetadata: map[string]any{"risk": 0.5},
	})
	if len(problems) > 0 || u.ExternalID != "otter-7" || string(u.PublicMetadata) != `{"plan":"gold"}` || string(u.PrivateMetadata) != `{"risk":0.5}` || !u.UpdatedAt.Equal(w.clock.now()) {
		t.Errorf("the user is %+v, problems %v", u, problems)
	}
	if u, _ := update(signup.UserInput{ID: jane.CreatedUserID, PublicMetadata: map[string]any{}}); u.ExternalID != "otter-7" || string(u.PrivateMetadata) != `{"risk":0.5}` || string(u.PublicMetadata) != "{}" {
		t.Errorf("what was left out has changed: %+v", u)
	}
	for name, test := range map[string]struct {
		in   signup.UserInput
		want signup.Code
	}{
		"taken":           {signup.UserInput{ID: joan.CreatedUserID, ExternalID: signup.Given("otter-7")}, "EXTERNAL_ID_TAKEN"},
		"empty":           {signup.UserInput{ID: joan.CreatedUserID, ExternalID: signup.Given("")}, "INVALID_FORMAT"},
		"long":            {signup.UserInput{ID: joan.CreatedUserID, ExternalID: signup.Given(strings.Repeat("x", 129))}, "INVALID_FORMAT"},
		"two lines":       {signup.UserInput{ID: joan.CreatedUserID, ExternalID: signup.Given("a\nb")}, "INVALID_FORMAT"},
		"big metadata":    {signup.UserInput{ID: joan.CreatedUserID, PublicMetadata: map[string]any{"x": strings.Repeat("x", 9<<10)}}, "TOO_LONG"},
		"an unknown user": {signup.UserInput{ID: "user_x"}, "USER_NOT_FOUND"},
		"NUL as id":       {signup.UserInput{ID: "\x00"}, "USER_NOT_FOUND"},
	} {
		u, problems := update(test.in)
		if len(problems) != 1 || problems[0].Code != test.want || u != nil {
			t.Errorf("%s: problems are %v, want %s", name, problems, test.want)
		}
	}
	if u, problems := update(signup.UserInput{ID: jane.CreatedUserID, ExternalID: signup.Null()}); len(problems) > 0 || u.ExternalID != "" {
		t.Errorf("null does not remove the external id: %v", problems)
	}
	if u, problems := update(signup.UserInput{ID: joan.CreatedUserID, ExternalID: signup.Given("otter-7")}); len(problems) > 0 || u.ExternalID != "otter-7" {
		t.Errorf("an external id that was removed cannot be given again: %v", problems)
	}
}

// TestSessionTokenAndJWKS: what is signed can be checked with what is published,
// by any process, and ends with the session.
func TestSessionTokenAndJWKS(t *testing.T) {
	w := newWorld(t, "")
	c, done := w.completed("jane@example.com")
	published, err := w.process(nil).JWKS(t.Context(), w.first.PublishableKey)
	w.must(err)
	if strings.Contains(string(published), `"d"`) {
		t.Fatal("the private key is published")
	}
	var set jose.JSONWebKeySet
	w.must(json.Unmarshal(published, &set))
	token, err := w.process(nil).CreateSessionToken(t.Context(), c.principal(), done.CreatedSession)
	w.must(err)
	parsed, err := jwt.ParseSigned(token.Token, []jose.SignatureAlgorithm{jose.ES256})
	w.must(err)
	var claims jwt.Claims
	var own struct {
		Session string `json:"sid"`
	}
	w.must(parsed.Claims(set.Keys[0], &claims, &own))
	w.must(claims.Validate(jwt.Expected{Issuer: w.config.Issuer, Subject: done.CreatedUserID, Time: w.clock.now()}))
	if own.Session != done.CreatedSession || claims.Expiry.Time().Sub(claims.IssuedAt.Time()) != signup.SessionTokenLifetime {
		t.Errorf("the claims are %+v %+v", claims, own)
	}

	for range 2 { // ending it again changes nothing
		ended, problems, err := w.service.EndSession(t.Context(), c.principal(), done.CreatedSession)
		w.must(err)
		if len(problems) > 0 || ended.StatusAt(w.clock.now()) != signup.SessionEnded || !ended.EndedAt.Equal(dawn) {
			t.Errorf("the session ended at %v, problems %v", ended.EndedAt, problems)
		}
		token, err = w.service.CreateSessionToken(t.Context(), c.principal(), done.CreatedSession)
		w.must(err)
		if token.Token != "" || token.Problems[0].Code != "SESSION_ENDED" {
			t.Error("an ended session gets a token")
		}
	}
	w.clock.advance(time.Minute)
	if ended, _, err := w.service.EndSession(t.Context(), c.principal(), done.CreatedSession); err != nil || !ended.EndedAt.Equal(dawn) {
		t.Errorf("ending an ended session moves its end to %v: %v", ended.EndedAt, err)
	}
}

// TestExternalIDThatIsNotText: what no database can keep is the caller's
// mistake, not an outage.
func TestExternalIDThatIsNotText(t *testing.T) {
	w := newWorld(t, "")
	_, jane := w.completed("jane@example.com")
	in := signup.UserInput{ID: jane.CreatedUserID, ExternalID: signup.Given("a\xff")}
	_, problems, err := w.service.UpdateUser(t.Context(), w.secret(), in)
	w.must(err)
	if len(problems) != 1 || problems[0].Code != "INVALID_FORMAT" {
		t.Errorf("problems are %v", problems)
	}
}
