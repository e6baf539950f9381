package signup

import (
	"context"
	"time"

	"stepwise/engine"
)

// sendTimeout bounds the hand-over of one message.
const sendTimeout = 8 * time.Second

// send derives the codes and hands the messages over. What cannot be handed
// over is reported, and starting again sends at once.
func (c *call) send(ctx context.Context, a *attempt, sends []engine.Send, settings currentSettings, before []Problem) []Problem {
	s := c.service
	var problems []Problem
	for _, send := range sends {
		if isTestAddress(settings.Settings, send.Attribute, send.Address.Key) {
			continue
		}
		if err := s.deliver(ctx, *a, send, settings.Settings); err != nil {
			s.log.ErrorContext(ctx, "message not delivered", "sign_up", a.key.ID, "strategy", string(send.Strategy), "error", err)
			problems = append(problems, undelivered(send, c.name))
			s.noteUndelivered(ctx, a, send, c.remembering(a.key.ID, before)(problems))
		}
	}
	return problems
}

func (s *Service) deliver(ctx context.Context, a attempt, send engine.Send, settings Settings) error {
	// The code is stored as sent: it goes out even if the caller has left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	code := s.keys.verificationCode(a.key, send.Attribute, engine.Verification{
		Key: send.Address.Key, Nonce: send.Nonce, Generation: send.Generation,
	})
	message := Message{
		Channel: channelOf(send.Attribute), Purpose: PurposeCode, To: send.Address.Text, Code: code, AppName: settings.AppName, ExpireAt: send.ExpireAt,
		Language: settings.languageFor(a.Locale),
	}
	switch v := a.Attempt.Verifications[send.Attribute]; {
	case v == nil:
	case ownedByUser(*v):
		message.Purpose, message.Code = PurposeAccountExists, ""
	case send.Strategy == engine.EmailLink:
		message.Purpose, message.Link = PurposeLink, s.linkURL(a, *v)
	}
	return s.messenger.Deliver(ctx, message)
}

func channelOf(a engine.Attribute) Channel {
	if a == engine.PhoneNumber {
		return ChannelSMS
	}
	return ChannelEmail
}

func undelivered(send engine.Send, mutation string) Problem {
	field := startInList(send.Index)
	if mutation == "start" {
		field = startAlone(send.Index)
	}
	return Problem{Code: CodeDeliveryFailed, Attribute: &send.Attribute, Field: field,
		Message: "The message could not be sent. Check the " + noun[send.Attribute] + " or try again."}
}

// noteUndelivered is best effort: without it, starting again waits until
// resendAt.
func (s *Service) noteUndelivered(ctx context.Context, a *attempt, send engine.Send, memory Memory) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), conversionTimeout)
	defer cancel()
	noted, ok := engine.Undelivered(a.Attempt, send.Attribute, send.Nonce)
	if !ok {
		return
	}
	next := *a
	next.Attempt = noted
	next.version++
	record, err := next.record(next.version, s.now())
	if err == nil {
		err = s.attempts.Save(ctx, a.key, record, memory, false)
	}
	if err != nil {
		s.log.WarnContext(ctx, "undelivered message not noted", "sign_up", a.key.ID, "error", err)
		return
	}
	*a = next
}
