package outbound

import "net/netip"

// IsPublic reports whether an address belongs to a host of the public internet.
// It is false for whatever leads to this machine or its network, for groups, for
// addresses without a host, and for IPv6 addresses that carry an IPv4 one, since
// a translator on the way may unpack it.
func IsPublic(address netip.Addr) bool {
	switch {
	case !address.IsValid() || address.Zone() != "":
		return false
	case address.Is4():
		return !within(notPublic4, address)
	default:
		return global6.Contains(address) && !within(notPublic6, address)
	}
}

func within(prefixes []netip.Prefix, address netip.Addr) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// global6 is all of IPv6 that has been given out as global unicast (RFC 4291).
// Loopback, mapped and translated IPv4 (::ffff:0:0/96, 64:ff9b::/96), unique
// local, link-local and multicast addresses lie outside of it.
var global6 = netip.MustParsePrefix("2000::/3")

// The registries of special addresses (RFC 6890), and one of a vendor.
var (
	notPublic4 = prefixes(
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // shared by a carrier's customers (RFC 6598)
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // Azure's host, which answers to guests
		"169.254.0.0/16",   // link-local; clouds keep credentials at 169.254.169.254
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments
		"192.0.2.0/24",     // documentation
		"192.31.196.0/24",  // AS112
		"192.52.193.0/24",  // AMT
		"192.88.99.0/24",   // 6to4 relays
		"192.168.0.0/16",   // private
		"192.175.48.0/24",  // AS112
		"198.18.0.0/15",    // benchmarking
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, broadcast
	)
	notPublic6 = prefixes(
		"2001::/23",         // protocol assignments: Teredo, benchmarking, ORCHID
		"2001:db8::/32",     // documentation
		"2002::/16",         // 6to4
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
	)
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}
