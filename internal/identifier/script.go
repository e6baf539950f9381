package identifier

import "unicode"

// writingSystems is a set of writing systems, one bit each.
type writingSystems uint32

// A letter belongs to every writing system in which it is ordinarily used:
// Han characters are shared by Japanese, Korean and Chinese, and Japanese
// mixes three scripts as a matter of course. A text is written in a single
// system if the sets of all its letters have a member in common (UTS #39,
// section 5.1).
const (
	japanese writingSystems = 1 << iota
	korean
	chinese
	firstOfOneScript
)

// scripts are those that UAX #31 (table 5) recommends for identifiers.
// Historic and limited-use scripts are left out: hardly anybody's name is
// written in them, while many of their letters look like Latin ones.
var scripts = func() []script {
	list := []script{
		{unicode.Han, japanese | korean | chinese},
		{unicode.Hiragana, japanese},
		{unicode.Katakana, japanese},
		{prolongedSoundMark, japanese},
		{unicode.Hangul, korean},
		{unicode.Bopomofo, chinese},
	}
	for i, table := range []*unicode.RangeTable{
		unicode.Latin, unicode.Cyrillic, unicode.Greek, unicode.Arabic, unicode.Hebrew,
		unicode.Armenian, unicode.Georgian, unicode.Ethiopic, unicode.Thaana,
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya,
		unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
	} {
		list = append(list, script{table, firstOfOneScript << i})
	}
	return list
}()

type script struct {
	table   *unicode.RangeTable
	systems writingSystems
}

// prolongedSoundMark is U+30FC, a letter of Japanese that Unicode files under
// the script "Common".
var prolongedSoundMark = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x30fc, Hi: 0x30fc, Stride: 1}}}

func systemsOf(r rune) writingSystems {
	for _, s := range scripts {
		if unicode.Is(s.table, r) {
			return s.systems
		}
	}
	return 0
}

// maxMarks is how many combining marks may follow one letter. Real spelling
// needs up to three; a tower of them overflows into the lines around it.
const maxMarks = 3

// lettering follows a text rune by rune and remembers what its letters have
// in common. The zero value is not ready: use newLettering.
type lettering struct {
	common  writingSystems // systems that every letter so far belongs to
	letters int
	marks   int // combining marks since the last letter
	open    bool
}

func newLettering() lettering { return lettering{common: ^writingSystems(0)} }

// letter takes a letter or a combining mark. It answers false if r is neither,
// is invisible, belongs to no recommended script, or is a mark that has no
// letter to sit on.
func (l *lettering) letter(r rune) bool {
	if unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
		return false
	}
	systems := systemsOf(r)
	if systems == 0 {
		return false
	}
	switch {
	case unicode.IsLetter(r):
		l.letters++
		l.marks, l.open = 0, true
	case unicode.In(r, unicode.Mn, unicode.Mc):
		l.marks++
		if !l.open || l.marks > maxMarks {
			return false
		}
	default:
		return false
	}
	l.common &= systems
	return true
}

// other notes a character that is no letter: no mark may follow it.
func (l *lettering) other() { l.open = false }

func (l *lettering) mixed() bool { return l.common == 0 }
