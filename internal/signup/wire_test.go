package signup

import (
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// TestOtherNamesInARecord: a name that an older server did not write is read as
// empty, and one that a newer server wrote is skipped.
func TestOtherNamesInARecord(t *testing.T) {
	full := fullRecord()
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
	names["zz"] = map[string]any{"new": []int{1, 2}}
	changed, err := msgpack.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	read, err := decode(append([]byte{encodingVersion}, changed...))
	if err != nil {
		t.Fatal(err)
	}
	full.LastCall = ""
	if got, want := written(t, read), written(t, full); got != want {
		t.Errorf("read as\n%s\nwant\n%s", got, want)
	}
}
