// Package wheels serves packages to pip in the sandbox: those of a folder of wheels, or
// those of one index, which it asks on the program's behalf.
//
// A program learns nothing of the host here, and the index next to nothing of the
// program: what is passed on is the name of a package that is well formed, and the
// request for a file that the index's own pages name. Names alone can carry text, so
// whoever turns this on for rows that are not open needs an index that is local.
package wheels

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
)

// Port is where pip in the sandbox looks for packages.
const Port = 8990

// What is passed on at most.
const (
	maxPage  = 32 << 20
	maxWheel = 256 << 20
)

// Source is where packages come from. It is safe for concurrent use.
type Source struct {
	about    string
	pins     string // the environment's packages, which stay as they are
	endpoint *governance.Endpoint
	client   *http.Client

	mu    sync.Mutex
	pages map[string][]wheel // by normal name; of an index, those that were asked for
	files map[string]wheel   // by the path below /files/
}

// wheel is one file that can be had.
type wheel struct {
	name   string // numpy-1.26.4-cp311-….whl
	sha256 string // may be empty
	needs  string // data-requires-python
	host   string // path on this machine
	url    string // at the index
}

func (w wheel) key() string {
	sum := sha256.Sum256([]byte(w.url + w.host))
	return hex.EncodeToString(sum[:8]) + "/" + w.name
}

var (
	wheelName = regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-[A-Za-z0-9_.!+]+(-[0-9][A-Za-z0-9_.]*)?-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl$`)
	name      = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	runs      = regexp.MustCompile(`[-_.]+`)
	anchor    = regexp.MustCompile(`(?is)<a\s([^>]*)>`)
	attribute = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')`)
	withdrawn = regexp.MustCompile(`(?i)\bdata-yanked\b`)
	digest    = regexp.MustCompile(`^sha256=([0-9a-f]{64})$`)
)

const maxName = 60

// normal is a package's name as an index writes it.
func normal(name string) string { return strings.ToLower(runs.ReplaceAllString(name, "-")) }

// Folder makes a Source of the wheels in a folder. pins are what is installed already.
func Folder(dir, pins string) (*Source, error) {
	s := &Source{pins: pins, pages: map[string][]wheel{}, files: map[string]wheel{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, pipeline.BadInput(dir, 0, "cannot be read as a folder of wheels", "name a folder with .whl files, as pip download makes it")
	}
	all := sha256.New()
	for _, entry := range entries { // in the order of their names
		m := wheelName.FindStringSubmatch(entry.Name())
		if m == nil {
			continue
		}
		w := wheel{name: entry.Name(), host: filepath.Join(dir, entry.Name())}
		if w.sha256, err = sum(w.host); err != nil {
			return nil, fmt.Errorf("read the wheel %s: %w", w.host, err)
		}
		fmt.Fprintf(all, "%s %s\n", w.name, w.sha256)
		s.pages[normal(m[1])] = append(s.pages[normal(m[1])], w)
		s.files[w.key()] = w
	}
	if len(s.files) == 0 {
		return nil, pipeline.BadInput(dir, 0, "holds no wheels", "name a folder with .whl files, as pip download makes it")
	}
	s.about = "folder sha256:" + hex.EncodeToString(all.Sum(nil))
	return s, nil
}

func sum(file string) (_ string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Index makes a Source of one index, which is classified already.
func Index(endpoint governance.Endpoint, pins string) *Source {
	client := endpoint.Client(nil)
	client.Timeout = 5 * time.Minute
	return &Source{about: "index " + endpoint.Name(), pins: pins, endpoint: &endpoint, client: client, pages: map[string][]wheel{}, files: map[string]wheel{}}
}

// About names the source in manifests: a folder by what it holds, an index by its address.
func (s *Source) About() string { return s.about }

// Permit refuses (pipeline.PolicyError) an index outside the private network where
// programs see rows of sources that are not open.
func (s *Source) Permit(sources []string) error {
	if s.endpoint == nil || s.endpoint.Class == governance.Local || len(sources) == 0 {
		return nil
	}
	return pipeline.Refused(
		fmt.Sprintf("the package index %s is not in a private network, and the names that programs ask it for could carry rows of %s to third parties", s.endpoint.Name(), strings.Join(sources, ", ")),
		"use --packages with a folder of wheels, an index in the private network, or choose open sources with --source")
}

// Service serves the packages to one session.
func (s *Source) Service() datasets.Service {
	return datasets.Service{Name: "packages", Port: Port, Handler: s}
}

// ServeHTTP implements http.Handler: the simple index (PEP 503), the files that its
// pages name, and the versions that must stay.
func (s *Source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case r.URL.RawQuery != "" || r.ContentLength > 0:
		http.Error(w, "no query and no body", http.StatusBadRequest)
	case r.URL.Path == "/constraints.txt":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, s.pins) // whoever asked may have left
	case strings.HasPrefix(r.URL.Path, "/simple/"):
		s.page(w, r, strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/simple/"), "/"))
	case strings.HasPrefix(r.URL.Path, "/files/"):
		s.file(w, r, strings.TrimPrefix(r.URL.Path, "/files/"))
	default:
		http.NotFound(w, r)
	}
}

// page lists the wheels of one package.
func (s *Source) page(w http.ResponseWriter, r *http.Request, asked string) {
	if len(asked) > maxName || !name.MatchString(asked) {
		http.NotFound(w, r)
		return
	}
	wheels, err := s.wheels(r.Context(), asked)
	if err != nil {
		http.Error(w, "the index does not answer", http.StatusBadGateway) // why is no business of a program
		return
	}
	if len(wheels) == 0 {
		http.NotFound(w, r)
		return
	}
	var page bytes.Buffer
	page.WriteString("<!DOCTYPE html>\n<html><body>\n")
	for _, file := range wheels {
		href := "/files/" + file.key()
		if file.sha256 != "" {
			href += "#sha256=" + file.sha256
		}
		needs := ""
		if file.needs != "" {
			needs = fmt.Sprintf(" data-requires-python=%q", html.EscapeString(file.needs))
		}
		fmt.Fprintf(&page, "<a href=%q%s>%s</a>\n", href, needs, file.name)
	}
	page.WriteString("</body></html>\n")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

func (s *Source) wheels(ctx context.Context, asked string) ([]wheel, error) {
	s.mu.Lock()
	found, known := s.pages[asked]
	s.mu.Unlock()
	if known || s.endpoint == nil {
		return found, nil
	}
	base := s.endpoint.URL.JoinPath(asked + "/")
	res, err := s.get(ctx, http.MethodGet, base.String())
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotFound:
		return nil, nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the index answers %s", res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	if err != nil || len(text) > maxPage {
		return nil, errors.Join(errors.New("the page cannot be read or is too long"), err)
	}
	found = links(text, base, asked)
	if s.endpoint.Class != governance.Local {
		found = slices.DeleteFunc(found, inward)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[asked] = found
	for _, file := range found {
		s.files[file.key()] = file
	}
	return found, nil
}

// links reads the wheels of one package out of an index's page. What was withdrawn is
// left out, and so is what would be fetched less safely than the page.
func links(page []byte, base *url.URL, asked string) []wheel {
	var out []wheel
	for _, tag := range anchor.FindAllSubmatch(page, -1) {
		attrs := map[string]string{}
		for _, m := range attribute.FindAllSubmatch(tag[1], -1) {
			attrs[strings.ToLower(string(m[1]))] = html.UnescapeString(string(m[2]) + string(m[3]))
		}
		target, err := base.Parse(attrs["href"])
		if err != nil || target.User != nil || target.Scheme != "https" && target.Scheme != base.Scheme || withdrawn.Match(tag[1]) {
			continue
		}
		w := wheel{name: path.Base(target.Path), needs: attrs["data-requires-python"]}
		if m := digest.FindStringSubmatch(target.Fragment); m != nil {
			w.sha256 = m[1]
		}
		target.Fragment = ""
		w.url = target.String()
		if m := wheelName.FindStringSubmatch(w.name); m != nil && normal(m[1]) == asked {
			out = append(out, w)
		}
	}
	return out
}

// inward says whether a file lies at an address of the private network, which no index
// outside of it shall lead to. To a local index nothing else is ever connected.
func inward(w wheel) bool {
	target, err := url.Parse(w.url)
	if err != nil {
		return true
	}
	addr, err := netip.ParseAddr(target.Hostname())
	return target.Hostname() == "localhost" || err == nil && governance.Private(addr)
}

// get asks the index or a host that it names, with nothing of the program's request.
// Redirects are not followed.
func (s *Source) get(ctx context.Context, method, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.pypi.simple.v1+html, text/html;q=0.5, */*;q=0.1")
	req.Header.Set("User-Agent", "medgym-data")
	return s.client.Do(req)
}

// file hands over one wheel that a page has named.
func (s *Source) file(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	file, known := s.files[key]
	s.mu.Unlock()
	if !known {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if file.host != "" {
		s.serve(w, r, file)
		return
	}
	res, err := s.get(r.Context(), r.Method, file.url)
	if err != nil {
		http.Error(w, "the index does not answer", http.StatusBadGateway)
		return
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 || res.ContentLength > maxWheel {
		http.Error(w, "the index does not hand it over", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(res.ContentLength))
	_, _ = io.Copy(w, res.Body) // pip sees by the length where it is not whole
}

func (s *Source) serve(w http.ResponseWriter, r *http.Request, file wheel) {
	f, err := os.Open(file.host)
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, "it cannot be read", http.StatusInternalServerError)
		return
	}
	defer func() { _ = f.Close() }()
	http.ServeContent(w, r, "", time.Time{}, f)
}
