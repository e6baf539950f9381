package signup

import "fmt"

// DueDelivery is a delivery that was claimed, with all that is needed to make it.
// However it is printed, logged or encoded, only its ids are seen.
type DueDelivery struct {
	Delivery
	// URL is the endpoint's. It may contain credentials of its owner.
	URL string
	// Secret is the endpoint's signing key: raw bytes, 24 to 64 of them.
	Secret []byte
}

// Format prints the ids, whatever the verb.
func (d DueDelivery) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "delivery %s of event %s to endpoint %s", d.ID, d.Event.ID, d.EndpointID)
}

// MarshalText returns what Format prints.
func (d DueDelivery) MarshalText() ([]byte, error) { return fmt.Append(nil, d), nil }
