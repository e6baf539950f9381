package transport_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// Even is a scalar whose decoder refuses some values and, as careless decoders
// do, repeats the refused value in its error.
type Even int

func (e *Even) UnmarshalGQL(v any) error {
	var n int64
	var err error
	switch v := v.(type) {
	case json.Number:
		n, err = v.Int64()
	case int64:
		n = v
	default:
		err = fmt.Errorf("%v is not a number", v)
	}
	if err == nil && n%2 != 0 {
		err = fmt.Errorf("%d is not even", n)
	}
	*e = Even(n)
	return err
}

func (e Even) MarshalGQL(w io.Writer) {
	io.WriteString(w, strconv.Itoa(int(e)))
}
