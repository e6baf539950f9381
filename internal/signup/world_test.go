package signup_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stepwise/engine"
	"stepwise/internal/password"
	"stepwise/internal/prove/siwe"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
	"stepwise/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dawn is when the stories begin. It is well ahead of the real time, by which
// the embedded Redis would otherwise take everything for expired.
var dawn = time.Date(2041, 5, 1, 9, 0, 0, 0, time.UTC)

// clock stands still unless pushed.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// mailbox is a Messenger that keeps what it was given.
type mailbox struct {
	mu       sync.Mutex
	messages []signup.Message
	// refusal, if not nil, is what Deliver answers.
	refusal error
}

func (m *mailbox) Deliver(_ context.Context, message signup.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refusal != nil {
		return m.refusal
	}
	m.messages = append(m.messages, message)
	return nil
}

func (m *mailbox) refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refusal = err
}

func (m *mailbox) all() []signup.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// sentTo tells how many messages went to the address.
func (m *mailbox) sentTo(address string) int {
	n := 0
	for _, message := range m.all() {
		if message.To == address {
			n++
		}
	}
	return n
}

// code returns the last one sent to the address.
func (m *mailbox) code(t testing.TB, to string) string {
	t.Helper()
	for _, message := range slices.Backward(m.all()) {
		if message.To == to {
			return message.Code
		}
	}
	t.Fatalf("nothing was sent to %s", to)
	return ""
}

// world is a deployment: stores, one instance, and what goes out of it.
// Several services may run in it, as processes do.
type world struct {
	testing.TB
	clock     *clock
	mail      *mailbox
	accounts  *providers
	redis     *redisstore.Store
	directory *sqlstore.Store
	path      string // of the SQLite file
	keys      *signup.Keys
	first     signup.FirstInstance
	config    signup.Config
	service   *signup.Service
	rows      *sql.DB // what the port has no way to ask
	opened    *opened
}

// opened counts the sign-ups that were stored, whoever heard of it. It is the store
// of attempts of all services.
type opened struct {
	*redisstore.Store
	mu sync.Mutex
	n  int
}

func (o *opened) Create(ctx context.Context, key signup.AttemptKey, r signup.Record, memory signup.Memory, now, formerExpireAt time.Time) (string, *signup.Remembered, error) {
	replaced, remembered, err := o.Store.Create(ctx, key, r, memory, now, formerExpireAt)
	if err == nil && remembered == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.n++
	}
	return replaced, remembered, err
}

// masterKey is what APP_KEY would hold.
const masterKey = "a master key for tests of 32 bytes or more"

func newWorld(t testing.TB, settings string) *world {
	t.Helper()
	c := &clock{at: dawn}
	return openWorld(t, settings, c, c.now)
}

// openWorld opens a deployment by the time that now tells; settings is a patch
// of the default ones, in JSON, or empty.
func openWorld(t testing.TB, settings string, c *clock, now func() time.Time) *world {
	t.Helper()
	w := &world{TB: t, clock: c, mail: &mailbox{}, accounts: newProviders(), path: filepath.Join(t.TempDir(), "stepwise.db")}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	w.redis, err = redisstore.OpenEmbedded(t.Context(), redisstore.Options{Clock: now, Logger: quiet})
	w.must(err)
	t.Cleanup(func() { w.noError(w.redis.Close()) })
	w.opened = &opened{Store: w.redis}
	w.directory, err = sqlstore.Open(t.Context(), sqlstore.Options{URL: w.path, Logger: quiet, Now: now})
	w.must(err)
	t.Cleanup(func() { w.noError(w.directory.Close()) })
	w.keys, err = signup.NewKeys([]byte(masterKey))
	w.must(err)
	w.first, err = signup.EnsureFirstInstance(t.Context(), w.directory, w.keys, signup.Bootstrap{Settings: patch(t, settings)}, now())
	w.must(err)
	hasher, err := password.NewHasher(password.Config{Params: password.Params{MemoryKiB: 8, Time: 1, Parallelism: 1}, MaxQueue: 1000})
	w.must(err)
	w.config = signup.Config{
		Attempts: w.opened, Hints: w.redis, Budgets: w.redis, Directory: w.directory, Messenger: w.mail,
		Hasher: hasher, Keys: w.keys, Issuer: "http://localhost:8080", Now: now, Logger: quiet,
		Can: engine.Capabilities{SendEmail: true, SendSMS: true}, Accounts: w.accounts, Wallets: siwe.Prover{}, Development: true,
	}
	w.service = signup.New(w.config)
	w.rows, err = sql.Open("sqlite", "file:"+w.path+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	w.must(err)
	t.Cleanup(func() { w.noError(w.rows.Close()) })
	return w
}

// process returns one more service on the same stores, with changes to its
// configuration.
func (w *world) process(change func(*signup.Config)) *signup.Service {
	c := w.config
	if change != nil {
		change(&c)
	}
	return signup.New(c)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) noError(err error) {
	w.Helper()
	if err != nil {
		w.Error(err)
	}
}

func patch(t testing.TB, settings string) signup.SettingsPatch {
	t.Helper()
	if settings == "" {
		settings = "{}"
	}
	p, err := signup.ParseSettingsPatch([]byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// set changes settings as an administrator does.
func (w *world) set(settings string) signup.InstanceSettings {
	w.Helper()
	saved, problems, err := w.service.UpdateSettings(w.Context(), w.secret(), patch(w, settings))
	w.must(err)
	if len(problems) > 0 {
		w.Fatalf("settings are refused: %v", problems)
	}
	return saved
}

// secret is the holder of the secret key.
func (w *world) secret() signup.Principal {
	w.Helper()
	return w.as(w.first.SecretKey)
}

// as is who makes a request with the bearer token; nobody if it is empty.
func (w *world) as(bearer string) signup.Principal {
	w.Helper()
	p, err := w.service.Authenticate(w.Context(), signup.Credentials{PublishableKey: w.first.PublishableKey, Bearer: bearer})
	w.must(err)
	return p
}

// client is one browser or device: it keeps the newest token it was given.
type client struct {
	*world
	service *signup.Service
	token   string
	// transferToken is the last one that an answer brought.
	transferToken string
	// proof is the last that it offered, proofKey the idempotency key of the next.
	proof    signup.Proof
	proofKey string
}

func (w *world) client() *client { return &client{world: w, service: w.service} }

func (c *client) principal() signup.Principal {
	c.Helper()
	return c.as(c.token)
}

func (c *client) keep(out signup.Outcome, err error) signup.Outcome {
	c.Helper()
	c.must(err)
	if out.ClientToken != "" {
		c.token = out.ClientToken
	}
	c.transferToken = cmp.Or(out.TransferToken, c.transferToken)
	return out
}

func (c *client) create(in signup.Input) signup.Outcome {
	c.Helper()
	return c.keep(c.service.Create(c.Context(), c.principal(), in))
}

func (c *client) update(in signup.Input) signup.Outcome {
	c.Helper()
	return c.keep(c.service.Update(c.Context(), c.principal(), "", in))
}

func (c *client) start(strategy engine.Strategy) signup.Outcome {
	c.Helper()
	return c.keep(c.service.StartVerification(c.Context(), c.principal(), "", signup.Start{Strategy: strategy}, ""))
}

func (c *client) check(a engine.Attribute, code string) signup.Outcome {
	c.Helper()
	return c.keep(c.service.CheckVerification(c.Context(), c.principal(), "", signup.Proof{Attribute: a, Code: code}, ""))
}

func (c *client) signUp() *signup.SignUp {
	c.Helper()
	s, err := c.service.SignUp(c.Context(), c.principal(), "")
	c.must(err)
	return s
}

// starts asks for verifications that need nothing but their strategy.
func starts(strategies ...engine.Strategy) []signup.Start {
	var list []signup.Start
	for _, s := range strategies {
		list = append(list, signup.Start{Strategy: s})
	}
	return list
}

// moves is the proof by which somebody comes back by what was proven last.
func (c *client) moves() signup.SessionProof {
	return signup.SessionProof{Transfer: cmp.Or(c.transferToken, "none")}
}

// goodPassword passes every rule.
const goodPassword = "seven purple otters"

// withEmail gives an address and a password and has a code sent.
func withEmail(address string) signup.Input {
	return signup.Input{
		EmailAddress: signup.Given(address), Password: signup.Given(goodPassword), Start: starts(engine.EmailCode),
	}
}

// completed signs somebody up under the default settings.
func (w *world) completed(address string) (*client, *signup.SignUp) {
	w.Helper()
	c := w.client()
	wantProblems(w, c.create(withEmail(address)))
	out := c.check(engine.EmailAddress, w.mail.code(w, address))
	wantProblems(w, out)
	wantStatus(w, out, engine.StatusComplete)
	return c, out.SignUp
}

// count asks the database directly; the port has no way to list events.
func (w *world) count(query string, args ...any) int {
	w.Helper()
	var n int
	w.must(w.rows.QueryRowContext(w.Context(), query, args...).Scan(&n))
	return n
}

// usersWith returns those who have the identifier.
func (w *world) usersWith(norm string) []signup.User {
	w.Helper()
	users, _, err := w.directory.Users(w.Context(), w.first.ID, signup.UserFilter{Norm: norm, Limit: 10})
	w.must(err)
	return users
}

// wantOneUser expects what exactly one conversion makes, whole, and returns
// the ids of user and session.
func (w *world) wantOneUser(norm string) (user, session string) {
	w.Helper()
	users := w.usersWith(norm)
	if len(users) != 1 {
		w.Fatalf("%d users have %s, want 1", len(users), norm)
	}
	user = users[0].ID
	for what, query := range map[string]string{
		"conversions":            `SELECT COUNT(*) FROM conversions WHERE user_id = $1`,
		"sessions":               `SELECT COUNT(*) FROM sessions WHERE user_id = $1`,
		"user.created events":    `SELECT COUNT(*) FROM outbox WHERE kind = 'user.created' AND json_extract(body, '$.id') = $1`,
		"session.created events": `SELECT COUNT(*) FROM outbox WHERE kind = 'session.created' AND json_extract(body, '$.userId') = $1`,
	} {
		if n := w.count(query, user); n != 1 {
			w.Errorf("%d %s for %s, want 1", n, what, norm)
		}
	}
	w.must(w.rows.QueryRowContext(w.Context(), `SELECT id FROM sessions WHERE user_id = $1`, user).Scan(&session))
	return user, session
}

// wantNoHalves expects that nothing in the database lacks its other part.
func (w *world) wantNoHalves() {
	w.Helper()
	for what, query := range map[string]string{
		"users without conversion":          `SELECT COUNT(*) FROM users WHERE id NOT IN (SELECT user_id FROM conversions)`,
		"users without identifier":          `SELECT COUNT(*) FROM users WHERE id NOT IN (SELECT user_id FROM identifiers)`,
		"users without session":             `SELECT COUNT(*) FROM users WHERE id NOT IN (SELECT user_id FROM sessions)`,
		"conversions without user":          `SELECT COUNT(*) FROM conversions WHERE user_id NOT IN (SELECT id FROM users)`,
		"conversions without session":       `SELECT COUNT(*) FROM conversions WHERE session_id NOT IN (SELECT id FROM sessions)`,
		"conversions without their event":   `SELECT COUNT(*) FROM conversions WHERE user_id NOT IN (SELECT json_extract(body, '$.id') FROM outbox WHERE kind = 'user.created')`,
		"sessions without their event":      `SELECT COUNT(*) FROM sessions WHERE id NOT IN (SELECT json_extract(body, '$.id') FROM outbox WHERE kind = 'session.created')`,
		"events more than two a conversion": `SELECT (SELECT COUNT(*) FROM outbox) - 2 * (SELECT COUNT(*) FROM conversions)`,
	} {
		if n := w.count(query); n != 0 {
			w.Errorf("%d %s", n, what)
		}
	}
}

func wantStatus(t testing.TB, out signup.Outcome, status engine.Status) {
	t.Helper()
	if out.SignUp == nil || out.SignUp.Status != status {
		t.Fatalf("the answer is %s, want %s", describe(out), status)
	}
}

// wantProblems expects exactly the codes, in their order.
func wantProblems(t testing.TB, out signup.Outcome, codes ...signup.Code) {
	t.Helper()
	if got := codesOf(out.Problems); !slices.Equal(got, codes) {
		t.Fatalf("problems are %v, want %v", got, codes)
	}
}

func codesOf(problems []signup.Problem) []signup.Code {
	var codes []signup.Code
	for _, p := range problems {
		codes = append(codes, p.Code)
	}
	return codes
}

// codeOf returns the code of a refused request, "" where there is none.
func codeOf(err error) string {
	var refused *signup.Error
	if errors.As(err, &refused) {
		return refused.Code()
	}
	return ""
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if codeOf(err) != code {
		t.Fatalf("the error is %v, want %s", err, code)
	}
}

func describe(out signup.Outcome) string {
	text := "no sign-up"
	if s := out.SignUp; s != nil {
		text = string(s.Status) + ", missing " + s.Verdict.Missing.String() + ", unverified " + s.Verdict.Unverified.String()
	}
	if len(out.Problems) > 0 {
		text += ", problems"
		for _, p := range out.Problems {
			text += " " + string(p.Code)
		}
	}
	return text
}

// together runs n calls at once and returns what each has answered.
func together[T any](n int, call func(i int) (T, error)) ([]T, []error) {
	results, errs := make([]T, n), make([]error, n)
	start := make(chan struct{})
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			<-start
			results[i], errs[i] = call(i)
		})
	}
	close(start)
	running.Wait()
	return results, errs
}

// text is how a value reads; for comparisons of everything that is shown.
func text(t testing.TB, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lines collects log output.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*lines)(nil)
