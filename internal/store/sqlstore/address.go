package sqlstore

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
)

const defaultFile = "data/stepwise.db"

func isPostgresURL(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// sqliteFile returns the absolute path of the file that an address names.
func sqliteFile(address string) (string, error) {
	path, isURL := address, false
	for _, scheme := range []string{"sqlite:", "file:"} {
		if rest, ok := strings.CutPrefix(address, scheme); ok {
			path, isURL = strings.TrimPrefix(rest, "//"), true
		}
	}
	switch {
	case !isURL && strings.Contains(address, "://"):
		return "", errors.New("the address is neither that of PostgreSQL nor that of a SQLite file")
	case isURL && strings.ContainsAny(path, "?#"):
		return "", errors.New("the address of a SQLite file takes no parameters")
	case path == ":memory:":
		return "", errors.New("a database in memory would lose what it has acknowledged")
	case path == "":
		path = defaultFile
	}
	return filepath.Abs(path)
}

// sqliteDSN is the driver's name for a database file, with settings that are
// pragmas of each connection.
func sqliteDSN(path string, pragmas ...string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive letter
	}
	name := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas, "_dqs": {"0"}}.Encode()}
	return name.String()
}
