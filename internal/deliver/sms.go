package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stepwise/internal/signup"
)

// SMSConfig names a text message service that speaks Twilio's message API.
type SMSConfig struct {
	BaseURL    string // https, or http on a loopback address; default https://api.twilio.com
	AccountSID string
	AuthToken  string
	From       string           // E.164 number or alphanumeric sender id of the account
	Timeout    time.Duration    // for one message, also where the context allows more; default 15 s
	Now        func() time.Time // default time.Now
}

const (
	defaultSMSBaseURL = "https://api.twilio.com"
	defaultSMSTimeout = 15 * time.Second
	maxSMSResponse    = 64 << 10 // bytes read of an answer
)

// SMS sends text messages by one HTTP POST each. It follows no redirects: they
// would carry the code and the credentials elsewhere. It is safe for concurrent
// use.
type SMS struct {
	endpoint string
	account  string
	token    string
	from     string
	timeout  time.Duration
	now      func() time.Time
	client   *http.Client
}

// NewSMS returns a sender, or an error that says which setting is wrong without
// repeating it. It makes no connection.
func NewSMS(c SMSConfig) (*SMS, error) {
	if c.BaseURL == "" {
		c.BaseURL = defaultSMSBaseURL
	}
	if c.Timeout == 0 {
		c.Timeout = defaultSMSTimeout
	}
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("deliver: the SMS base URL must be an absolute URL without credentials, query and fragment")
	case base.Scheme != "https" && !(base.Scheme == "http" && isLoopback(base.Hostname())):
		return nil, errors.New("deliver: the SMS base URL must use https, except on a loopback address")
	case c.AccountSID == "" || c.AuthToken == "" || c.From == "":
		return nil, errors.New("deliver: SMS needs an account SID, an auth token and a sender")
	case strings.ContainsFunc(c.AccountSID+c.AuthToken+c.From, isUnprintable):
		return nil, errors.New("deliver: the SMS account SID, auth token or sender contains control characters")
	case c.Timeout < 0:
		return nil, errors.New("deliver: the SMS timeout must not be negative")
	}
	return &SMS{
		endpoint: base.JoinPath("2010-04-01", "Accounts", url.PathEscape(c.AccountSID), "Messages.json").String(),
		account:  c.AccountSID,
		token:    c.AuthToken,
		from:     c.From,
		timeout:  c.Timeout,
		now:      clockOr(c.Now),
		client: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// isLoopback reports whether a host, given by name or address, is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close closes idle connections. Messages under way are not disturbed.
func (s *SMS) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Deliver sends m and returns nil once the service has queued it under an id.
func (s *SMS) Deliver(ctx context.Context, m signup.Message) error {
	if m.Channel != signup.ChannelSMS {
		return ErrNoSender
	}
	now := s.now()
	if err := check(m, now); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	form := url.Values{"To": {m.To}, "From": {s.from}, "Body": {wordingOf(m, now).smsText()}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return &Error{Channel: m.Channel, Reason: ReasonInvalid, Step: "composing the request"}
	}
	request.SetBasicAuth(s.account, s.token)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return networkError(ctx, m.Channel, "calling the service", err)
	}
	defer response.Body.Close()
	return readSMSAnswer(ctx, response)
}

// smsAnswer is the part of the service's answer that matters: the id of an
// accepted message, or the number of an error. Its sentences are not read.
type smsAnswer struct {
	SID       string `json:"sid"`
	Code      int    `json:"code"`
	ErrorCode int    `json:"error_code"`
}

func readSMSAnswer(ctx context.Context, response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxSMSResponse))
	if err != nil {
		return networkError(ctx, signup.ChannelSMS, "reading the answer", err)
	}
	var answer smsAnswer
	// An answer that cannot be read leaves the fields empty, which is no success.
	_ = json.Unmarshal(body, &answer)
	if response.StatusCode/100 == 2 && answer.SID != "" && answer.ErrorCode == 0 {
		return nil
	}
	refused := &Error{Channel: signup.ChannelSMS, Reason: ReasonRefused, Step: "calling the service", Status: response.StatusCode}
	if number := max(answer.Code, answer.ErrorCode); 0 < number && number < 100_000 {
		refused.Detail = "service error " + strconv.Itoa(number)
	}
	return refused
}

// networkError translates what went wrong below the protocol. Only errors of
// the network itself are passed on; all others may quote what was sent.
func networkError(ctx context.Context, channel signup.Channel, step string, err error) error {
	if ended := contextError(ctx, channel, step); ended != nil {
		return ended
	}
	failure := &Error{Channel: channel, Reason: ReasonUnreachable, Step: step}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		failure.cause = operation
	}
	return failure
}
