package signup_test

import (
	"slices"
	"strings"
	"testing"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// foreseen are the warnings about what becomes of those who come, at a server.
func (w *world) foreseen(s *signup.Service) (warnings []string) {
	w.Helper()
	settings, err := s.Settings(w.Context(), w.secret())
	w.must(err)
	f, err := s.Foresee(w.Context(), w.secret(), settings)
	w.must(err)
	for _, finding := range f.Warnings {
		if finding.Code == "WAY_DOUBTFUL" || finding.Code == "WAY_IMPOSSIBLE" || finding.Code == "RESTRICTED_WITHOUT_TICKETS" {
			if !strings.HasSuffix(finding.Message, ".") {
				w.Errorf("%s is told as %q", finding.Code, finding.Message)
			}
			warnings = append(warnings, finding.Code+" "+finding.Path)
		}
	}
	return warnings
}

func problemsAt(list []signup.Problem) (told []string) {
	for _, p := range list {
		told = append(told, string(p.Code)+" "+strings.Join(p.Field, "."))
	}
	return told
}

// TestWaysAreJudgedByTheDeployment: what is asked for and cannot be had on this server
// is refused. What it has lost since warns, and keeps nobody from changing other things.
func TestWaysAreJudgedByTheDeployment(t *testing.T) {
	w := newWorld(t, "")
	mute := w.process(func(c *signup.Config) { c.Can = engine.Capabilities{SendEmail: true} })
	phone := patch(t, `{"phoneNumber": {"enabled": true, "required": true}}`)
	_, refused, err := mute.UpdateSettings(t.Context(), w.secret(), phone)
	w.must(err)
	want := []string{"WAY_IMPOSSIBLE input.phoneNumber.verifyAtSignUp"}
	if got := problemsAt(refused); !slices.Equal(got, want) {
		t.Errorf("a phone number that nobody can verify: %q, want %q", got, want)
	}
	if _, problems, err := mute.PreviewSettings(t.Context(), w.secret(), phone); err != nil || !slices.Equal(problemsAt(problems), want) {
		t.Errorf("the preview says %v, %v", problems, err)
	}

	w.set(`{"phoneNumber": {"enabled": true, "required": true}}`) // at a server that can
	if got := w.foreseen(w.service); len(got) > 0 {
		t.Errorf("a server that can warns of %q", got)
	}
	// By invitation to the number it still goes.
	if got, want := w.foreseen(mute), []string{"WAY_IMPOSSIBLE phoneNumber.verifyAtSignUp", "WAY_DOUBTFUL phoneNumber.verifyAtSignUp"}; !slices.Equal(got, want) {
		t.Errorf("a server that cannot warns of %q, want %q", got, want)
	}
	if _, problems, err := mute.UpdateSettings(t.Context(), w.secret(), patch(t, `{"appName": "Another"}`)); err != nil || len(problems) > 0 {
		t.Errorf("another setting cannot be changed: %v, %v", problems, err)
	}
	if _, problems, err := mute.UpdateSettings(t.Context(), w.secret(), patch(t, `{"phoneNumber": {"verifyAtSignUp": false}}`)); err != nil || len(problems) > 0 {
		t.Errorf("nor can it be mended: %v, %v", problems, err)
	}
}

// TestRestrictedWithoutInvitations warns until there is one that is open.
func TestRestrictedWithoutInvitations(t *testing.T) {
	w := newWorld(t, `{"signUpMode": "RESTRICTED"}`)
	if got, want := w.foreseen(w.service), []string{"RESTRICTED_WITHOUT_TICKETS signUpMode"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	invited := w.invite(signup.InvitationInput{})
	if got := w.foreseen(w.service); len(got) > 0 {
		t.Errorf("with an invitation: %q", got)
	}
	_, _, err := w.service.RevokeInvitation(t.Context(), w.secret(), invited.Invitation.ID)
	w.must(err)
	if got := w.foreseen(w.service); len(got) != 1 {
		t.Errorf("it was revoked: %q", got)
	}
}

// TestFunnelOfNoVersion: a version that there is not is the asker's mistake.
func TestFunnelOfNoVersion(t *testing.T) {
	w := newWorld(t, "")
	for _, version := range []int64{-1, 2} {
		if _, err := w.service.Funnel(t.Context(), w.secret(), signup.FunnelQuery{Version: version}); codeOf(err) != "BAD_USER_INPUT" || !strings.Contains(err.Error(), "settingsVersion") {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

// TestPreviewsAreForTheSecretKey, and so is the funnel.
func TestPreviewsAreForTheSecretKey(t *testing.T) {
	w := newWorld(t, "")
	c := w.client()
	c.create(signup.Input{})
	if _, _, err := w.service.PreviewSettings(t.Context(), c.principal(), signup.SettingsPatch{}); err != signup.ErrSecretKeyOnly {
		t.Errorf("preview: %v", err)
	}
	if _, err := w.service.Funnel(t.Context(), c.principal(), signup.FunnelQuery{}); err != signup.ErrSecretKeyOnly {
		t.Errorf("funnel: %v", err)
	}
}
