package signup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stepwise/engine"
)

// InvitationInput is what an invitation is made of. Its values are those of
// Input; a password, consent or verifications are no part of an invitation.
type InvitationInput struct {
	Input
	PublicMetadata map[string]any
	// ExpiresIn is how long the ticket is good for; as the settings say where zero.
	ExpiresIn time.Duration
	// RedirectURL is where the link leads, one of allowedRedirects; the ticket is
	// added to it.
	RedirectURL string
	// SendEmail has the link sent to the email address.
	SendEmail bool
}

// Lifetimes of invitations.
const (
	minInvitation = time.Minute
	maxInvitation = 365 * 24 * time.Hour
)

// NewInvitation is an invitation just made, with what admits its holder. The
// ticket is not shown again.
type NewInvitation struct {
	Invitation *Invitation
	Ticket     string
	URL        string // empty without a RedirectURL
	Problems   []Problem
}

// Invite makes an invitation.
func (s *Service) Invite(ctx context.Context, p Principal, in InvitationInput) (NewInvitation, error) {
	if !p.Secret {
		return NewInvitation{}, ErrSecretKeyOnly
	}
	settings, err := s.settingsAt(ctx, p.Instance.ID, p.Instance.SettingsVersion)
	if err != nil {
		return NewInvitation{}, err
	}
	now := s.now()
	invitation, problems := s.invitation(in, settings.Settings, now)
	taken, err := s.taken(ctx, p.Instance.ID, addressesIn(invitation.Values))
	if err != nil {
		return NewInvitation{}, err
	}
	for _, a := range taken.List() {
		problems = append(problems, fieldProblem(a, Code(engine.CodeTaken), "This "+noun[a]+" belongs to a user already, who needs no invitation."))
	}
	if len(problems) > 0 {
		return NewInvitation{Problems: ordered(problems)}, nil
	}
	invitation.ID, invitation.Instance = invitationPrefix+RandomText(idLength), p.Instance.ID
	email := invitation.Values[engine.EmailAddress]
	locale, _ := localeOf(in.Locale, Principal{}) // was read above; the caller's own language is not the guest's
	if in.SendEmail {
		budgets := messageBudgets(p.Instance.ID, settings.SendingLimits, engine.EmailAddress, email.Key)
		if problem, err := s.takeAll(ctx, budgets, inputPath("sendEmail"), engine.EmailAddress); err != nil || problem != nil {
			return NewInvitation{Problems: list(problem)}, err
		}
	}
	if err := s.directory.AddInvitation(ctx, invitation); err != nil {
		return NewInvitation{}, unavailable(err)
	}
	out := NewInvitation{Invitation: &invitation, Ticket: s.keys.ticketOf(p.Instance.ID, invitation.ID)}
	if in.RedirectURL != "" {
		out.URL = withParameter(in.RedirectURL, TicketParameter, out.Ticket)
	}
	if in.SendEmail {
		out.Problems = s.sendInvitation(ctx, Message{
			Channel: ChannelEmail, Purpose: PurposeInvitation, To: email.Text, Link: out.URL, AppName: settings.AppName, ExpireAt: invitation.ExpireAt,
			Language: settings.languageFor(locale),
		})
	}
	return out, nil
}

// invitation reads the input; what is wrong with it is returned beside it.
func (s *Service) invitation(in InvitationInput, settings Settings, now time.Time) (Invitation, []Problem) {
	u := understand(in.Input, settings)
	problems := u.problems
	i := Invitation{PublicMetadata: json.RawMessage("{}"), CreatedAt: now}
	enabled := settings.Requirements().Enabled()
	for _, a := range engine.All.List() {
		switch change := u.command.Changes[a]; {
		case change.Kind != engine.Give:
		case !enabled.Has(a):
			problems = append(problems, fieldProblem(a, Code(engine.CodeFieldDisabled), Sentence(engine.CodeFieldDisabled, a)))
		default:
			i.Values[a] = engine.Value{Presence: engine.Given, Text: change.Text, Key: change.Key}
		}
	}
	if in.PublicMetadata != nil {
		data, problem := marshalMetadata(in.PublicMetadata, "publicMetadata")
		problems = append(problems, list(problem)...)
		i.PublicMetadata = data
	}
	lifetime := in.ExpiresIn
	if lifetime == 0 {
		lifetime = time.Duration(settings.InvitationLifetimeSeconds) * time.Second
	}
	if lifetime < minInvitation || lifetime > maxInvitation {
		problems = append(problems, Problem{Code: CodeOutOfRange, Field: inputPath("expiresInSeconds"),
			Message: fmt.Sprintf("Must be between %d and %d.", int(minInvitation.Seconds()), int(maxInvitation.Seconds()))})
	}
	i.ExpireAt = now.Add(lifetime)
	if in.RedirectURL != "" && !s.allowsRedirect(settings, in.RedirectURL) {
		problems = append(problems, Problem{Code: CodeRedirectNotAllowed, Field: inputPath("redirectUrl"), Message: redirectRefused})
	}
	if in.SendEmail {
		problems = append(problems, s.unsendable(in)...)
	}
	return i, problems
}

// unsendable says what keeps an invitation from being sent by mail; an address that
// is none was refused already.
func (s *Service) unsendable(in InvitationInput) []Problem {
	var problems []Problem
	email := engine.EmailAddress
	if in.EmailAddress.Value == nil {
		problems = append(problems, fieldProblem(email, Code(engine.CodeValueMissing), "Give the email address to send the invitation to."))
	}
	if in.RedirectURL == "" {
		problems = append(problems, Problem{Code: CodeEmpty, Field: inputPath("redirectUrl"), Message: "Say where the link in the mail leads."})
	}
	if !s.can.SendEmail {
		problems = append(problems, Problem{Code: Code(engine.CodeCannotDeliver), Field: inputPath("sendEmail"), Message: Sentence(engine.CodeCannotDeliver, email)})
	}
	return problems
}

func (s *Service) sendInvitation(ctx context.Context, m Message) []Problem {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := s.messenger.Deliver(ctx, m); err != nil {
		s.log.ErrorContext(ctx, "message not delivered", "purpose", string(m.Purpose), "error", err)
		return []Problem{{Code: CodeDeliveryFailed, Field: inputPath("sendEmail"), Message: "The invitation was made, and its mail could not be sent. Send the link yourself."}}
	}
	return nil
}

// RevokeInvitation takes an invitation back. Sign-ups that began with it are
// blocked; users stay.
func (s *Service) RevokeInvitation(ctx context.Context, p Principal, id string) (*Invitation, []Problem, error) {
	if !p.Secret {
		return nil, nil, ErrSecretKeyOnly
	}
	i, err := s.directory.RevokeInvitation(ctx, p.Instance.ID, id, s.now())
	if errors.Is(err, ErrNoRow) {
		return nil, []Problem{{Code: CodeInvitationNotFound, Field: inputPath("id"), Message: "There is no such invitation."}}, nil
	}
	if err != nil {
		return nil, nil, unavailable(err)
	}
	// Watchers look at their sign-ups, as they do when settings change.
	if err := s.hints.AnnounceSettings(ctx, p.Instance.ID); err != nil {
		s.log.WarnContext(ctx, "revocation not announced", "invitation", id, "error", err)
	}
	return &i, nil, nil
}

// Invitation returns an invitation, or nil where there is none.
func (s *Service) Invitation(ctx context.Context, p Principal, id string) (*Invitation, error) {
	if !p.Secret {
		return nil, ErrSecretKeyOnly
	}
	i, err := s.directory.Invitation(ctx, p.Instance.ID, id)
	if errors.Is(err, ErrNoRow) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &i, nil
}

// Invitations returns a page; state nil selects all.
func (s *Service) Invitations(ctx context.Context, p Principal, state *engine.TicketState, first int, after string) (Page[Invitation], error) {
	var page Page[Invitation]
	if !p.Secret {
		return page, ErrSecretKeyOnly
	}
	position, err := pageOf(first, after)
	if err != nil {
		return page, err
	}
	filter := InvitationFilter{State: state, Now: s.now(), After: position, Limit: first}
	if page.Items, page.More, err = s.directory.Invitations(ctx, p.Instance.ID, filter); err != nil {
		return page, unavailable(err)
	}
	if page.Total, err = s.directory.CountInvitations(ctx, p.Instance.ID, filter); err != nil {
		return page, unavailable(err)
	}
	for _, i := range page.Items {
		page.Cursors = append(page.Cursors, cursor(i.CreatedAt, i.ID))
	}
	return page, nil
}
