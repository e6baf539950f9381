// Commonlist writes the list of common passwords that package password embeds.
//
// The source is the password frequency list in a pinned version of
// github.com/ccojocar/zxcvbn-go (MIT licence, reproduced in NOTICE beside the
// list). The module is fetched through the go command and checked against its
// hash; it is not a dependency of the program. Run it with go generate.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module = "github.com/ccojocar/zxcvbn-go@v1.0.4"
	hash   = "h1:FWnCIRMXPj43ukfX000kvBZvV6raSxakYr1nzyNrUcc="
	source = "data/data/Passwords.json"
)

func main() {
	out := flag.String("out", "common.txt", "file to write")
	flag.Parse()
	if err := write(*out); err != nil {
		log.Fatal(err)
	}
}

func write(out string) error {
	dir, err := download()
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(source)))
	if err != nil {
		return err
	}
	words, err := parse(raw)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(strings.Join(words, "\n")+"\n"), 0o644)
}

func download() (dir string, err error) {
	stdout, err := exec.Command("go", "mod", "download", "-json", module).Output()
	if err != nil {
		return "", fmt.Errorf("downloading %s: %w", module, err)
	}
	var info struct{ Dir, Sum string }
	if err := json.Unmarshal(stdout, &info); err != nil {
		return "", fmt.Errorf("downloading %s: %w", module, err)
	}
	if info.Sum != hash {
		return "", fmt.Errorf("%s has hash %s, want %s", module, info.Sum, hash)
	}
	return info.Dir, nil
}

// parse returns the words of the list in lower case, sorted, each once.
func parse(raw []byte) ([]string, error) {
	var list struct{ List []string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	var words []string
	for _, word := range list.List {
		if word = strings.ToLower(strings.TrimSpace(word)); word != "" {
			words = append(words, word)
		}
	}
	if len(words) == 0 {
		return nil, errors.New("the list is empty")
	}
	slices.Sort(words)
	return slices.Compact(words), nil
}
