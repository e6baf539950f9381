package signup

import (
	"context"
	"net/url"

	"stepwise/engine"
)

// OpenLink looks at a link from a mail, and at nothing else: whatever visits links
// on its own must not use them up. It fails with ErrUnknownLink for what the
// service did not make.
func (s *Service) OpenLink(ctx context.Context, token string) (LinkPage, error) {
	r, ok := s.keys.openReference(forLink, token)
	if !ok {
		return LinkPage{}, ErrUnknownLink
	}
	settings, err := s.settingsAt(ctx, r.Instance, 1) // or any newer one that is known
	if err != nil {
		return LinkPage{}, err
	}
	page := LinkPage{AppName: settings.AppName, Expired: !s.now().Before(r.ExpireAt)}
	if u, err := url.Parse(r.ReturnTo); err == nil && r.ReturnTo != "" {
		page.ReturnOrigin = u.Scheme + ":"
		if u.Scheme == "https" || u.Scheme == "http" {
			page.ReturnOrigin += "//" + u.Host
		}
	}
	return page, nil
}

// FollowLink verifies the address that the link was sent to, if the caller is the
// client that began; others are told where to go on. Where the app asked for
// people to come back to it, it is the app that offers the link.
func (s *Service) FollowLink(ctx context.Context, p Principal, token string) (LinkResult, error) {
	r, ok := s.keys.openReference(forLink, token)
	switch {
	case !ok || r.Instance != p.Instance.ID:
		return LinkResult{Outcome: LinkInvalid}, nil
	case !s.now().Before(r.ExpireAt):
		return LinkResult{Outcome: LinkExpired}, nil
	case r.ReturnTo != "":
		return LinkResult{Outcome: LinkReturn, ReturnTo: withParameter(r.ReturnTo, LinkParameter, token)}, nil
	case p.Client != r.Client:
		return LinkResult{Outcome: LinkElsewhere}, nil
	}
	out, err := s.CheckVerification(ctx, p, "", Proof{Attribute: engine.EmailAddress, Link: token}, "")
	if err != nil {
		return LinkResult{}, err
	}
	result := LinkResult{Outcome: LinkConfirmed, ClientToken: out.ClientToken, Instance: r.Instance}
	if len(out.Problems) == 0 {
		return result, nil
	}
	switch problem := out.Problems[0]; problem.Code {
	case CodeNotFound, Code(engine.CodeNotStarted): // the sign-up or its address has changed
		result.Outcome = LinkInvalid
	default:
		result.Outcome, result.Message = LinkRefused, problem.Message
	}
	return result, nil
}
