package playground

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// Third-party files, made by web/build.mjs: their names carry their version.
//
//go:embed assets/*.gz assets/licenses.txt
var libraryFiles embed.FS

// Our own files: their names are given a digest of their content.
//
//go:embed page.js page.css story.json
var ownFiles embed.FS

// assetSet holds every file that the page needs, by the name it is served
// under: name@version.extension.
type assetSet map[string]*content

func assetPath(name string) string { return Path + "/assets/" + name }

// path finds the path of an asset without knowing its version. An asset that
// the page names must exist: anything else is a broken build, which the first
// start and every test show.
func (s assetSet) path(stem, extension string) string {
	for name := range s {
		if strings.HasPrefix(name, stem+"@") && strings.HasSuffix(name, "."+extension) {
			return assetPath(name)
		}
	}
	panic(fmt.Sprintf("playground: no asset %s@*.%s", stem, extension))
}

func (s assetSet) paths(extension string, stems ...string) []string {
	paths := make([]string, len(stems))
	for i, stem := range stems {
		paths[i] = s.path(stem, extension)
	}
	return paths
}

func loadAssets() assetSet {
	loaded := make(assetSet)
	for _, f := range readAll(libraryFiles, "assets") {
		if name, compressed := strings.CutSuffix(f.name, ".gz"); compressed {
			loaded[name] = newCompressedContent(mediaType(name), f.data)
		} else {
			loaded[digestName(f)] = newContent(mediaType(f.name), f.data)
		}
	}
	for _, f := range readAll(ownFiles, ".") {
		loaded[digestName(f)] = newContent(mediaType(f.name), f.data)
	}
	return loaded
}

type file struct {
	name string
	data []byte
}

func readAll(files embed.FS, folder string) []file {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic(err) // the folder is embedded in this binary
	}
	read := make([]file, len(entries))
	for i, entry := range entries {
		data, err := files.ReadFile(path.Join(folder, entry.Name()))
		if err != nil {
			panic(err) // as above
		}
		read[i] = file{entry.Name(), data}
	}
	return read
}

// digestName turns "page.js" into "page@<digest>.js".
func digestName(f file) string {
	extension := path.Ext(f.name)
	return strings.TrimSuffix(f.name, extension) + "@" + digest(f.data)[:12] + extension
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json":
		return "application/json"
	default:
		return "text/plain; charset=utf-8"
	}
}

// content is one immutable resource in the two forms it is sent in. Library
// files are kept compressed only, and unpacked at the first request of a client
// that does not take gzip.
type content struct {
	mediaType string
	tag       string // for the ETag, without quotes
	gzipped   []byte
	plain     func() []byte
}

func newContent(mediaType string, plain []byte) *content {
	return &content{mediaType, digest(plain)[:32], compress(plain), func() []byte { return plain }}
}

func newCompressedContent(mediaType string, gzipped []byte) *content {
	return &content{mediaType, digest(gzipped)[:32], gzipped, sync.OnceValue(func() []byte { return decompress(gzipped) })}
}

func compress(plain []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is valid
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a bytes.Buffer takes every write
	}
	return out.Bytes()
}

func decompress(gzipped []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		panic(err) // embedded, and opened by a test
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		panic(err) // as above
	}
	return plain
}

// serve answers GET and HEAD (RFC 9110), with a strong ETag for each form.
func (c *content) serve(w http.ResponseWriter, r *http.Request, cacheControl string) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	tag, encoded := `"`+c.tag+`"`, acceptsGzip(r.Header.Get("Accept-Encoding"))
	if encoded {
		tag = `"` + c.tag + `-gzip"`
	}
	h.Set("Cache-Control", cacheControl)
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := c.gzipped
	if encoded {
		h.Set("Content-Encoding", "gzip")
	} else {
		body = c.plain()
	}
	h.Set("Content-Type", c.mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // a client that left needs no answer
	}
}

// matches reports whether an If-None-Match field names the tag, by the weak
// comparison that RFC 9110, section 13.1.2, asks for.
func matches(field, tag string) bool {
	for candidate := range strings.SplitSeq(field, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == tag || candidate == "*" {
			return true
		}
	}
	return false
}

// acceptsGzip reads an Accept-Encoding field (RFC 9110, section 12.5.3). A
// field that names gzip decides over one that has only the wildcard.
func acceptsGzip(field string) bool {
	wildcard := false
	for member := range strings.SplitSeq(field, ",") {
		coding, parameters, _ := strings.Cut(member, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return positiveQuality(parameters)
		case "*":
			wildcard = positiveQuality(parameters)
		}
	}
	return wildcard
}

func positiveQuality(parameters string) bool {
	name, value, found := strings.Cut(parameters, "=")
	if !found || strings.ToLower(strings.TrimSpace(name)) != "q" {
		return true
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err == nil && q > 0
}
