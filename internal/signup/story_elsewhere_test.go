package signup_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stepwise/engine"
	"stepwise/internal/signup"
)

// What the narrator knows of proofs from elsewhere: at providers, by wallets, by
// links in mails, by invitations.

// elsewhere reports whether the command was one of these.
func (n *narrator) elsewhere(name string, args []string) bool {
	switch name {
	case "providers":
		n.saveSettings(patch(n, "{"+providerSettings+"}"))
	case "person":
		n.person(args)
	case "visit":
		n.visit(args[0])
	case "open":
		n.openLink(n.linkCalled(args[0]))
	case "follow":
		n.follow(n.linkCalled(args[0]))
	case "invite":
		n.invite(args)
	case "revoke":
		_, problems, err := n.service.RevokeInvitation(n.Context(), n.secret(), n.numbered(args[0], n.invitations))
		n.must(err)
		n.problems(problems)
	case "invitation":
		n.invitation(n.numbered(args[0], n.invitations))
	case "transfer":
		n.transfer()
	default:
		return false
	}
	return true
}

// numbered returns the one called #1, #2, … or, with "right", the last.
func (n *narrator) numbered(name string, list []string) string {
	if name == "right" {
		return list[len(list)-1]
	}
	i, err := strconv.Atoi(strings.TrimPrefix(name, "#"))
	n.must(err)
	return list[i-1]
}

// person is somebody with an account at every provider.
func (n *narrator) person(args []string) {
	m := member{subject: args[0] + "-1"}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "emailAddress":
			m.email = value
		case "verified":
			m.emailVerified = value == "true"
		case "phoneNumber":
			m.phone = value
		case "firstName":
			m.firstName = value
		case "lastName":
			m.lastName = value
		default:
			n.Fatalf("unknown argument %s", arg)
		}
	}
	n.members[args[0]] = m
}

// visit goes where the open challenge sends the person, and comes back.
func (n *narrator) visit(who string) {
	answer := n.accounts.refuse(n, n.who.redirect(), who)
	if m, ok := n.members[who]; ok {
		answer = n.accounts.admit(n, n.who.redirect(), m)
	}
	location, err := n.service.AccountCallback(n.Context(), answer)
	n.must(err)
	u, err := url.Parse(location)
	n.must(err)
	n.handles = append(n.handles, u.Query().Get(signup.HandleParameter))
	u.RawQuery = ""
	n.say("back at %s with handle #%d", u, len(n.handles))
}

// proofFromElsewhere is the proof that an argument of check offers; ok is false
// for other arguments.
func (n *narrator) proofFromElsewhere(name, value string) (proof signup.Proof, ok bool) {
	switch name {
	case "handle":
		return byHandle(n.numbered(value, n.handles)), true
	case "link":
		return signup.Proof{Attribute: engine.EmailAddress, Link: n.linkCalled(value)}, true
	case "signature":
		if value != "again" {
			n.signed = walletOf(value).proof(n.who.asked())
		}
		return n.signed, true
	}
	return proof, false
}

// startFromElsewhere adds what such a start needs, wherever the strategy stands.
func (n *narrator) startFromElsewhere(s *signup.Start, name, value string) bool {
	switch name {
	case "provider":
		s.Provider = value
	case "back":
		s.RedirectURL = value
	case "wallet":
		s.Wallet = walletOf(value).address
	case "chain":
		chain, err := strconv.ParseInt(value, 10, 64)
		n.must(err)
		s.ChainID = chain
	case "origin":
		s.Origin = value
	default:
		return false
	}
	return true
}

// linkCalled returns the token in the message of that number; "right" is the last.
func (n *narrator) linkCalled(name string) string {
	var links []string
	for _, m := range n.mail.all() {
		links = append(links, m.Link)
	}
	u, err := url.Parse(n.numbered(name, links))
	n.must(err)
	return u.Query().Get("token")
}

func (n *narrator) openLink(token string) {
	page, err := n.service.OpenLink(n.Context(), token)
	if err != nil {
		n.say("error %s", codeOf(err))
		return
	}
	line := "a page of " + page.AppName
	if page.ReturnOrigin != "" {
		line += ", leads to " + page.ReturnOrigin
	}
	if page.Expired {
		line += ", expired"
	}
	n.say("%s", line)
}

func (n *narrator) follow(token string) {
	result, err := n.service.FollowLink(n.Context(), n.who.principal(), token)
	if err != nil {
		n.say("error %s", codeOf(err))
		return
	}
	n.say("%s", strings.TrimSpace(string(result.Outcome)+" "+result.Message))
	if u, err := url.Parse(result.ReturnTo); err == nil && result.ReturnTo != "" {
		u.RawQuery = ""
		n.say("  at %s", u)
	}
	if result.ClientToken != "" {
		n.who.token = result.ClientToken
		n.say("a new token")
	}
}

func (n *narrator) invite(args []string) {
	in := signup.InvitationInput{PublicMetadata: map[string]any{"team": "otters"}}
	args = slices.DeleteFunc(args, func(arg string) bool {
		value, ok := strings.CutPrefix(arg, "for=")
		if ok {
			d, err := time.ParseDuration(value)
			n.must(err)
			in.ExpiresIn = d
		}
		return ok
	})
	_, in.Input, _ = n.input(args)
	made, err := n.service.Invite(n.Context(), n.secret(), in)
	n.must(err)
	n.problems(made.Problems)
	if made.Invitation != nil {
		n.invitations, n.tickets = append(n.invitations, made.Invitation.ID), append(n.tickets, made.Ticket)
		n.say("ticket #%d, good until %s", len(n.tickets), n.moment(made.Invitation.ExpireAt))
	}
}

// ticketCalled returns a ticket by its number, or what was written for one.
func (n *narrator) ticketCalled(name string) string {
	if strings.HasPrefix(name, "#") {
		return n.numbered(name, n.tickets)
	}
	return name
}

var ticketStates = map[engine.TicketState]string{
	engine.TicketValid: "valid", engine.TicketRevoked: "revoked", engine.TicketExpired: "expired", engine.TicketUsed: "used",
}

func (n *narrator) invitation(id string) {
	i, err := n.service.Invitation(n.Context(), n.secret(), id)
	n.must(err)
	line := ticketStates[i.StateAt(n.clock.now())]
	if i.UserID != "" {
		line += " by user " + strconv.Itoa(n.alias(i.UserID))
	}
	n.say("%s", line)
}

func (n *narrator) transfer() {
	out, err := n.service.CreateSession(n.Context(), n.who.principal(), n.who.moves())
	if err != nil {
		n.say("error %s", codeOf(err))
		return
	}
	n.problems(out.Problems)
	if out.Session != nil {
		n.say("user %d, session %d", n.alias(out.Session.UserID), n.alias(out.Session.ID))
	}
	if out.ClientToken != "" {
		n.who.token = out.ClientToken
		n.say("a new token")
	}
}

// goesOn tells what an open challenge has the person do elsewhere.
func goesOn(v *signup.Verification) string {
	line := ""
	if v.Provider != "" {
		line += ", at " + v.Provider
	}
	if u, err := url.Parse(v.RedirectURL); err == nil && v.RedirectURL != "" {
		line += ", goes to " + u.Scheme + "://" + u.Host + u.Path
	}
	if v.Message != "" {
		domain, _, _ := strings.Cut(v.Message, " wants you")
		_, chain, _ := strings.Cut(v.Message, "Chain ID: ")
		chain, _, _ = strings.Cut(chain, "\n")
		line += ", to be signed for " + domain + " on chain " + chain
	}
	return line
}
