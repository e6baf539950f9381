package outbound

import (
	"net/netip"
	"testing"
)

func TestIsPublic(t *testing.T) {
	public := []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"191.255.255.255", "192.0.1.255", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
		"198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
		"2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::1", "2003::1", "3ffe:ffff::1",
	}
	private := map[string][]string{
		"this machine":       {"127.0.0.1", "127.255.255.254", "127.1.2.3", "::1"},
		"no host":            {"0.0.0.0", "0.0.0.1", "::", "255.255.255.255", "240.0.0.1"},
		"private":            {"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd12:3456::1", "fec0::1"},
		"link-local":         {"169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0"},
		"shared by carriers": {"100.64.0.1", "100.127.255.255"},
		"metadata":           {"169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"},
		"multicast":          {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"benchmarking":       {"198.18.0.1", "198.19.255.255", "2001:2::1"},
		"documentation":      {"192.0.2.1", "198.51.100.1", "203.0.113.255", "2001:db8::1", "3fff::1"},
		"mapped IPv4":        {"::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:169.254.169.254"},
		"compatible IPv4":    {"::127.0.0.1", "::8.8.8.8"},
		"translated IPv4":    {"64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"},
		"6to4":               {"2002:7f00:1::1", "2002:a9fe:a9fe::", "192.88.99.1"},
		"Teredo":             {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1"},
		"other protocols":    {"192.0.0.1", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2001:20::1", "2620:4f:8000::1", "100::1", "5f00::1"},
		"a zone":             {"2001:4860:4860::8888%eth0"},
	}
	for _, text := range public {
		if !IsPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not public", text)
		}
	}
	for what, addresses := range private {
		for _, text := range addresses {
			if IsPublic(netip.MustParseAddr(text)) {
				t.Errorf("%s is public, though %s", text, what)
			}
		}
	}
	if IsPublic(netip.Addr{}) {
		t.Error("no address is public")
	}
}

// An IPv6 address that is public does not become another one by being written
// with an IPv4 one inside.
func FuzzIsPublic(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1})
	f.Add([]byte{8, 8, 8, 8})
	f.Add(netip.MustParseAddr("64:ff9b::127.0.0.1").AsSlice())
	f.Add(netip.MustParseAddr("2a00::1").AsSlice())
	f.Fuzz(func(t *testing.T, bytes []byte) {
		address, ok := netip.AddrFromSlice(bytes)
		if !ok {
			return
		}
		public := IsPublic(address)
		if public && (!address.IsGlobalUnicast() || address.IsPrivate() || address.IsLoopback() || address.Is4In6()) {
			t.Errorf("%s is public", address)
		}
		if address.Is4() && IsPublic(netip.AddrFrom16(address.As16())) {
			t.Errorf("%s, mapped, is public", address)
		}
		if public != isPublicAddress(netip.AddrPortFrom(address, 443).String()) {
			t.Errorf("%s is judged another way with a port", address)
		}
	})
}

func TestWhatIsNoAddressIsNotPublic(t *testing.T) {
	for _, text := range []string{"", "8.8.8.8", "localhost:80", "8.8.8.8:http", ":443", "0x7f.1:80", "2130706433:80"} {
		if isPublicAddress(text) {
			t.Errorf("%q is public", text)
		}
	}
}
