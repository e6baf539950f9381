package engine_test

import (
	"slices"
	"sync"
	"testing"

	"stepwise/engine"
)

// What an operator may set, and what is said about it.

// everySettings calls visit for all settings of identifiers and password, the
// only ones that decide what may be set.
func everySettings(visit func(name string, s engine.Settings)) {
	var columns []column
	for _, c := range []column{
		algorithmColumn(), accountColumn(), walletColumn(), usernameColumn(), passwordColumn(),
		addressColumn(engine.EmailAddress, emailStates()), addressColumn(engine.PhoneNumber, phoneStates()),
	} {
		columns = append(columns, settingsOnly(c))
	}
	for i := range rows(columns) {
		s, a := instance(), attempt()
		row(columns, i, &s, &a)
		visit(rowName(columns, i), s)
	}
}

// settingsOnly keeps one cell for each settings of a column.
func settingsOnly(c column) column {
	var kept column
	var seen []engine.Settings
	for _, candidate := range c {
		s, a := engine.Settings{}, engine.Attempt{}
		candidate.put(&s, &a)
		if !slices.ContainsFunc(seen, func(t engine.Settings) bool {
			return t.Progressive == s.Progressive && t.Fields == s.Fields && slices.Equal(t.Providers, s.Providers)
		}) {
			seen, kept = append(seen, s), append(kept, candidate)
		}
	}
	return kept
}

// endings are the ways in which values can have been collected that matter for
// how a sign-up ends.
func endings() []column {
	bare := func(a engine.Attribute, states ...state) column {
		var c column
		for _, st := range states {
			c = append(c, cell{st.name, func(_ *engine.Settings, at *engine.Attempt) { st.put(at, a) }})
		}
		return c
	}
	unset := state{"unset", nil}
	accounts := column{{"no account", func(_ *engine.Settings, at *engine.Attempt) { at.Account = nil }}}
	for _, acc := range []*engine.Account{googleAccount(sentEmail), unverifiedGoogleAccount(sentEmail), emptyGoogleAccount()} {
		accounts = append(accounts, cell{"account", func(_ *engine.Settings, at *engine.Attempt) { signedInWith(acc)(at) }})
	}
	return []column{
		bare(engine.EmailAddress, unset, emailStates()[2], emailStates()[3]),
		bare(engine.PhoneNumber, unset, phoneStates()[2], phoneStates()[3]),
		bare(engine.Username, unset, state{"given", []happening{given(engine.Username, "ada")}}),
		bare(engine.Web3Wallet, unset, state{"proved", []happening{walletProved}}),
		bare(engine.Password, unset, state{"given", []happening{given(engine.Password, "hash")}}),
		accounts,
	}
}

// ends says what is to be found among all sign-ups under the settings: one
// that has all it needs, and one that has but leaves its owner no way back.
func ends(s engine.Settings, columns []column) (completes, strands bool) {
	a := attempt()
	for i := range rows(columns) {
		next(columns, i, &s, &a)
		v := engine.Evaluate(s, a)
		if !v.Satisfied() {
			continue
		}
		completes = true
		_, provedOnes := engine.Values(s, a)
		if v.Present&(password|wallet|account) == 0 && provedOnes == none {
			return true, true
		}
	}
	return completes, false
}

// fate is what the search found out about some settings.
type fate struct {
	name               string
	settings           engine.Settings
	completes, strands bool
}

// everyFate searches all sign-ups under all settings, once.
var everyFate = sync.OnceValue(func() []fate {
	var fates []fate
	columns := endings()
	everySettings(func(name string, s engine.Settings) {
		completes, strands := ends(s, columns)
		fates = append(fates, fate{name, s, completes, strands})
	})
	return fates
})

// TestNoWayBackIsRefusedExactlyWhereItHappens: where some sign-up could complete
// and leave its owner outside.
func TestNoWayBackIsRefusedExactlyWhereItHappens(t *testing.T) {
	refused := 0
	for _, f := range everyFate() {
		if f.strands {
			refused++
		}
		if got := refuses(f.settings, engine.NoWayBack); got != f.strands {
			t.Errorf("%s: refused %t, a user can be stranded %t", f.name, got, f.strands)
		}
	}
	t.Logf("%d settings, %d strand users", len(everyFate()), refused)
}

// TestSomebodyCanCompleteOrTheOperatorIsTold: settings that are accepted without
// a word have an end, on a server that can do everything.
func TestSomebodyCanCompleteOrTheOperatorIsTold(t *testing.T) {
	silent := 0
	for _, f := range everyFate() {
		if f.completes || len(f.settings.Refusals()) > 0 {
			continue
		}
		if engine.Prospects(f.settings, everything)[0].Outlook == engine.OutlookImpossible {
			continue
		}
		if silent++; silent <= 3 {
			t.Errorf("%s: nobody can complete, and the operator hears nothing of it", f.name)
		}
	}
	if silent > 3 {
		t.Errorf("so it is under %d settings", silent)
	}
}

// TestRefusalsOfEverySettings says the other refusals again, plainly.
func TestRefusalsOfEverySettings(t *testing.T) {
	everySettings(func(name string, s engine.Settings) {
		var want []string
		enabled := map[engine.Attribute]bool{}
		for a := range engine.Attribute(engine.NumAttributes) {
			enabled[a] = s.Fields[a].Enabled
		}
		enabled[engine.ExternalAccount] = slices.ContainsFunc(s.Providers, func(p engine.Provider) bool { return p.Enabled })
		if !enabled[engine.EmailAddress] && !enabled[engine.PhoneNumber] && !enabled[engine.Username] &&
			!enabled[engine.Web3Wallet] && !enabled[engine.ExternalAccount] {
			want = append(want, engine.NoIdentifier+" emailAddress.enabled")
		}
		if !s.Progressive && enabled[engine.Web3Wallet] {
			for _, a := range []engine.Attribute{engine.EmailAddress, engine.PhoneNumber, engine.Username, engine.ExternalAccount, engine.Password} {
				if enabled[a] && s.Fields[a].Required {
					want = append(want, engine.NeedsProgressive+" "+a.Setting()+".required")
				}
			}
		}
		var got []string
		for _, f := range s.Refusals() {
			if f.Message == "" {
				t.Errorf("%s: %s is refused without a word", name, f.Code)
			}
			if f.Code != engine.NoWayBack {
				got = append(got, f.Code+" "+f.Path)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: refused for %v, want %v", name, got, want)
		}
	})
}

func TestRefusals(t *testing.T) {
	requiredButOff := func(a engine.Attribute) setting {
		return func(s *engine.Settings) { s.Fields[a].Required = true }
	}
	tests := []struct {
		name     string
		settings engine.Settings
		want     []string
	}{
		{"a new instance", newInstance(), nil},
		{"nothing enabled", instance(), []string{engine.NoIdentifier}},
		{"names only", instance(required(engine.FirstName)), []string{engine.NoIdentifier}},
		{"a required field that is off", instance(requiredVerified(engine.EmailAddress), requiredButOff(engine.PhoneNumber)), []string{engine.RequiredButDisabled}},
		{"an account required, no provider", instance(requiredVerified(engine.EmailAddress), requiredButOff(engine.ExternalAccount)), []string{engine.RequiredButDisabled}},
		{"consent said to be required, but off", instance(requiredVerified(engine.EmailAddress), requiredButOff(engine.LegalAccepted)), nil},
		{"username alone", instance(required(engine.Username)), []string{engine.NoWayBack}},
		{"username with password", instance(required(engine.Username), optional(engine.Password)), nil},
		{"claims alone", instance(required(engine.EmailAddress)), []string{engine.NoWayBack}},
		{"username beside a verified address that is required", instance(required(engine.Username), requiredVerified(engine.EmailAddress)), nil},
		{"username beside a verified address that is not", instance(required(engine.Username), optionalVerified(engine.EmailAddress)), []string{engine.NoWayBack}},
		{"progressive: wallet and password", instance(required(engine.Web3Wallet), required(engine.Password)), nil},
		{"legacy: wallet and password", instance(legacy, required(engine.Web3Wallet), required(engine.Password)), []string{engine.NeedsProgressive}},
		{"legacy: wallet, names", instance(legacy, optional(engine.Web3Wallet), required(engine.FirstName), required(engine.LastName)),
			[]string{engine.NeedsProgressive, engine.NeedsProgressive}},
		{"legacy: wallet and consent", instance(legacy, optional(engine.Web3Wallet), consentAsked), nil},
		{"legacy: wallet and optional names", instance(legacy, optional(engine.Web3Wallet), optional(engine.FirstName)), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := codes(test.settings.Refusals()); !slices.Equal(got, test.want) {
				t.Errorf("refused for %v, want %v", got, test.want)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	mute := engine.Capabilities{}
	tests := []struct {
		name     string
		settings engine.Settings
		can      engine.Capabilities
		want     []string
	}{
		{"a new instance", newInstance(), everything, nil},
		{"a new instance, no way to send email", newInstance(), mute, []string{"CANNOT_BE_VERIFIED emailAddress.enabled"}},
		{"claims", instance(required(engine.EmailAddress), optional(engine.PhoneNumber), optional(engine.Password)), everything,
			[]string{"UNVERIFIED_CLAIMS emailAddress.verifyAtSignUp", "UNVERIFIED_CLAIMS phoneNumber.verifyAtSignUp"}},
		{"claims that nobody could verify", instance(required(engine.EmailAddress), optional(engine.Password)), mute,
			[]string{"UNVERIFIED_CLAIMS emailAddress.verifyAtSignUp"}},
		{"a required phone, no way to send text messages", instance(requiredVerified(engine.PhoneNumber)), engine.Capabilities{SendEmail: true},
			[]string{"CANNOT_BE_VERIFIED phoneNumber.enabled"}},
		{"flags while legacy", instance(legacy, requiredVerified(engine.EmailAddress), requiredVerified(engine.PhoneNumber)), everything,
			[]string{"REQUIRED_FLAG_NOT_HONOURED emailAddress.required", "REQUIRED_FLAG_NOT_HONOURED phoneNumber.required"}},
		{"proofs that nobody can make", instance(optional(engine.Web3Wallet), providers), mute,
			[]string{"CANNOT_BE_VERIFIED web3Wallet.enabled", "CANNOT_BE_VERIFIED externalAccount.providers"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range test.settings.Warnings(test.can) {
				if f.Message == "" {
					t.Errorf("%s without a word", f.Code)
				}
				got = append(got, f.Code+" "+f.Path)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("warned of %v, want %v", got, test.want)
			}
		})
	}
}

func codes(findings []engine.Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, f.Code)
	}
	return list
}

func TestEnabled(t *testing.T) {
	s := instance(optional(engine.EmailAddress))
	s.Fields[engine.ExternalAccount].Enabled = true
	if got := s.Enabled(); got != email {
		t.Errorf("enabled %v, want the account only where there is a provider", got)
	}
	onlyForum(&s)
	if got := s.Enabled(); got != email|account {
		t.Errorf("enabled %v", got)
	}
	s.Providers[1].Enabled = false
	if got := s.Enabled(); got != email {
		t.Errorf("enabled %v with all providers off", got)
	}
}
