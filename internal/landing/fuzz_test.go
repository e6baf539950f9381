package landing_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// isQuery reports whether form can stand in a request's first line.
func isQuery(form string) bool {
	for i := range len(form) {
		if c := form[i]; c <= ' ' || c == 0x7f || c == '#' {
			return false
		}
	}
	return len(form) < 30_000
}

// Whatever comes as a provider's answer is handed over as it was or refused, and
// the two ways to bring it agree.
func FuzzCallback(f *testing.F) {
	for _, form := range malformed {
		f.Add("google", form)
	}
	f.Add("apple", "state=s1&code=c1&user=%7B%22name%22%3A%7B%7D%7D&iss=https%3A%2F%2Fappleid.example")
	f.Add("<script>", "state=s1&error=access_denied")
	f.Fuzz(func(t *testing.T, provider, form string) {
		if !isQuery(form) {
			return
		}
		get, post := newWorld(t), newWorld(t)
		escaped := url.PathEscape(provider)
		byQuery, byForm := get.callback("GET", escaped, form), post.callback("POST", escaped, form)
		if byQuery.Code != byForm.Code || len(get.answers) != len(post.answers) || len(get.answers) == 1 && get.answers[0] != post.answers[0] {
			t.Fatalf("by query %d %+v, by form %d %+v", byQuery.Code, get.answers, byForm.Code, post.answers)
		}
		if (byQuery.Code == 303) != (len(get.answers) == 1) || byQuery.Code != 303 && byQuery.Code != 400 {
			t.Fatalf("%d with answers %+v", byQuery.Code, get.answers)
		}
		given, err := url.ParseQuery(form)
		for _, a := range get.answers {
			if err != nil || a.Provider != provider || a.State == "" || (a.Code == "") == (a.Error == "") || !utf8.ValidString(a.User) {
				t.Fatalf("answer %+v, %v", a, err)
			}
			for name, value := range map[string]string{"state": a.State, "code": a.Code, "iss": a.Issuer, "error": a.Error, "user": a.User} {
				if len(given[name]) > 1 || given.Get(name) != value || len(value) > 4096 {
					t.Errorf("%s is %q, given %q", name, value, given[name])
				}
			}
		}
	})
}

// Whatever comes as a link's token is handed over as it was or refused, and the
// page around it stays the same.
func FuzzToken(f *testing.F) {
	for _, form := range notTokens {
		f.Add(form)
	}
	f.Add("token=t1")
	f.Add("token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
	f.Fuzz(func(t *testing.T, form string) {
		if !isQuery(form) {
			return
		}
		w := newWorld(t)
		page, followed := w.send("GET", "/verify?"+form, ""), w.post("/verify", form)
		if page.Code != followed.Code || page.Code != 200 && page.Code != 400 || (page.Code == 200) != (len(w.followed) == 1) {
			t.Fatalf("the page %d, the button %d, followed %q", page.Code, followed.Code, w.followed)
		}
		if page.Code == 400 {
			return
		}
		given, err := url.ParseQuery(form)
		if err != nil || len(given["token"]) != 1 || w.followed[0] != " "+given.Get("token") {
			t.Errorf("followed %q of %q, %v", w.followed, given, err)
		}
		plain := newWorld(t).send("GET", "/verify?token=t1", "").Body.String()
		if strings.Count(page.Body.String(), "<") != strings.Count(plain, "<") || strings.Count(page.Body.String(), `"`) != strings.Count(plain, `"`) {
			t.Errorf("markup was added:\n%s", page.Body)
		}
	})
}
