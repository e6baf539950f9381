package engine_test

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stepwise/engine"
)

// The order in which a sign-up's inputs arrive does not matter, as long as none
// of them comes too late because the sign-up has completed without it.

// ending is what an order of inputs leads to.
type ending struct {
	values  [engine.NumAttributes]engine.Value
	proved  engine.Set
	verdict engine.Verdict
	shown   [engine.NumAttributes]engine.VerificationStatus
}

// arrive applies the inputs. It reports false where a proper prefix completes.
func arrive(t rapid.TB, s engine.Settings, a engine.Attempt, inputs []engine.Command) (ending, bool) {
	t.Helper()
	for i, c := range inputs {
		d := engine.Decide(s, a, c, at(0))
		if len(d.Problems) > 0 {
			t.Fatalf("%+v is refused: %v", c, d.Problems)
		}
		a = d.Attempt
		if d.Convert && i < len(inputs)-1 {
			return ending{}, false
		}
	}
	e := ending{verdict: engine.Evaluate(s, a)}
	e.values, e.proved = engine.Values(s, a)
	for attribute := range engine.Attribute(engine.NumAttributes) {
		if v := engine.VerificationOf(s, a, attribute); v != nil {
			e.shown[attribute] = v.Status(noon.Add(time.Second))
		}
	}
	return e, true
}

// deliveries are the inputs, each a sequence of commands that must keep its
// order; others may come in between.
func deliveries(enabled engine.Set) [][]engine.Command {
	var list [][]engine.Command
	for _, d := range []struct {
		attribute engine.Attribute
		commands  []engine.Command
	}{
		{engine.EmailAddress, verifiedValue(engine.EmailAddress, ownEmail)},
		{engine.PhoneNumber, verifiedValue(engine.PhoneNumber, ownPhone)[:2]},
		{engine.Username, []engine.Command{give(engine.Username, "ada")}},
		{engine.Web3Wallet, []engine.Command{walletSigned("0xabc")}},
		{engine.ExternalAccount, []engine.Command{accountProved(googleAccount(sentEmail, sent{engine.PhoneNumber, sentPhone},
			sent{engine.Username, "sent"}, sent{engine.FirstName, "Sent"}, sent{engine.LastName, "Sent"}))}},
		{engine.Password, []engine.Command{give(engine.Password, "hash")}},
		{engine.FirstName, []engine.Command{give(engine.FirstName, "Ada")}},
		{engine.LastName, []engine.Command{withdraw(engine.LastName)}},
		{engine.LegalAccepted, []engine.Command{give(engine.LegalAccepted, "")}},
	} {
		if enabled.Has(d.attribute) {
			list = append(list, d.commands)
		}
	}
	return list
}

// TestOrderDoesNotMatter interleaves random inputs at random, twice, under any
// settings.
func TestOrderDoesNotMatter(t *testing.T) {
	compared := 0
	rapid.Check(t, func(rt *rapid.T) {
		s, a := drawSettings(rt), drawBeginning(rt)
		var chosen [][]engine.Command
		for _, d := range deliveries(s.Enabled()) {
			if rapid.IntRange(0, 3).Draw(rt, "left out") > 0 {
				chosen = append(chosen, d)
			}
		}
		one, ok1 := tryArrive(rt, s, a, interleaved(rt, chosen))
		two, ok2 := tryArrive(rt, s, a, interleaved(rt, chosen))
		if !ok1 || !ok2 {
			return
		}
		compared++
		if !reflect.DeepEqual(one, two) {
			rt.Fatalf("one order:\n%+v\nanother:\n%+v", one, two)
		}
	})
	if compared == 0 {
		t.Fatal("no two orders were compared")
	}
	t.Logf("compared %d pairs of orders", compared)
}

// tryArrive leaves out orders in which an input is refused: a code that is
// asked for although a ticket or an account has proved the address already.
func tryArrive(t *rapid.T, s engine.Settings, a engine.Attempt, inputs []engine.Command) (ending, bool) {
	b := a
	for _, c := range inputs {
		d := engine.Decide(s, b, c, at(0))
		if len(d.Problems) > 0 {
			return ending{}, false
		}
		b = d.Attempt
	}
	return arrive(t, s, a, inputs)
}

func interleaved(t *rapid.T, sequences [][]engine.Command) []engine.Command {
	var turns []int
	for i, sequence := range sequences {
		for range sequence {
			turns = append(turns, i)
		}
	}
	taken := make([]int, len(sequences))
	var inputs []engine.Command
	for _, i := range rapid.Permutation(turns).Draw(t, "order") {
		inputs = append(inputs, sequences[i][taken[i]])
		taken[i]++
	}
	return inputs
}

// TestEveryOrderOfSevenInputs tries all 5,040 orders under settings that need
// them all.
func TestEveryOrderOfSevenInputs(t *testing.T) {
	identifiers := []setting{requiredVerified(engine.EmailAddress), required(engine.Username), required(engine.Web3Wallet), accountRequired}
	rest := []setting{required(engine.Password), required(engine.FirstName), consentAsked}
	s := instance(append(identifiers, rest...)...)
	inputs := []engine.Command{
		give(engine.EmailAddress, ownEmail), give(engine.Username, "ada"), walletSigned("0xabc"),
		accountProved(googleAccount(ownEmail, sent{engine.Username, "sent"}, sent{engine.FirstName, "Sent"})),
		give(engine.Password, "hash"), give(engine.FirstName, "Ada"), give(engine.LegalAccepted, ""),
	}
	var want *ending
	orders := 0
	permute(inputs, func(order []engine.Command) {
		orders++
		got, last := arrive(t, s, attempt(), order)
		if !last { // the account brought what the last input would have given
			return
		}
		if want == nil {
			want = &got
		}
		if !reflect.DeepEqual(got, *want) {
			t.Fatalf("order %d ends in\n%+v\nand another in\n%+v", orders, got, *want)
		}
	})
	if want == nil || !want.verdict.Satisfied() || orders != 5040 {
		t.Fatalf("%d orders, ending %+v", orders, want)
	}
	if want.values[engine.FirstName].Key != "Ada" || want.values[engine.Username].Key != "ada" {
		t.Errorf("what the provider sent won over what the person gave: %v", want.values)
	}
}

// permute calls visit with every order of the list (Heap's algorithm).
func permute(list []engine.Command, visit func([]engine.Command)) {
	var swap func(k int)
	swap = func(k int) {
		if k == 1 {
			visit(list)
			return
		}
		for i := range k {
			swap(k - 1)
			if k%2 == 0 {
				list[i], list[k-1] = list[k-1], list[i]
			} else {
				list[0], list[k-1] = list[k-1], list[0]
			}
		}
	}
	swap(len(list))
}
