package signup

import (
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// TestOtherNamesInARecord: a name that an older server did not write is read as
// empty, and one that a newer server wrote is skipped.
func TestOtherNamesInARecord(t *testing.T) {
	full := recordFromElsewhere()
	full.Locale = "es-MX"
	data, err := encode(full)
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]any
	if err := msgpack.Unmarshal(data[1:], &names); err != nil {
		t.Fatal(err)
	}
	if _, ok := names["l"]; !ok {
		t.Fatalf("the record has no name for the last call: %v", names)
	}
	delete(names, "l")
	delete(names, "r")
	delete(names, "q")
	delete(names, "n")
	within := names["a"].(map[string]any)
	delete(within["x"].(map[string]any), "i")
	delete(within["x"].(map[string]any), "a")
	for _, v := range within["p"].([]any) {
		delete(v.(map[string]any), "x")
		delete(v.(map[string]any), "d")
	}
	names["zz"] = map[string]any{"new": []int{1, 2}}
	changed, err := msgpack.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	read, err := decode(append([]byte{encodingVersion}, changed...))
	if err != nil {
		t.Fatal(err)
	}
	full = fullRecord()
	full.LastCall = ""
	if got, want := written(t, read), written(t, full); got != want {
		t.Errorf("read as\n%s\nwant\n%s", got, want)
	}
}
