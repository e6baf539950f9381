package realtest

import (
	"slices"
	"testing"
)

func TestRESPScanner(t *testing.T) {
	for name, test := range map[string]struct {
		input string
		want  []respValue
	}{
		"commands":          {"*1\r\n$4\r\nping\r\n*2\r\n$3\r\nGET\r\n$3\r\na\r\n\r\n", []respValue{{'*', "PING"}, {'*', "GET"}}},
		"inline command":    {"ping now\r\n", []respValue{{'p', "PING"}}},
		"simple values":     {"+OK\r\n-ERR no\r\n:7\r\n_\r\n#t\r\n,1.5\r\n", []respValue{{'+', "+OK"}, {'-', "-ERR"}, {':', ":7"}, {'_', "_"}, {'#', "#T"}, {',', ",1.5"}}},
		"numeric status":    {"+7\r\n", []respValue{{'+', "+7"}}},
		"null and empty":    {"$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n", []respValue{{'$', "$-1"}, {'*', ""}, {'*', ""}, {'$', "$0"}}},
		"nested and pushed": {"*2\r\n*1\r\n:1\r\n$1\r\nx\r\n>2\r\n+message\r\n%1\r\n+k\r\n+v\r\n", []respValue{{'*', ":1"}, {'>', ">2"}}},
		"attribute":         {"|1\r\n+ttl\r\n:3\r\n+OK\r\n", []respValue{{'|', "|1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			compare := func(got []respValue) {
				t.Helper()
				if len(got) != len(test.want) {
					t.Fatalf("values %v, want %v", got, test.want)
				}
				for i := range got {
					if got[i].kind != test.want[i].kind || (got[i].kind == '*' && got[i].first != test.want[i].first) {
						t.Errorf("value %d is %v, want %v", i, got[i], test.want[i])
					}
				}
			}
			var whole respScanner
			compare(whole.scan([]byte(test.input)))
			if whole.midway() {
				t.Errorf("%q is left over", whole.pending)
			}
			var bytewise respScanner
			var values []respValue
			for i := range len(test.input) {
				values = slices.Concat(values, bytewise.scan([]byte{test.input[i]}))
			}
			compare(values)
		})
	}
}
