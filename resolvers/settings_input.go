package resolvers

import (
	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

func settingsPatch(in graph.InstanceSettingsUpdateInput) signup.SettingsPatch {
	p := signup.SettingsPatch{
		ProgressiveSignUp:     in.ProgressiveSignUp.Value(),
		AppName:               in.AppName.Value(),
		EmailAddress:          emailPatch(in.EmailAddress.Value()),
		PhoneNumber:           phonePatch(in.PhoneNumber.Value()),
		Web3Wallet:            walletPatch(in.Web3Wallet.Value()),
		ExternalAccount:       accountPatch(in.ExternalAccount.Value()),
		FirstName:             fieldPatch(in.FirstName.Value()),
		LastName:              fieldPatch(in.LastName.Value()),
		BotProtection:         botProtectionPatch(in.BotProtection.Value()),
		EnumerationProtection: in.EnumerationProtection.Value(),
		DefaultCountry:        in.DefaultCountry.Value(), TestMode: in.TestMode.Value(),
		AllowedOrigins:        in.AllowedOrigins.Value(),
		AllowedRedirects:      in.AllowedRedirects.Value(),
		SignUpLifetimeSeconds: in.SignUpLifetimeSeconds.Value(), SessionLifetimeSeconds: in.SessionLifetimeSeconds.Value(),
		CodeLifetimeSeconds: in.CodeLifetimeSeconds.Value(), ResendIntervalSeconds: in.ResendIntervalSeconds.Value(),
		InvitationLifetimeSeconds: in.InvitationLifetimeSeconds.Value(),
		DefaultLocale:             in.DefaultLocale.Value(),
	}
	p.ChangedBy = in.ChangedBy.Value()
	if v := in.ExpectedVersion.Value(); v != nil {
		version := int64(*v)
		p.ExpectedVersion = &version
	}
	if m := in.SignUpMode.Value(); m != nil {
		mode := signup.SignUpMode(*m)
		p.SignUpMode = &mode
	}
	if u := in.Username.Value(); u != nil {
		p.Username = &signup.UsernamePatch{
			Enabled: u.Enabled.Value(), Required: u.Required.Value(), MinLength: u.MinLength.Value(), MaxLength: u.MaxLength.Value(), Reserved: u.Reserved.Value(),
		}
	}
	if w := in.Password.Value(); w != nil {
		p.Password = &signup.PasswordPatch{
			Enabled: w.Enabled.Value(), Required: w.Required.Value(), MinLength: w.MinLength.Value(), MaxLength: w.MaxLength.Value(),
			RejectCommon: w.RejectCommon.Value(), RejectContext: w.RejectContext.Value(), RejectBreached: w.RejectBreached.Value(),
		}
	}
	if l := in.LegalConsent.Value(); l != nil {
		p.LegalConsent = &signup.LegalConsentPatch{Enabled: l.Enabled.Value(), DocumentVersion: l.DocumentVersion.Value(), DocumentURL: l.DocumentURL.Value()}
		if l.Documents.Value() != nil {
			p.LegalConsent.Documents = []signup.LegalDocument{}
		}
		for _, d := range l.Documents.Value() {
			p.LegalConsent.Documents = append(p.LegalConsent.Documents, signup.LegalDocument{Name: d.Name, URL: d.URL})
		}
	}
	if r := in.Restrictions.Value(); r != nil {
		p.Restrictions = &signup.RestrictionPatch{Allowlist: r.Allowlist.Value(), Blocklist: r.Blocklist.Value()}
	}
	if l := in.SendingLimits.Value(); l != nil {
		p.SendingLimits = &signup.SendingLimitsPatch{
			PerAddressPerHour: l.PerAddressPerHour.Value(), EmailsPerDay: l.EmailsPerDay.Value(),
			TextMessagesPerDay: l.TextMessagesPerDay.Value(), TextMessagesPerRangePerHour: l.TextMessagesPerRangePerHour.Value(),
		}
	}
	return p
}

func fieldPatch(in *graph.FieldSettingsInput) *signup.FieldPatch {
	if in == nil {
		return nil
	}
	return &signup.FieldPatch{Enabled: in.Enabled.Value(), Required: in.Required.Value()}
}

func walletPatch(in *graph.WalletSettingsInput) *signup.WalletPatch {
	if in == nil {
		return nil
	}
	p := &signup.WalletPatch{Enabled: in.Enabled.Value(), Required: in.Required.Value()}
	if in.ChainIds.Value() != nil {
		p.ChainIDs = []int64{}
	}
	for _, id := range in.ChainIds.Value() {
		p.ChainIDs = append(p.ChainIDs, int64(id))
	}
	return p
}

func accountPatch(in *graph.ExternalAccountSettingsInput) *signup.AccountPatch {
	if in == nil {
		return nil
	}
	p := &signup.AccountPatch{Required: in.Required.Value(), RemoveProviders: in.RemoveProviders.Value()}
	for _, g := range in.Providers.Value() {
		provider := signup.ProviderPatch{
			Name: g.Name, Enabled: g.Enabled.Value(), DisplayName: g.DisplayName.Value(), Issuer: g.Issuer.Value(),
			ClientID: g.ClientID.Value(), ClientSecret: g.ClientSecret.Value(), TeamID: g.TeamID.Value(), KeyID: g.KeyID.Value(),
			Scopes: g.Scopes.Value(), TrustEmail: g.TrustEmail.Value(),
		}
		if preset := g.Preset.Value(); preset != nil {
			name := string(*preset)
			provider.Preset = &name
		}
		p.Providers = append(p.Providers, provider)
	}
	return p
}

func emailPatch(in *graph.EmailAddressSettingsInput) *signup.EmailPatch {
	if in == nil {
		return nil
	}
	p := &signup.EmailPatch{
		Enabled: in.Enabled.Value(), Required: in.Required.Value(), VerifyAtSignUp: in.VerifyAtSignUp.Value(), AllowSubaddresses: in.AllowSubaddresses.Value(),
	}
	if in.Strategies.Value() != nil {
		p.Strategies = []engine.Strategy{}
	}
	for _, strategy := range in.Strategies.Value() {
		p.Strategies = append(p.Strategies, engine.Strategy(strategy))
	}
	return p
}

func phonePatch(in *graph.PhoneNumberSettingsInput) *signup.PhonePatch {
	if in == nil {
		return nil
	}
	return &signup.PhonePatch{Enabled: in.Enabled.Value(), Required: in.Required.Value(), VerifyAtSignUp: in.VerifyAtSignUp.Value(), Countries: in.Countries.Value()}
}

func botProtectionPatch(in *graph.BotProtectionSettingsInput) *signup.BotProtectionPatch {
	if in == nil {
		return nil
	}
	p := &signup.BotProtectionPatch{SiteKey: in.SiteKey.Value(), SecretKey: in.SecretKey.Value()}
	if provider := in.Provider.Value(); provider != nil {
		name := signup.BotProvider(*provider)
		p.Provider = &name
	}
	return p
}
