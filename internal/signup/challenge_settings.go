package signup

import (
	"slices"
	"time"

	"stepwise/engine"
)

// maxCodeLifetime is the most that the settings may say: no challenge lives longer.
const maxCodeLifetime = time.Hour

func (s Settings) codeLifetime() time.Duration {
	return time.Duration(s.CodeLifetimeSeconds) * time.Second
}

func (s Settings) resendInterval() time.Duration {
	return time.Duration(s.ResendIntervalSeconds) * time.Second
}

// inOrder returns the strategies once each, those of the email address first and in
// the order in which they are shown.
func inOrder(strategies []engine.Strategy) []engine.Strategy {
	list := []engine.Strategy{}
	for _, way := range slices.Concat(engine.StrategiesFor(engine.EmailAddress), strategies) {
		if slices.Contains(strategies, way) && !slices.Contains(list, way) {
			list = append(list, way)
		}
	}
	return list
}

// check returns what is wrong; the first part of Field is the path of the setting.
func (e EmailSettings) check() []Problem {
	refuse := func(code Code, message string) []Problem {
		return []Problem{{Code: code, Message: message, Field: []string{"emailAddress.strategies"}}}
	}
	ways := engine.StrategiesFor(engine.EmailAddress)
	switch {
	case len(e.Strategies) == 0:
		return refuse(CodeOutOfRange, "Must name at least one of EMAIL_CODE and EMAIL_LINK.")
	case slices.ContainsFunc(e.Strategies, func(way engine.Strategy) bool { return !slices.Contains(ways, way) }):
		return refuse(CodeInvalidFormat, "Each must be EMAIL_CODE or EMAIL_LINK.")
	}
	return nil
}
