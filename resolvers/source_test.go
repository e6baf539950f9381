package resolvers

import (
	"strings"
	"testing"

	"stepwise/engine"
)

// TestSourcesAreSettingsOfTheSchema: what a reason or a blocker says to be behind
// it can be looked up.
func TestSourcesAreSettingsOfTheSchema(t *testing.T) {
	check := func(what string, source engine.Source) {
		t.Helper()
		if source.Kind != engine.SourceSetting {
			return
		}
		definition := schema().Types["InstanceSettings"]
		for name := range strings.SplitSeq(source.Name, ".") {
			field := definition.Fields.ForName(name)
			if field == nil {
				t.Errorf("%s: %s is no setting", what, source.Name)
				return
			}
			definition = schema().Types[field.Type.Name()]
		}
	}
	for _, a := range engine.All.List() {
		for reason := range typed(t, "../engine", "Reason") {
			switch engine.Reason(reason) {
			case engine.ReasonRequired, engine.ReasonOptional: // consent is asked for or not
				if a == engine.LegalAccepted {
					continue
				}
			case engine.ReasonMustBeVerified:
				if !engine.Verifiable.Has(a) {
					continue
				}
			case engine.ReasonOneOf, engine.ReasonOnlyIdentifier:
				if !engine.Identifiers.Has(a) {
					continue
				}
			}
			check(reason+" of "+a.String(), engine.Reason(reason).Source(a))
		}
	}
	for code := range typed(t, "../engine", "BlockerCode") {
		for _, a := range engine.Identifiers.List() {
			if code == string(engine.BlockedUnprovable) && a == engine.Username {
				continue
			}
			b := engine.Blocker{Code: engine.BlockerCode(code), Attribute: a, HasAttribute: true}
			if b.Source() == (engine.Source{}) {
				t.Errorf("%s has no source", code)
			}
			check(code+" of "+a.String(), b.Source())
		}
	}
}
