package directorytest

import (
	"errors"
	"fmt"
	"time"

	"stepwise/internal/signup"
)

func testFirstInstance(f *fixture) {
	_, err := f.Directory.Gate(f.Context(), "", "")
	f.wantError(err, signup.ErrNoRow)

	stored := signup.StoredInstance{
		Instance:      signup.Instance{ID: inst, PublishableKey: "pk_inst_1", SettingsVersion: 1},
		SecretKeyHash: newInstance(inst).SecretKeyHash, SealedKeys: newInstance(inst).SealedKeys,
	}
	i, created, err := f.Directory.EnsureInstance(f.Context(), newInstance(inst))
	f.must(err)
	want(f, "the instance", i, stored)
	want(f, "created", created, true)

	v, err := f.Directory.Settings(f.Context(), inst, 0)
	f.must(err)
	want(f, "the body", string(v.Body), `{"of":"inst_1"}`)
	if v.Version != 1 || v.By == "" || !v.At.Equal(moment) {
		f.Errorf("version 1 is %+v", v)
	}

	i, created, err = f.Directory.EnsureInstance(f.Context(), newInstance("inst_late"))
	f.must(err)
	want(f, "the instance", i, stored)
	want(f, "created again", created, false)
	_, err = f.Directory.Settings(f.Context(), "inst_late", 0)
	f.wantError(err, signup.ErrNoRow)

	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: []byte(`{}`), By: "x", At: moment}))
	i, _, err = f.Directory.EnsureInstance(f.Context(), newInstance(inst))
	f.must(err)
	want(f, "the version", i.SettingsVersion, 2)
}

func testFirstInstanceRace(f *fixture) {
	type ensured struct {
		id      string
		created bool
	}
	results, errs := together(f, 24, func(d signup.Directory, i int) (ensured, error) {
		s, created, err := d.EnsureInstance(f.Context(), newInstance(fmt.Sprintf("inst_%d", i)))
		return ensured{s.ID, created}, err
	})
	f.must(errors.Join(errs...))
	creators := 0
	for _, r := range results {
		if r.id != results[0].id {
			f.Errorf("one got %s, another %s", results[0].id, r.id)
		}
		if r.created {
			creators++
		}
	}
	want(f, "the number of creators", creators, 1)
	want(f, "instances", f.Rows()["instances"], 1)
	want(f, "settings", f.Rows()["settings_versions"], 1)
}

func testGate(f *fixture) {
	f.first()
	f.convert(conversion("a", "client_1", email("a@example.com")))

	for _, c := range []struct {
		key, client string
		generation  int64
	}{
		{"pk_inst_1", "", 0}, {"pk_inst_1", "client_1", 1}, {"pk_inst_1", "client_2", 0},
		{"", "", 0}, {"", "client_1", 1}, {"", "bad\xff", 0},
	} {
		g, err := f.Directory.Gate(f.Context(), c.key, c.client)
		f.must(err)
		want(f, "the instance", g.Instance.ID, inst)
		want(f, "the hash", g.Instance.SecretKeyHash, newInstance(inst).SecretKeyHash)
		want(f, "the sealed keys", g.Instance.SealedKeys, newInstance(inst).SealedKeys)
		want(f, fmt.Sprintf("the generation of %q", c.client), g.Generation, c.generation)
	}
	for _, key := range []string{"pk_inst_2", "PK_INST_1", "inst_1", " ", "\x00", "\xff"} {
		_, err := f.Directory.Gate(f.Context(), key, "client_1")
		f.wantError(err, signup.ErrNoRow)
	}

	f.AddInstance(newInstance("inst_2"))
	_, err := f.Directory.Gate(f.Context(), "", "client_1")
	f.wantError(err, signup.ErrNoRow)
	g, err := f.Directory.Gate(f.Context(), "pk_inst_2", "client_1")
	f.must(err)
	want(f, "the other instance", g.Instance.ID, "inst_2")
	want(f, "the generation in the other instance", g.Generation, 0)
	g, err = f.Directory.Gate(f.Context(), "pk_inst_1", "client_1")
	f.must(err)
	want(f, "the first instance", g.Instance.ID, inst)

	f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{Version: 2, Body: []byte(`{}`), By: "x", At: moment}))
	g, err = f.Directory.Gate(f.Context(), "pk_inst_1", "")
	f.must(err)
	want(f, "the version", g.Instance.SettingsVersion, 2)
}

func testSettings(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	save := func(instance string, version int64) error {
		return f.Directory.SaveSettings(f.Context(), instance, signup.SettingsVersion{
			Version: version, Body: fmt.Appendf(nil, `{"v":%d}`, version), By: fmt.Sprintf("by %d", version),
			At: moment.Add(time.Duration(version) * time.Second),
		})
	}
	for _, stale := range []int64{-1, 0, 1, 3, 100} {
		f.wantError(save(inst, stale), signup.ErrStale)
	}
	f.must(save(inst, 2))
	f.must(save(inst, 3))
	f.wantError(save(inst, 3), signup.ErrStale)
	f.wantError(save("inst_none", 1), signup.ErrNoRow)
	f.wantError(save("inst_none", 2), signup.ErrNoRow)

	for version, body := range map[int64]string{1: `{"of":"inst_1"}`, 2: `{"v":2}`, 3: `{"v":3}`} {
		v, err := f.Directory.Settings(f.Context(), inst, version)
		f.must(err)
		want(f, "the version", v.Version, version)
		want(f, "the body", string(v.Body), body)
		if version > 1 {
			want(f, "its author", v.By, fmt.Sprintf("by %d", version))
			want(f, "its time", v.At, moment.Add(time.Duration(version)*time.Second))
		}
	}
	newest, err := f.Directory.Settings(f.Context(), inst, 0)
	f.must(err)
	want(f, "the newest version", newest.Version, 3)
	other, err := f.Directory.Settings(f.Context(), "inst_2", 0)
	f.must(err)
	want(f, "the other instance's version", other.Version, 1)
	for _, version := range []int64{-1, 4} {
		_, err = f.Directory.Settings(f.Context(), inst, version)
		f.wantError(err, signup.ErrNoRow)
	}
	_, err = f.Directory.Settings(f.Context(), "inst_none", 0)
	f.wantError(err, signup.ErrNoRow)
}

func testSettingsVersions(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	const newest = 12 // two digits: by number, not by text
	for version := int64(2); version <= newest; version++ {
		f.must(f.Directory.SaveSettings(f.Context(), inst, signup.SettingsVersion{
			Version: version, Body: fmt.Appendf(nil, `{"v":%d}`, version), By: fmt.Sprintf("by %d", version),
			At: moment.Add(time.Duration(version) * time.Second),
		}))
	}
	for _, c := range []struct {
		instance      string
		before        int64
		limit         int
		first, number int64
	}{
		{inst, 0, 100, newest, newest}, {inst, 0, 5, newest, 5}, {inst, 8, 5, 7, 5}, {inst, 3, 5, 2, 2}, {inst, 100, 1, newest, 1},
		{inst, 1, 5, 0, 0}, {inst, -1, 5, 0, 0}, {"inst_2", 0, 5, 1, 1}, {"inst_none", 0, 5, 0, 0}, {"bad\xff", 0, 5, 0, 0},
	} {
		name := fmt.Sprintf("%d before %d of %q", c.limit, c.before, c.instance)
		versions, err := f.Directory.SettingsVersions(f.Context(), c.instance, c.before, c.limit)
		f.must(err)
		want(f, "the number of versions, "+name, int64(len(versions)), c.number)
		for i, v := range versions {
			one, err := f.Directory.Settings(f.Context(), c.instance, c.first-int64(i))
			f.must(err)
			want(f, name, v, one)
		}
	}
}

// Each of the writers saves until it has won five times.
func testSettingsRace(f *fixture) {
	f.first()
	const writers, wins = 8, 5
	_, errs := together(f, writers, func(d signup.Directory, i int) (none struct{}, err error) {
		for won := 0; won < wins; {
			newest, err := d.Settings(f.Context(), inst, 0)
			if err != nil {
				return none, err
			}
			err = d.SaveSettings(f.Context(), inst, signup.SettingsVersion{
				Version: newest.Version + 1, Body: []byte(`{}`), By: fmt.Sprintf("writer %d, %d", i, won), At: moment,
			})
			switch {
			case err == nil:
				won++
			case !errors.Is(err, signup.ErrStale):
				return none, err
			}
		}
		return none, nil
	})
	f.must(errors.Join(errs...))

	authors := map[string]bool{}
	for version := int64(2); version <= 1+writers*wins; version++ {
		v, err := f.Directory.Settings(f.Context(), inst, version)
		f.must(err)
		authors[v.By] = true
	}
	want(f, "the number of changes that were kept", len(authors), writers*wins)
	want(f, "the number of versions", f.Rows()["settings_versions"], 1+writers*wins)
	g, err := f.Directory.Gate(f.Context(), "", "")
	f.must(err)
	want(f, "the newest version", g.Instance.SettingsVersion, 1+writers*wins)
}

func testSigningKeys(f *fixture) {
	f.first()
	f.AddInstance(newInstance("inst_2"))
	key := func(id string, at time.Time) signup.SigningKey {
		return signup.SigningKey{ID: id, Public: []byte(`{"kid":"` + id + `"}`), Sealed: []byte{0, 0xff, 1}, CreatedAt: at}
	}
	keys, err := f.Directory.SigningKeys(f.Context(), inst)
	f.must(err)
	want(f, "the number of keys", len(keys), 0)

	k, err := f.Directory.AddSigningKey(f.Context(), inst, key("k1", moment))
	f.must(err)
	want(f, "the first key", k, key("k1", moment))
	k, err = f.Directory.AddSigningKey(f.Context(), inst, key("k2", moment.Add(time.Hour)))
	f.must(err)
	want(f, "the key there is", k, key("k1", moment))
	k, err = f.Directory.AddSigningKey(f.Context(), "inst_2", key("k1", moment.Add(time.Hour)))
	f.must(err)
	want(f, "the other instance's key", k, key("k1", moment.Add(time.Hour)))

	keys, err = f.Directory.SigningKeys(f.Context(), inst)
	f.must(err)
	want(f, "the keys", keys, []signup.SigningKey{key("k1", moment)})
	_, err = f.Directory.AddSigningKey(f.Context(), "inst_none", key("k1", moment))
	f.wantError(err, signup.ErrNoRow)
}

func testSigningKeyRace(f *fixture) {
	f.first()
	kids, errs := together(f, 24, func(d signup.Directory, i int) (string, error) {
		k, err := d.AddSigningKey(f.Context(), inst, signup.SigningKey{
			ID: fmt.Sprintf("k%d", i), Public: []byte(`{}`), Sealed: []byte("s"), CreatedAt: moment,
		})
		return k.ID, err
	})
	f.must(errors.Join(errs...))
	for _, kid := range kids {
		want(f, "the key", kid, kids[0])
	}
	want(f, "the number of keys", f.Rows()["signing_keys"], 1)
}
