package e2e

import (
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// TestWaysAndTimesOfEmail: what settings say of them is what frontends are told, what
// the mail says, and what can be started.
func TestWaysAndTimesOfEmail(t *testing.T) {
	t.Parallel()
	server := realtest.Program(t, realtest.ProgramOptions{})
	offered := func() []string {
		var data struct {
			PublicSettings struct {
				Fields []struct {
					Field      string
					Strategies []string
				}
			}
		}
		newClient(t, server).query(t, "{ publicSettings { fields { field strategies } } }", nil, &data)
		for _, f := range data.PublicSettings.Fields {
			if f.Field == "EMAIL_ADDRESS" {
				return f.Strategies
			}
		}
		t.Fatal("there is no email address")
		return nil
	}
	if got := offered(); !slices.Equal(got, []string{"EMAIL_CODE", "EMAIL_LINK"}) {
		t.Errorf("at first %v are offered", got)
	}
	newAdministrator(t, server).changeSettings(t, map[string]any{
		"emailAddress": map[string]any{"strategies": []any{"EMAIL_LINK", "EMAIL_LINK"}}, "codeLifetimeSeconds": 180,
	})
	if got := offered(); !slices.Equal(got, []string{"EMAIL_LINK"}) {
		t.Errorf("%v are offered, want EMAIL_LINK", got)
	}
	c := newClient(t, server)
	c.create(t, map[string]any{"emailAddress": "ada@example.com", "password": goodPassword})
	refused := mustTry(t)(c.tryStart("EMAIL_CODE"))
	if !slices.Equal(refused.errorCodes(), []string{"STRATEGY_NOT_AVAILABLE"}) || !slices.Equal(refused.UserErrors[0].Field, []string{"input", "strategy"}) {
		t.Errorf("a code is started: %+v", refused.UserErrors)
	}
	c.start(t, "EMAIL_LINK")
	mail := c.outbox(t, "ada@example.com")
	if len(mail) != 1 || !strings.Contains(mail[0].Text, "valid for 3 minutes") {
		t.Errorf("the mail is %+v", mail)
	}
	if done := c.check(t, "emailCode", mail[0].Code); done.Status != "COMPLETE" {
		t.Errorf("by the code in the link's mail it is %s", done.Status)
	}
}
