package fhir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of what is taken from a remote server.
const (
	maxRemoteBody  = 64 << 20
	maxRemotePages = 1000
	remoteTimeout  = 60 * time.Second
)

// Remote is a real FHIR server, which is only ever read: it is sent GET and
// nothing else, and no other host is contacted, whatever its answers say.
type Remote struct {
	base   *url.URL // path ends in /
	client *http.Client
}

// NewRemote names a server by its base URL. A user and password in it are sent
// as basic authentication.
func NewRemote(base string) (*Remote, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("FHIR server: not a base URL; write one such as http://localhost:8080/fhir")
	}
	u = u.JoinPath("/")
	return &Remote{base: u, client: &http.Client{
		Timeout: remoteTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect could lead to another host
		},
	}}, nil
}

// Has implements Source.
func (r *Remote) Has(ctx context.Context, kind string) (bool, error) {
	page, err := r.page(ctx, r.address(kind, url.Values{"_count": {"1"}}))
	return len(page.Entry) > 0, err
}

// Search implements Source.
func (r *Remote) Search(ctx context.Context, kind string, params url.Values) ([]jsontext.Value, error) {
	with := url.Values{"_count": {"5000"}, "_format": {"json"}}
	for key, values := range params {
		with[key] = values
	}
	var found []jsontext.Value
	next := r.address(kind, with)
	for range maxRemotePages {
		page, err := r.page(ctx, next)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entry {
			if e.Search.Mode == "" || e.Search.Mode == "match" {
				found = append(found, e.Resource)
			}
		}
		link := page.next()
		if link == "" {
			return found, nil
		}
		if next, err = r.follow(link); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("FHIR server: a search of %s has more than %d pages", kind, maxRemotePages)
}

type remoteBundle struct {
	ResourceType string `json:"resourceType"`
	Link         []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	} `json:"link"`
	Entry []struct {
		Resource jsontext.Value `json:"resource"`
		Search   struct {
			Mode string `json:"mode"`
		} `json:"search"`
	} `json:"entry"`
}

func (b remoteBundle) next() string {
	for _, link := range b.Link {
		if link.Relation == "next" {
			return link.URL
		}
	}
	return ""
}

func (r *Remote) address(path string, params url.Values) *url.URL {
	u := r.base.JoinPath(path)
	u.RawQuery = params.Encode()
	return u
}

// follow takes path and query of a link; scheme and host stay those of the base.
func (r *Remote) follow(link string) (*url.URL, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, errors.New("FHIR server: a next link is not a URL")
	}
	to := *r.base
	to.Path, to.RawPath, to.RawQuery = u.Path, u.RawPath, u.RawQuery
	if !strings.HasPrefix(to.Path+"/", r.base.Path) {
		return nil, errors.New("FHIR server: a next link leads out of the base URL")
	}
	return &to, nil
}

func (r *Remote) page(ctx context.Context, u *url.URL) (remoteBundle, error) {
	var page remoteBundle
	resp, err := r.get(ctx, u)
	if err != nil {
		return page, err
	}
	if resp.status != http.StatusOK {
		return page, fmt.Errorf("FHIR server: HTTP status %d", resp.status)
	}
	if err := json.Unmarshal(resp.body, &page); err != nil || page.ResourceType != "Bundle" {
		return page, errors.New("FHIR server: the answer to a search is not a Bundle")
	}
	return page, nil
}

type response struct {
	status int
	kind   string // content type
	body   []byte
}

// get sends a GET. Its errors name no host or query: they may reach a log.
func (r *Remote) get(ctx context.Context, u *url.URL) (response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return response{}, errors.New("FHIR server: not a URL")
	}
	req.Header.Set("Accept", "application/fhir+json")
	resp, err := r.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return response{}, fmt.Errorf("FHIR server: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRemoteBody+1))
	if err != nil {
		return response{}, fmt.Errorf("FHIR server: %w", err)
	}
	if len(body) > maxRemoteBody {
		return response{}, fmt.Errorf("FHIR server: an answer of more than %d bytes", maxRemoteBody)
	}
	return response{resp.StatusCode, resp.Header.Get("Content-Type"), body}, nil
}

// Handler implements Source. It passes on reads of what a Store would serve, and
// the pages of a search, and rewrites the server's own address in the answers to
// the one that the sandbox knows.
func (r *Remote) Handler() http.Handler { return http.HandlerFunc(r.serve) }

func (r *Remote) serve(w http.ResponseWriter, req *http.Request) {
	t, fault := parseTarget(req.URL)
	if fault == nil && req.Method != http.MethodGet && req.Method != http.MethodHead {
		fault = notAllowed(w, req.Method, t)
	}
	if fault != nil {
		fault.write(w)
		return
	}
	path := t.kind
	switch {
	case t.metadata:
		path = "metadata"
	case t.id != "":
		path += "/" + t.id
	}
	to := *r.base
	if path != "" {
		to = *r.base.JoinPath(path)
	} else {
		to.Path = strings.TrimSuffix(to.Path, "/")
	}
	to.RawQuery = req.URL.RawQuery
	resp, err := r.get(req.Context(), &to)
	if err != nil {
		(&Fault{http.StatusBadGateway, "transient", "the FHIR server behind this one gave no answer"}).write(w)
		return
	}
	public := *r.base
	public.User = nil
	mine := strings.TrimSuffix(baseOf(req), "/")
	body := bytes.ReplaceAll(resp.body, []byte(strings.TrimSuffix(public.String(), "/")), []byte(mine))
	if resp.status >= 300 && resp.status < 400 {
		(&Fault{http.StatusBadGateway, "transient", "the FHIR server behind this one redirects"}).write(w)
		return
	}
	if resp.kind != "" {
		w.Header().Set("Content-Type", resp.kind)
	}
	w.WriteHeader(resp.status)
	_, _ = w.Write(body)
}
