package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"stepwise/internal/realtest"
)

// Wallets are combined with the regular fields under Progressive Sign Up only;
// under the legacy algorithm they stand alone.

func TestWalletStory(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	told := &transcript{}
	told.heading("A wallet could not be used together with the regular settings; now it can: " +
		"after a successful wallet flow the status may be MISSING_REQUIREMENTS, and missingFields and unverifiedFields need not be empty")

	told.heading("Progressive Sign Up")
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	changeTold(t, told, administrator, map[string]any{"web3Wallet": map[string]any{"enabled": true}, "firstName": on})
	who := storyteller{newClient(t, server), t, told}
	told.scene("somebody with a wallet:")
	opened := who.ask("signUpCreate", map[string]any{"startVerifications": []any{firstWallet.start("chainId", 1)}})
	proof := firstWallet.sign(t, walletMessage(t, opened))
	told.says("the wallet signs")
	told.mask(`"`+proof.Signature+`"`, "SIGNATURE")
	back := who.ask("signUpVerificationCheck", map[string]any{"proof": map[string]any{"web3Signature": map[string]any{"signature": proof.Signature}}})
	if back.Status != "MISSING_REQUIREMENTS" || !slices.Equal(back.MissingFields, []string{"EMAIL_ADDRESS", "FIRST_NAME"}) {
		t.Errorf("after the wallet: %s, missing %v; want the address and the first name, and no password", back.Status, back.MissingFields)
	}
	u := told.becomes(t, administrator, who.goesOn(back, nil))
	if u.EmailAddress == nil || u.PasswordEnabled || len(u.Identifiers) != 2 {
		t.Errorf("the user: %+v; want one with wallet and address, and without a password", u)
	}
	told.scene("Progressive Sign Up cannot be switched off as long as the settings combine:")
	changeTold(t, told, administrator, map[string]any{"progressiveSignUp": false})
	told.scene("nor can they be combined where it is off:")
	alone := map[string]any{
		"progressiveSignUp": false, "firstName": map[string]any{"required": false},
		"emailAddress": map[string]any{"required": false}, "password": map[string]any{"required": false},
	}
	changeTold(t, told, administrator, alone)
	codes := changeTold(t, told, administrator, map[string]any{"password": map[string]any{"required": true}})
	if !slices.Equal(codes, []string{"FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP"}) {
		t.Errorf("user errors %v, want FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP", codes)
	}

	told.heading("The legacy algorithm")
	told.scene("somebody with a wallet:")
	who = storyteller{newClient(t, server), t, told}
	opened = who.ask("signUpCreate", map[string]any{"startVerifications": []any{secondWallet.start()}})
	proof = secondWallet.sign(t, walletMessage(t, opened))
	told.says("the wallet signs")
	told.mask(`"`+proof.Signature+`"`, "SIGNATURE")
	done := who.ask("signUpVerificationCheck", map[string]any{"proof": map[string]any{"web3Signature": map[string]any{"signature": proof.Signature}}})
	if done.Status != "COMPLETE" {
		t.Errorf("a wallet alone: %s, want COMPLETE", done.Status)
	}
	if u := told.becomes(t, administrator, done); len(u.Identifiers) != 1 {
		t.Errorf("the user: %+v; want one with nothing but the wallet", u)
	}
	told.compare(t, "wallet.txt")
}

// changeTold changes settings, whatever comes of it, and writes it down.
func changeTold(t testing.TB, told *transcript, administrator *client, change map[string]any) (codes []string) {
	t.Helper()
	codes = tryChangeSettings(t, administrator, change)
	told.says("instanceSettingsUpdate(input: %s) userErrors: %v", literal(change), codes)
	return codes
}

func tryChangeSettings(t testing.TB, administrator *client, change map[string]any) (codes []string) {
	t.Helper()
	var data struct {
		InstanceSettingsUpdate struct{ UserErrors []userError }
	}
	administrator.query(t, `mutation($input: InstanceSettingsUpdateInput!) {
		instanceSettingsUpdate(input: $input) { userErrors { code message field } }
	}`, map[string]any{"input": change}, &data)
	codes = []string{}
	for _, e := range data.InstanceSettingsUpdate.UserErrors {
		codes = append(codes, e.Code)
	}
	return codes
}

// walletServer is a program whose sign-ups may have a wallet.
func walletServer(t testing.TB) (*realtest.ServerProgram, *client) {
	t.Helper()
	server := realtest.Program(t, realtest.ProgramOptions{})
	administrator := newAdministrator(t, server)
	administrator.changeSettings(t, map[string]any{
		"web3Wallet": map[string]any{"enabled": true, "chainIds": []any{1, 10}}, "allowedOrigins": []any{"https://app.example.com"},
	})
	return server, administrator
}

// Attack 19: every field of the message altered by a page that would have it
// signed for something else. Each alteration has its own code, and costs one of
// the guesses.
func TestAttack19EveryFieldAltered(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, _ := walletServer(t)
	for name, c := range map[string]struct {
		change func(fields map[string]any)
		want   string
	}{
		"domain":    {func(f map[string]any) { f["domain"] = "evil.example" }, "SIWE_DOMAIN_MISMATCH"},
		"address":   {func(f map[string]any) { f["address"] = secondWallet.address }, "SIWE_ADDRESS_MISMATCH"},
		"statement": {func(f map[string]any) { f["statement"] = "I give you everything." }, "SIWE_STATEMENT_MISMATCH"},
		"URI":       {func(f map[string]any) { f["uri"] = "https://evil.example" }, "SIWE_URI_MISMATCH"},
		"chain":     {func(f map[string]any) { f["chainId"] = 10 }, "SIWE_CHAIN_MISMATCH"},
		"nonce":     {func(f map[string]any) { f["nonce"] = "abcdefgh12345678" }, "SIWE_NONCE_MISMATCH"},
		"issued at": {func(f map[string]any) { f["issuedAt"] = "2026-01-01T00:00:00.000Z" }, "SIWE_ISSUED_AT_MISMATCH"},
		"expiration": {
			func(f map[string]any) { f["expirationTime"] = "2099-01-01T00:00:00.000Z" }, "SIWE_EXPIRATION_MISMATCH",
		},
		"request id": {func(f map[string]any) { f["requestId"] = "r1" }, "SIWE_REQUEST_ID_MISMATCH"},
		"resources":  {func(f map[string]any) { f["resources"] = []any{"https://evil.example/a"} }, "SIWE_RESOURCES_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			visitor := newClient(t, server)
			opened := visitor.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
			message := walletMessage(t, opened)
			honest := firstWallet.sign(t, message)
			fields := honest.Fields
			c.change(fields)
			altered := firstWallet.signFields(t, fields)
			refusedGuess(t, visitor, altered.proof(), c.want, 4)
			done := visitor.check(t, "web3Signature", honest.proof())
			if done.Web3Wallet == nil || *done.Web3Wallet != firstWallet.address {
				t.Errorf("the honest signature: wallet %v, want %s", done.Web3Wallet, firstWallet.address)
			}
		})
	}
}

// refusedGuess offers a signature that must be refused with that code.
func refusedGuess(t *testing.T, c *client, proof map[string]any, want string, left int) {
	t.Helper()
	o := mustTry(t)(c.tryCheck("web3Signature", proof))
	if !slices.Equal(o.errorCodes(), []string{want}) || o.UserErrors[0].Attribute != "WEB3_WALLET" || o.UserErrors[0].Message == "" ||
		!slices.Equal(o.UserErrors[0].Field, []string{"input", "proof", "web3Signature"}) {
		t.Errorf("%+v; want %s at the proof", o.UserErrors, want)
	}
	v := o.SignUp.Verifications.Web3Wallet
	if o.SignUp.Web3Wallet != nil || v == nil || v.Status != "UNVERIFIED" || v.AttemptsLeft == nil || *v.AttemptsLeft != left {
		t.Errorf("wallet %v, verification %s; want it unverified with %d tries left", o.SignUp.Web3Wallet, encode(t, v), left)
	}
}

// Attack 19: texts and signatures that no page of ours asked for.
func TestAttack19ForeignSignatures(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, _ := walletServer(t)
	visitor := newClient(t, server)
	opened := visitor.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
	message := walletMessage(t, opened)
	honest := firstWallet.sign(t, message)
	lines := strings.Split(message, "\n")
	notBefore := strings.Join(append(slices.Clone(lines), "Not Before: 2026-01-01T00:00:00.000Z"), "\n")
	version := strings.Replace(message, "\nVersion: 1\n", "\nVersion: 2\n", 1)
	left := 4
	for _, c := range []struct {
		name  string
		proof map[string]any
		want  string
	}{
		{"the other signature of the same key", map[string]any{"signature": highS(t, honest.Signature)}, "SIGNATURE_HIGH_S"},
		{"another wallet's", map[string]any{"signature": secondWallet.sign(t, message).Signature}, "SIGNATURE_MISMATCH"},
		{"a time before which it is worth nothing", firstWallet.sign(t, notBefore).proof(), "SIWE_NOT_BEFORE_MISMATCH"},
		{"another version", firstWallet.sign(t, version).proof(), "SIWE_VERSION_MISMATCH"},
	} {
		t.Run(c.name, func(t *testing.T) { refusedGuess(t, visitor, c.proof, c.want, left) })
		left--
	}
	if done := visitor.check(t, "web3Signature", honest.proof()); done.Web3Wallet == nil {
		t.Error("the honest signature is refused at the last try")
	}

	other := newClient(t, server)
	other.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
	left = 4
	for _, c := range []struct {
		name  string
		proof map[string]any
		want  string
	}{
		{"none", map[string]any{"signature": "0x"}, "SIGNATURE_MALFORMED"},
		{"no message of that kind", firstWallet.sign(t, "I agree to everything").proof(), "SIWE_MALFORMED"},
		{"another sign-up's message", honest.proof(), "SIWE_NONCE_MISMATCH"},
		{"another sign-up's signature", map[string]any{"signature": honest.Signature}, "SIGNATURE_MISMATCH"},
	} {
		t.Run(c.name, func(t *testing.T) { refusedGuess(t, other, c.proof, c.want, left) })
		left--
	}
}

// TestWalletStartRefused names what cannot be asked of a wallet.
func TestWalletStartRefused(t *testing.T) {
	if !needsNode(t) {
		return
	}
	t.Parallel()
	server, _ := walletServer(t)
	visitor := newClient(t, server)
	opened := visitor.create(t, map[string]any{})
	for name, c := range map[string]struct {
		start map[string]any
		want  string
		at    string
	}{
		"a page that is not the app's": {firstWallet.start("origin", "https://evil.example"), "ORIGIN_NOT_ALLOWED", "origin"},
		"an origin with a path":        {firstWallet.start("origin", "https://app.example.com/"), "ORIGIN_NOT_ALLOWED", "origin"},
		"a chain that is not allowed":  {firstWallet.start("chainId", 137), "CHAIN_NOT_ALLOWED", "chainId"},
		"a chain below zero":           {firstWallet.start("chainId", -1), "CHAIN_NOT_ALLOWED", "chainId"},
		"half an address":              {firstWallet.start("web3Wallet", firstWallet.address[:20]), "WALLET_ADDRESS_INVALID", "web3Wallet"},
		"an address with a slip":       {firstWallet.start("web3Wallet", strings.Replace(firstWallet.address, "E", "e", 1)), "WALLET_ADDRESS_INVALID", "web3Wallet"},
		"no address":                   {map[string]any{"strategy": "WEB3_SIGNATURE"}, "VALUE_MISSING", "web3Wallet"},
	} {
		t.Run(name, func(t *testing.T) {
			o := mustTry(t)(visitor.tryStartOf(c.start))
			if !slices.Equal(o.errorCodes(), []string{c.want}) || !slices.Equal(o.UserErrors[0].Field, []string{"input", c.at}) {
				t.Errorf("%+v; want %s at %s", o.UserErrors, c.want, c.at)
			}
		})
	}
	if now := visitor.read(t, ""); asJSON(t, now) != asJSON(t, opened) {
		t.Errorf("refused starts changed the sign-up:\n%s\nwas\n%s", asJSON(t, now), asJSON(t, opened))
	}
	asked := visitor.startOf(t, firstWallet.start("origin", "https://app.example.com", "chainId", 10))
	fields := firstWallet.sign(t, walletMessage(t, asked)).Fields
	for name, want := range map[string]any{"domain": "app.example.com", "uri": "https://app.example.com", "chainId": json.Number("10"), "address": firstWallet.address, "version": "1"} {
		if got := literal(fields[name]); got != literal(want) {
			t.Errorf("the message's %s: %s, want %v", name, got, want)
		}
	}
}

// Attack 19: a signature is good once, on whichever process.
func TestAttack19SignatureReused(t *testing.T) {
	if !needsRealStores(t) {
		return
	}
	t.Parallel()
	a, b, env := samePublicURL(t)
	administrator := newAdministrator(t, a)
	administrator.changeSettings(t, map[string]any{"web3Wallet": map[string]any{"enabled": true}})
	visitor := newClient(t, a)
	opened := visitor.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
	honest := firstWallet.sign(t, walletMessage(t, opened))
	verified := visitor.check(t, "web3Signature", honest.proof())
	if verified.Web3Wallet == nil || verified.Status != "MISSING_REQUIREMENTS" {
		t.Fatalf("%+v; want the wallet verified, and the address missing", verified)
	}
	for name, server := range map[string]*realtest.ServerProgram{"the same process": a, "another process": b} {
		t.Run("in the same sign-up, on "+name, func(t *testing.T) {
			o := mustTry(t)(visitor.at(server).tryCheck("web3Signature", honest.proof()))
			if !slices.Equal(o.errorCodes(), []string{"ALREADY_VERIFIED"}) {
				t.Errorf("%+v; want ALREADY_VERIFIED", o.UserErrors)
			}
		})
		t.Run("in another sign-up, on "+name, func(t *testing.T) {
			thief := newClient(t, server)
			thief.create(t, map[string]any{"startVerifications": []any{firstWallet.start()}})
			refusedGuess(t, thief, honest.proof(), "SIWE_NONCE_MISMATCH", 4)
			unasked := newClient(t, server)
			unasked.create(t, map[string]any{})
			o := mustTry(t)(unasked.tryCheck("web3Signature", honest.proof()))
			if !slices.Equal(o.errorCodes(), []string{"VERIFICATION_NOT_STARTED"}) {
				t.Errorf("where no signature is waited for: %+v; want VERIFICATION_NOT_STARTED", o.UserErrors)
			}
		})
	}
	visitor.update(t, map[string]any{"clear": []any{"WEB3_WALLET"}})
	visitor.startOf(t, firstWallet.start())
	refusedGuess(t, visitor.at(b), honest.proof(), "SIWE_NONCE_MISMATCH", 4)

	// Who completes with it does so once, however often and wherever it is offered.
	visitor.update(t, map[string]any{"emailAddress": "wallet@example.com"})
	visitor.start(t, "EMAIL_CODE")
	visitor.check(t, "emailCode", visitor.code(t, "wallet@example.com"))
	proof := firstWallet.sign(t, walletMessage(t, *visitor.read(t, ""))).proof()
	before := count(t, env["DATABASE_URL"])
	checkSameAnswer(t, finalCall{}, atOnce(20, func(i int) (outcome, error) {
		return visitor.clone().at([]*realtest.ServerProgram{a, b}[i%2]).tryCheck("web3Signature", proof)
	}))
	want := before.plus(1)
	want.identifiers++
	if got := count(t, env["DATABASE_URL"]); got != want {
		t.Errorf("the database has %+v, want %+v", got, want)
	}
}
