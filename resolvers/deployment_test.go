package resolvers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/password"
	"stepwise/internal/signup"
	"stepwise/internal/store/redisstore"
	"stepwise/internal/store/sqlstore"
)

// deployment is the service behind its GraphQL face, over embedded stores, with one
// API for each set of capabilities. Whoever asks a provider for an account names what
// the provider is to say of it; every wallet's signature is "signed".
type deployment struct {
	testing.TB
	first  signup.FirstInstance
	config signup.Config
	mail   *mailbox
	api    *executor.Executor
	serves *signup.Service
	tokens map[string]string // by caller
}

type mailbox struct {
	mu    sync.Mutex
	codes map[string]string // by address
}

func (m *mailbox) Deliver(_ context.Context, message signup.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codes[message.To] = message.Code
	return nil
}

func (m *mailbox) code(address string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.codes[address]
}

// sayings is an AccountProver: the code says what the provider does.
type sayings struct{}

func (sayings) AuthorizationEndpoint(_ context.Context, p signup.Provider) (string, error) {
	return p.Issuer + "/authorize", nil
}

func (sayings) AuthorizationURL(_ signup.Provider, endpoint string, r signup.AuthorizationRequest) string {
	return endpoint + "?" + url.Values{"state": {r.State}}.Encode()
}

func (sayings) Redeem(_ context.Context, p signup.Provider, _ signup.AuthorizationRequest, a signup.AuthorizationResponse) (signup.ProvenAccount, error) {
	subject, sends, _ := strings.Cut(a.Code, " ")
	account := signup.ProvenAccount{Issuer: p.Issuer, Subject: subject, EmailVerified: engine.Arrival(sends) == engine.ArrivesVerifiedEmail}
	if engine.Arrival(sends) != engine.ArrivesBare {
		account.Email = subject + "@sent.example"
	}
	return account, nil
}

// obliging is a WalletProver.
type obliging struct{}

func (obliging) Address(text string) (string, error)     { return text, nil }
func (obliging) Message(c signup.WalletChallenge) string { return "sign " + c.Nonce }
func (obliging) Verify(_ signup.WalletChallenge, _, signature string) error {
	if signature != "signed" {
		return &signup.ProofError{Code: signup.SignatureMismatch}
	}
	return nil
}

func newDeployment(t testing.TB) *deployment {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	d := &deployment{TB: t, mail: &mailbox{codes: map[string]string{}}, tokens: map[string]string{}}
	redis, err := redisstore.OpenEmbedded(t.Context(), redisstore.Options{Logger: quiet})
	d.must(err)
	t.Cleanup(func() { d.must(redis.Close()) })
	directory, err := sqlstore.Open(t.Context(), sqlstore.Options{URL: filepath.Join(t.TempDir(), "stepwise.db"), Logger: quiet})
	d.must(err)
	t.Cleanup(func() { d.must(directory.Close()) })
	keys, err := signup.NewKeys([]byte(strings.Repeat("k", signup.MinMasterKey)))
	d.must(err)
	hasher, err := password.NewHasher(password.Config{Params: password.Params{MemoryKiB: 8, Time: 1, Parallelism: 1}, MaxQueue: 1000})
	d.must(err)
	d.config = signup.Config{
		Attempts: redis, Hints: redis, Budgets: redis, Directory: directory, Messenger: d.mail, Hasher: hasher, Keys: keys,
		Issuer: "http://localhost:8080", Logger: quiet, Development: true,
	}
	d.able(engine.Capabilities{SendEmail: true, SendSMS: true, ProveWallet: true, ProveAccount: true})
	d.first, err = signup.EnsureFirstInstance(t.Context(), directory, keys, signup.Bootstrap{Settings: unlimited(d)}, time.Now())
	d.must(err)
	return d
}

// unlimited are settings under which as many messages are sent as a test needs.
func unlimited(d *deployment) signup.SettingsPatch {
	patch, err := signup.ParseSettingsPatch([]byte(`{"sendingLimits": {"emailsPerDay": 10000000, "textMessagesPerDay": 10000000, "textMessagesPerRangePerHour": 100000}}`))
	d.must(err)
	return patch
}

func (d *deployment) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// able makes the deployment one of these capabilities.
func (d *deployment) able(can engine.Capabilities) {
	config := d.config
	config.Can = engine.Capabilities{SendEmail: can.SendEmail, SendSMS: can.SendSMS}
	if can.ProveAccount {
		config.Accounts = sayings{}
	}
	if can.ProveWallet {
		config.Wallets = obliging{}
	}
	d.serves = signup.New(config)
	resolver := &Resolver{Service: d.serves, IssueToken: func(ctx context.Context, _, token string) {
		*ctx.Value(tokenKey{}).(*string) = token
	}}
	d.api = executor.New(graph.NewExecutableSchema(graph.Config{Resolvers: resolver}))
	d.api.AroundRootFields(Authorize)
}

type tokenKey struct{}

// ask runs a document as the caller: "admin", or the name of a client.
func (d *deployment) ask(caller, document string, variables map[string]any, into any) {
	d.Helper()
	bearer := d.tokens[caller]
	if caller == "admin" {
		bearer = d.first.SecretKey
	}
	p, err := d.serves.Authenticate(d.Context(), signup.Credentials{PublishableKey: d.first.PublishableKey, Bearer: bearer})
	d.must(err)
	var token string
	ctx := graphql.StartOperationTrace(context.WithValue(WithPrincipal(d.Context(), p), tokenKey{}, &token))
	operation, problems := d.api.CreateOperationContext(ctx, &graphql.RawParams{Query: document, Variables: asSent(d, variables)})
	if len(problems) > 0 {
		d.Fatalf("%s\n%v: %v", document, variables, problems)
	}
	responses, ctx := d.api.DispatchOperation(graphql.WithOperationContext(ctx, operation), operation)
	answer := responses(ctx)
	if token != "" {
		d.tokens[caller] = token
	}
	for _, err := range answer.Errors {
		if hidden, ok := errors.AsType[*signup.Error](err); ok { // what it was is for logs
			d.Logf("the cause: %v", hidden.Unwrap())
		}
		d.Fatalf("%s\n%v: %v", document, variables, err)
	}
	d.must(json.Unmarshal(answer.Data, into))
}

// asSent are the variables as they come out of a request.
func asSent(d *deployment, variables map[string]any) (sent map[string]any) {
	d.Helper()
	data, err := json.Marshal(variables)
	d.must(err)
	d.must(json.Unmarshal(data, &sent))
	return sent
}

// told is what a client reads of its sign-up.
type told struct {
	ID               string
	Status           string
	MissingFields    []string
	UnverifiedFields []string
	RequiredFields   []string
	OptionalFields   []string
	Blockers         []struct{ Code, Attribute string }
	AwaitsOwner      bool
	EmailAddress     *string
	PhoneNumber      *string
	CreatedUserID    *string
	SettingsVersion  int
	Requirements     []struct {
		Field, State, Reason string
		Source               struct{ Kind, Name string }
		Actions              []struct {
			Kind       string
			Strategies []string
		}
	}
	Verifications struct {
		ExternalAccount *struct {
			Status, Provider string
			Error            *struct{ Code string }
			Challenge        *struct{ URL string }
		}
	}
}

const toldFields = `{ id status missingFields unverifiedFields requiredFields optionalFields blockers { code attribute } awaitsOwner emailAddress phoneNumber createdUserId settingsVersion
	requirements { field state reason source { kind name } actions { kind strategies } }
	verifications { externalAccount { status provider error { code } challenge { ... on RedirectChallenge { url } } } } }`

type refusal struct {
	Code, Message string
	Field         []string
}

// does runs one of the mutations of a sign-up.
func (d *deployment) does(caller, mutation string, input map[string]any) (*told, []refusal) {
	d.Helper()
	var data map[string]struct {
		SignUp     *told
		UserErrors []refusal
	}
	inputType := strings.ToUpper(mutation[:1]) + mutation[1:] + "Input"
	d.ask(caller, "mutation($input: "+inputType+"!) { "+mutation+"(input: $input) { signUp "+toldFields+" userErrors { code message field } } }",
		map[string]any{"input": input}, &data)
	return data[mutation].SignUp, data[mutation].UserErrors
}

// performer is somebody who does what they are told to, with values of their own.
type performer struct {
	*deployment
	name string // a client's, and part of every value
	now  *told
	sent engine.Arrival
}

func (d *deployment) performer(n int) *performer {
	return &performer{deployment: d, name: fmt.Sprintf("p%d", n)}
}

func (p *performer) value(field string) (name string, value any) {
	switch field {
	case "EMAIL_ADDRESS":
		return "emailAddress", p.name + "@own.example"
	case "PHONE_NUMBER":
		var n int
		_, _ = fmt.Sscanf(p.name, "p%d", &n)
		return "phoneNumber", fmt.Sprintf("+4930%07d", 1_000_000+n)
	case "USERNAME":
		return "username", "user_" + p.name
	case "PASSWORD":
		return "password", "seven purple otters"
	case "FIRST_NAME":
		return "firstName", "Ada"
	case "LAST_NAME":
		return "lastName", "King"
	}
	return "legalAccepted", true
}

func (p *performer) do(mutation string, input map[string]any) []refusal {
	p.Helper()
	now, refused := p.does(p.name, mutation, input)
	if now != nil {
		p.now = now
	}
	return refused
}

func (p *performer) provide(field string) []refusal {
	p.Helper()
	name, value := p.value(field)
	return p.do("signUpUpdate", map[string]any{name: value})
}

func (p *performer) clear(field string) []refusal {
	p.Helper()
	if field == "WEB3_WALLET" || field == "EXTERNAL_ACCOUNT" {
		return p.do("signUpUpdate", map[string]any{"clear": []string{field}})
	}
	name, _ := p.value(field)
	return p.do("signUpUpdate", map[string]any{name: nil})
}

func (p *performer) start(strategy, provider string) []refusal {
	p.Helper()
	input := map[string]any{"strategy": strategy}
	switch strategy {
	case "OAUTH":
		input["provider"], input["redirectUrl"] = provider, "http://localhost:3000/back"
	case "WEB3_SIGNATURE":
		input["web3Wallet"] = "wallet of " + p.name
	}
	return p.do("signUpVerificationStart", input)
}

func (p *performer) check(field string, sends engine.Arrival) []refusal {
	p.Helper()
	proof := map[string]any{}
	switch field {
	case "EMAIL_ADDRESS":
		proof["emailCode"] = p.mail.code(*p.now.EmailAddress)
	case "PHONE_NUMBER":
		proof["phoneCode"] = p.mail.code(*p.now.PhoneNumber)
	case "WEB3_WALLET":
		proof["web3Signature"] = map[string]any{"signature": "signed"}
	case "EXTERNAL_ACCOUNT":
		proof["oauthHandle"] = p.visit(sends)
	}
	return p.do("signUpVerificationCheck", map[string]any{"proof": proof})
}

// visit goes to the provider, which says this of the account, and comes back.
func (p *performer) visit(sends engine.Arrival) (handle string) {
	p.Helper()
	there, err := url.Parse(p.now.Verifications.ExternalAccount.Challenge.URL)
	p.must(err)
	provider := strings.TrimSuffix(there.Hostname(), ".example")
	back, err := p.serves.AccountCallback(p.Context(), signup.AccountAnswer{Provider: provider, State: there.Query().Get("state"), Code: p.name + " " + string(sends)})
	p.must(err)
	home, err := url.Parse(back)
	p.must(err)
	return home.Query().Get(signup.HandleParameter)
}
