package deliver

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"stepwise/internal/signup"
)

//go:embed texts
var textFiles embed.FS

// catalogue has all texts of one language by their names. A text about something has
// its value in the place of {app}, {code}, {left} or {n}.
type catalogue map[string]string

// catalogues has those of signup.Languages. A language is added by adding its file
// there, and its name to the list.
var catalogues = func() map[string]catalogue {
	all := map[string]catalogue{}
	for _, language := range signup.Languages {
		data, err := textFiles.ReadFile("texts/" + language + ".json")
		if err != nil {
			panic(err)
		}
		var c catalogue
		if err := json.Unmarshal(data, &c); err != nil {
			panic(fmt.Errorf("texts/%s.json: %w", language, err))
		}
		all[language] = c
	}
	return all
}()

// languageOf is the language that m is written in: of what the message names nothing
// but a catalogue's own name is used.
func languageOf(m signup.Message) string {
	for _, language := range signup.Languages {
		if language == m.Language {
			return language
		}
	}
	return signup.Languages[0]
}

// timeLeft is a duration as people say it, rounded, and one minute at least.
func (c catalogue) timeLeft(d time.Duration) string {
	count := func(unit time.Duration, name string) string {
		n := max(1, int(math.Round(float64(d)/float64(unit))))
		form := ".other"
		if n == 1 {
			form = ".one"
		}
		return strings.ReplaceAll(c[name+form], "{n}", strconv.Itoa(n))
	}
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Hour:
		return count(time.Minute, "minutes")
	case d < 2*day:
		return count(time.Hour, "hours")
	}
	return count(day, "days")
}
