package signup

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"stepwise/engine"
)

// BotCheck asks the provider that the settings name whether a person has come.
type BotCheck interface {
	// Check returns nil where the provider says so, an error that is ErrBot where it
	// does not take the token, and another where it does not answer, or not in its own
	// words. It asks once, keeps to the context's deadline, and no error of its has
	// the secret or the token. A provider takes a token once.
	Check(ctx context.Context, q BotQuestion) error
}

// BotQuestion is what a provider is asked.
type BotQuestion struct {
	Provider        BotProvider
	SiteKey, Secret string
	// Token is what the provider's widget gave.
	Token string
}

// ErrBot: the provider does not take the token.
var ErrBot = errors.New("the provider does not take the token")

const (
	botTimeout = 5 * time.Second
	// maxBotToken bounds a token, in bytes; providers' are shorter.
	maxBotToken = 16 << 10
)

const botSecretPurpose = "bot protection secret"

// on reports whether whoever opens a sign-up has to show that a person does.
func (b BotProtection) on() bool { return b.Provider != BotNone }

// apply: what was said to one provider is not said to another.
func (b BotProtection) apply(p *BotProtectionPatch) BotProtection {
	if p == nil {
		return b
	}
	before := b.Provider
	set(&b.Provider, p.Provider)
	if before != BotNone && b.Provider != before {
		b.SealedSecret = ""
	}
	set(&b.SiteKey, p.SiteKey)
	set(&b.SealedSecret, p.sealedSecret)
	return b
}

// sealed returns the patch with its secret encrypted; in clear it goes no further.
func (p *BotProtectionPatch) sealed(keys *Keys) *BotProtectionPatch {
	if p == nil || p.SecretKey == nil {
		return p
	}
	text := ""
	if *p.SecretKey != "" {
		text = base64.StdEncoding.EncodeToString(keys.Seal([]byte(*p.SecretKey), botSecretPurpose))
	}
	return &BotProtectionPatch{Provider: p.Provider, SiteKey: p.SiteKey, sealedSecret: &text}
}

func (b BotProtection) secret(keys *Keys) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(b.SealedSecret)
	if err != nil {
		return "", errors.New("secret key is not sealed")
	}
	secret, err := keys.Open(sealed, botSecretPurpose)
	return string(secret), err
}

// keepingSecret returns the settings with the secret as it is sealed in the current ones
// where it is the same: sealed anew it would look like a change.
func (b BotProtection) keepingSecret(current BotProtection, keys *Keys) BotProtection {
	was, err := current.secret(keys)
	is, err2 := b.secret(keys)
	if err == nil && err2 == nil && hmac.Equal([]byte(was), []byte(is)) {
		b.SealedSecret = current.SealedSecret
	}
	return b
}

// check returns what is wrong; the first part of Field is the path of the setting.
func (b BotProtection) check() []Problem {
	var found []Problem
	refuse := func(code Code, member, message string) {
		found = append(found, Problem{Code: code, Message: message, Field: []string{"botProtection." + member}})
	}
	if !slices.Contains([]BotProvider{BotNone, BotTurnstile, BotHCaptcha}, b.Provider) {
		refuse(CodeInvalidFormat, "provider", "Must be NONE, TURNSTILE or HCAPTCHA.")
		return found
	}
	if n := len([]rune(b.SiteKey)); n > 255 || n == 0 && b.on() || strings.ContainsFunc(b.SiteKey, isControl) {
		refuse(CodeInvalidFormat, "siteKey", "Must be 1 to 255 characters on one line.")
	}
	if b.on() && b.SealedSecret == "" {
		refuse(CodeEmpty, "secretKey", "This provider needs a secret key.")
	}
	return found
}

// checkSecret refuses a secret key that was pasted with the end of its line: once sealed
// nobody looks at it, and the provider would not know it.
func (p *BotProtectionPatch) checkSecret() []Problem {
	if p == nil || p.SecretKey == nil || !strings.ContainsFunc(*p.SecretKey, isControl) && strings.TrimSpace(*p.SecretKey) == *p.SecretKey {
		return nil
	}
	return []Problem{{Code: CodeInvalidFormat, Field: inputPath("botProtection", "secretKey"), Message: "Must be on one line, with no spaces around it."}}
}

// botWarnings say, in production, that nobody can sign up.
func (s *Service) botWarnings(b BotProtection) []engine.Finding {
	if s.development || !b.on() {
		return nil
	}
	found := engine.Finding{Code: botsUnchecked, Path: "botProtection.provider"}
	if _, err := b.secret(s.keys); err != nil {
		found.Message = "The secret key was sealed under another master key: nobody can sign up before it is given again."
	} else if s.bots == nil {
		found.Message = "This server cannot ask whether a person has come: nobody can sign up."
	} else {
		return nil
	}
	return []engine.Finding{found}
}

// lacksBotToken: one that no provider makes is refused before anybody is asked.
func (c *call) lacksBotToken(settings Settings) []Problem {
	token := strings.TrimSpace(c.input.BotToken)
	switch {
	case c.name != "create" || !settings.BotProtection.on() || c.human:
		return nil
	case token == "":
		return []Problem{botProblem(CodeBotTokenMissing, "Please confirm that you are a person first.")}
	case len(token) > maxBotToken:
		return []Problem{botRefused()}
	}
	return nil
}

func botProblem(code Code, message string) Problem {
	return Problem{Code: code, Message: message, Field: inputPath("botToken")}
}

func botRefused() Problem {
	return botProblem(CodeBotTokenRefused, "It was not confirmed that you are a person. Please do so again.")
}

// showsPerson asks the provider, for a call that would go through and once, since a
// provider takes a token once.
func (c *call) showsPerson(ctx context.Context, settings Settings) []Problem {
	if c.name != "create" || !settings.BotProtection.on() || c.human {
		return nil
	}
	err := c.service.askAboutBot(ctx, settings.BotProtection, strings.TrimSpace(c.input.BotToken))
	switch {
	case err == nil:
		c.human = true
		return nil
	case errors.Is(err, ErrBot):
		return []Problem{botRefused()}
	}
	if c.service.unchecked.again(c.service.now()) {
		c.service.log.ErrorContext(ctx, "bot token not checked", "provider", string(settings.BotProtection.Provider), "error", err)
	}
	return []Problem{botProblem(CodeBotUnavailable, "It cannot be checked at the moment whether you are a person. Please confirm it again a little later.")}
}

func (s *Service) askAboutBot(ctx context.Context, b BotProtection, token string) error {
	if s.bots == nil {
		return errors.New("this deployment cannot ask anybody")
	}
	secret, err := b.secret(s.keys)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, botTimeout)
	defer cancel()
	return s.bots.Check(ctx, BotQuestion{Provider: b.Provider, SiteKey: b.SiteKey, Secret: secret, Token: token})
}

// madeBefore looks, where a token would be spent, whether this very call was made
// before and its answer was lost: the provider has taken its token then.
func (c *call) madeBefore(ctx context.Context, settings currentSettings) (Outcome, bool, error) {
	if !settings.BotProtection.on() || c.minted {
		return Outcome{}, false, nil
	}
	current, remembered, err := c.service.load(ctx, c.key(), c.memoryKey)
	switch {
	case remembered != nil:
		out, err := c.replay(ctx, *remembered)
		return out, true, err
	case errors.Is(err, ErrNotFound):
		return Outcome{}, false, nil
	case err != nil:
		return Outcome{}, false, err
	}
	if current.Attempt.Lifecycle == engine.Completing && c.wasLast(current) {
		if current, err = c.service.settle(ctx, current.key); err != nil {
			return Outcome{}, false, err
		}
	}
	if !c.completed(current) {
		return Outcome{}, false, nil
	}
	return c.again(current, settings, c.service.now()), true, nil
}

// refusedAsBot answers a call that is refused. One that was made twice at once, and
// came second to the provider, gets the answer of the first.
func (c *call) refusedAsBot(ctx context.Context, settings currentSettings, problems []Problem) (Outcome, error) {
	if slices.ContainsFunc(problems, func(p Problem) bool { return p.Code == CodeBotTokenRefused }) {
		if out, made, err := c.madeBefore(ctx, settings); err != nil || made {
			return out, err
		}
	}
	return Outcome{Problems: problems}, nil
}
