package resolvers

import (
	"context"

	"stepwise/engine"
	"stepwise/graph"
	"stepwise/internal/signup"
)

func preset(name string) *graph.ProviderPreset {
	return orNil(graph.ProviderPreset(name))
}

func chains(ids []int64) []int {
	list := make([]int, 0, len(ids))
	for _, id := range ids {
		list = append(list, int(id))
	}
	return list
}

func legalDocuments(list []signup.LegalDocument) []graph.LegalDocument {
	documents := make([]graph.LegalDocument, 0, len(list))
	for _, d := range list {
		documents = append(documents, graph.LegalDocument{Name: d.Name, URL: d.URL})
	}
	return documents
}

func publicSettings(s signup.InstanceSettings, can engine.Capabilities) *graph.PublicSettings {
	g := &graph.PublicSettings{
		AppName: s.AppName, ProgressiveSignUp: s.ProgressiveSignUp, SignUpMode: graph.SignUpMode(s.SignUpMode),
		Fields:    []graph.PublicField{},
		Providers: []graph.PublicProvider{}, ChainIds: []int{},
		Password:       &graph.PasswordRules{MinLength: s.Password.MinLength, MaxLength: s.Password.MaxLength},
		Username:       &graph.UsernameRules{MinLength: s.Username.MinLength, MaxLength: s.Username.MaxLength},
		DefaultCountry: orNil(s.DefaultCountry), PhoneCountries: s.PhoneNumber.Countries, TestMode: s.TestMode, Version: int(s.Version),
	}
	if s.LegalConsent.Enabled {
		g.LegalConsent = &graph.LegalConsent{DocumentVersion: s.LegalConsent.DocumentVersion, DocumentURL: orNil(s.LegalConsent.DocumentURL), Documents: legalDocuments(s.LegalConsent.Documents)}
	}
	if b := s.BotProtection; b.Provider != signup.BotNone {
		g.BotProtection = &graph.BotProtection{Provider: graph.BotProtectionProvider(b.Provider), SiteKey: b.SiteKey}
	}
	for _, p := range s.ExternalAccount.Providers {
		if p.Enabled {
			g.Providers = append(g.Providers, graph.PublicProvider{Name: p.Name, DisplayName: p.DisplayName, Preset: preset(p.Preset)})
		}
	}
	if s.Web3Wallet.Enabled {
		g.ChainIds = chains(s.Web3Wallet.ChainIDs)
	}
	requirements := s.Settings.Requirements()
	for _, a := range requirements.Enabled().List() {
		f := graph.PublicField{
			Field: graph.SignUpField(a.String()), Required: requirements.Fields[a].Required,
			VerifyAtSignUp: requirements.Fields[a].Verify, Strategies: []graph.VerificationStrategy{},
		}
		for _, strategy := range requirements.Offered(a, can) {
			f.Strategies = append(f.Strategies, graph.VerificationStrategy(strategy))
		}
		g.Fields = append(g.Fields, f)
	}
	return g
}

func (r *Resolver) instanceSettings(ctx context.Context, s signup.InstanceSettings) (*graph.InstanceSettings, error) {
	foreseen, err := r.Service.Foresee(ctx, PrincipalOf(ctx), s)
	if err != nil {
		return nil, err
	}
	return r.foreseen(foreseen)
}

func (r *Resolver) foreseen(f signup.Foreseen) (*graph.InstanceSettings, error) {
	exported, err := f.Export()
	if err != nil {
		return nil, err
	}
	g := instanceSettings(f.InstanceSettings, r.Service.CallbackURL)
	g.Export, g.Ways = exported, ways(f.Ways)
	return g, nil
}

func (r *Resolver) preview(p signup.Preview) (*graph.InstanceSettingsPreview, error) {
	settings, err := r.foreseen(p.Settings)
	return &graph.InstanceSettingsPreview{
		Settings: settings, Changes: settingsChanges(p.Changes), Open: impact(p.Open), Ended: impact(p.Ended),
		OpenInPart: p.OpenInPart, UserErrors: []graph.UserError{},
	}, err
}

func instanceSettings(s signup.InstanceSettings, callbackURL func(provider string) string) *graph.InstanceSettings {
	field := func(f signup.FieldSettings) *graph.FieldSettings {
		return &graph.FieldSettings{Enabled: f.Enabled, Required: f.Required}
	}
	g := &graph.InstanceSettings{
		Version: int(s.Version), ProgressiveSignUp: s.ProgressiveSignUp, SignUpMode: graph.SignUpMode(s.SignUpMode), AppName: s.AppName,
		EmailAddress: &graph.EmailAddressSettings{
			Enabled: s.EmailAddress.Enabled, Required: s.EmailAddress.Required, VerifyAtSignUp: s.EmailAddress.VerifyAtSignUp,
			Strategies: []graph.VerificationStrategy{}, AllowSubaddresses: s.EmailAddress.AllowSubaddresses,
		},
		PhoneNumber: &graph.PhoneNumberSettings{
			Enabled: s.PhoneNumber.Enabled, Required: s.PhoneNumber.Required, VerifyAtSignUp: s.PhoneNumber.VerifyAtSignUp, Countries: s.PhoneNumber.Countries,
		},
		Username: &graph.UsernameSettings{
			Enabled: s.Username.Enabled, Required: s.Username.Required, MinLength: s.Username.MinLength, MaxLength: s.Username.MaxLength, Reserved: s.Username.Reserved,
		},
		Web3Wallet:      &graph.WalletSettings{Enabled: s.Web3Wallet.Enabled, Required: s.Web3Wallet.Required, ChainIds: chains(s.Web3Wallet.ChainIDs)},
		ExternalAccount: &graph.ExternalAccountSettings{Required: s.ExternalAccount.Required, Providers: []graph.ProviderSettings{}},
		Password: &graph.PasswordSettings{
			Enabled: s.Password.Enabled, Required: s.Password.Required, MinLength: s.Password.MinLength, MaxLength: s.Password.MaxLength,
			RejectCommon: s.Password.RejectCommon, RejectContext: s.Password.RejectContext, RejectBreached: s.Password.RejectBreached,
		},
		FirstName: field(s.FirstName), LastName: field(s.LastName),
		LegalConsent: &graph.LegalConsentSettings{
			Enabled: s.LegalConsent.Enabled, DocumentVersion: s.LegalConsent.DocumentVersion, DocumentURL: orNil(s.LegalConsent.DocumentURL),
			Documents: legalDocuments(s.LegalConsent.Documents),
		},
		Restrictions: &graph.RestrictionSettings{Allowlist: s.Restrictions.Allowlist, Blocklist: s.Restrictions.Blocklist},
		BotProtection: &graph.BotProtectionSettings{
			Provider: graph.BotProtectionProvider(s.BotProtection.Provider), SiteKey: orNil(s.BotProtection.SiteKey), SecretKeySet: s.BotProtection.SealedSecret != "",
		},
		EnumerationProtection: s.EnumerationProtection,
		SendingLimits: &graph.SendingLimits{
			PerAddressPerHour: s.SendingLimits.PerAddressPerHour, EmailsPerDay: s.SendingLimits.EmailsPerDay,
			TextMessagesPerDay: s.SendingLimits.TextMessagesPerDay, TextMessagesPerRangePerHour: s.SendingLimits.TextMessagesPerRangePerHour,
		},
		DefaultCountry: orNil(s.DefaultCountry), TestMode: s.TestMode, AllowedOrigins: s.AllowedOrigins, AllowedRedirects: s.AllowedRedirects,
		SignUpLifetimeSeconds: s.SignUpLifetimeSeconds, SessionLifetimeSeconds: s.SessionLifetimeSeconds,
		CodeLifetimeSeconds: s.CodeLifetimeSeconds, ResendIntervalSeconds: s.ResendIntervalSeconds, InvitationLifetimeSeconds: s.InvitationLifetimeSeconds,
		DefaultLocale: s.DefaultLocale,
		Warnings:      []graph.SettingsWarning{}, UpdatedAt: s.UpdatedAt, UpdatedBy: s.UpdatedBy,
	}
	for _, strategy := range s.EmailAddress.Strategies {
		g.EmailAddress.Strategies = append(g.EmailAddress.Strategies, graph.VerificationStrategy(strategy))
	}
	for _, p := range s.ExternalAccount.Providers {
		g.ExternalAccount.Providers = append(g.ExternalAccount.Providers, graph.ProviderSettings{
			Name: p.Name, Preset: preset(p.Preset), Enabled: p.Enabled, DisplayName: p.DisplayName, Issuer: orNil(p.Issuer),
			ClientID: p.ClientID, ClientSecretSet: p.SealedSecret != "", TeamID: orNil(p.TeamID), KeyID: orNil(p.KeyID),
			Scopes: p.Scopes, TrustEmail: p.TrustEmail, CallbackURL: callbackURL(p.Name),
		})
	}
	for _, w := range s.Warnings {
		g.Warnings = append(g.Warnings, graph.SettingsWarning{Code: graph.SettingsWarningCode(w.Code), Message: w.Message, Setting: w.Path})
	}
	return g
}
