package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

const defaultPort, defaultSentinelPort = "6379", "26379"

// parseURL reads the forms documented at [Options]. Its errors name the URL
// without what may be secret in it.
func parseURL(text string) (*redis.UniversalOptions, error) {
	settings, err := settingsFrom(text)
	if err != nil {
		return nil, fmt.Errorf("URL of Redis, %s: %w", redact(text), err)
	}
	return settings, nil
}

func settingsFrom(text string) (*redis.UniversalOptions, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		// The reason is left out because it quotes what was not understood.
		return nil, errors.New("want redis://[user:password@]host:port[/db]")
	}
	scheme, kind, _ := strings.Cut(u.Scheme, "+")
	if scheme != "redis" && scheme != "rediss" || !slices.Contains([]string{"", "sentinel", "cluster"}, kind) {
		return nil, errors.New("scheme must be redis or rediss, or one of these with +sentinel or +cluster")
	}
	query, err := parameters(u.RawQuery)
	if err != nil {
		return nil, err
	}
	settings := &redis.UniversalOptions{
		Username:         u.User.Username(),
		MasterName:       query.Get("master_name"),
		SentinelUsername: query.Get("sentinel_username"),
		SentinelPassword: query.Get("sentinel_password"),
		IsClusterMode:    kind == "cluster" || query.Get("cluster") == "true",
	}
	settings.Password, _ = u.User.Password()
	if scheme == "rediss" {
		settings.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	port := defaultPort
	if settings.MasterName != "" {
		port = defaultSentinelPort
	}
	for _, host := range append(strings.Split(u.Host, ","), query["addr"]...) {
		address, err := withPort(host, port)
		if err != nil {
			return nil, err
		}
		settings.Addrs = append(settings.Addrs, address)
	}
	if database := strings.Trim(u.Path, "/"); database != "" {
		if settings.DB, err = strconv.Atoi(database); err != nil || settings.DB < 0 {
			return nil, errors.New("the path must be the number of a database")
		}
	}
	return settings, contradiction(settings, kind)
}

// contradiction says what does not go together.
func contradiction(settings *redis.UniversalOptions, kind string) error {
	switch {
	case kind == "sentinel" && settings.MasterName == "":
		return errors.New("master_name is missing, which Sentinel needs")
	case settings.MasterName != "" && settings.IsClusterMode:
		return errors.New("it is either Sentinel (master_name) or a cluster")
	case settings.MasterName == "" && !settings.IsClusterMode && len(settings.Addrs) > 1:
		return errors.New("several hosts need cluster=true or master_name")
	case settings.IsClusterMode && settings.DB != 0:
		return errors.New("a cluster has no numbered databases")
	}
	return nil
}

// parameters reads the query and refuses what would otherwise have no effect.
func parameters(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errors.New("malformed parameters")
	}
	for name := range query {
		if !slices.Contains([]string{"addr", "cluster", "master_name", "sentinel_username", "sentinel_password"}, name) {
			return nil, fmt.Errorf("unknown parameter %q", name)
		}
	}
	if query.Has("cluster") && !slices.Contains([]string{"true", "false"}, query.Get("cluster")) {
		return nil, errors.New("cluster must be true or false")
	}
	return query, nil
}

// withPort completes an address by the usual port.
func withPort(address, usual string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port, err = net.SplitHostPort(address + ":" + usual)
	}
	if number, parseErr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || parseErr != nil || number == 0 {
		return "", fmt.Errorf("%q is not host:port", address)
	}
	return net.JoinHostPort(host, port), nil
}

// redact returns a URL without user, password and parameters, also if it is
// not well-formed. Where it cannot tell what is secret it returns the scheme.
func redact(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return "(no scheme)"
	}
	credentials := strings.LastIndexByte(rest, '@')
	if end := strings.IndexAny(rest, "?#"); end >= 0 {
		if end < credentials {
			return scheme + "://…"
		}
		rest = rest[:end]
	}
	return scheme + "://" + rest[credentials+1:]
}
