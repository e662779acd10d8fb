package governance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/pipeline"
)

// Class says who is behind a model endpoint.
type Class string

// The classes of endpoints.
const (
	// Local endpoints are on this machine or in its private network.
	Local Class = "local"
	// Attested ones are elsewhere, and the user has stated in writing that they keep
	// nothing, train on nothing and show nothing to a person.
	Attested Class = "attested"
	// Open ones are all others.
	Open Class = "open"
)

// Endpoint is a model endpoint whose address has been looked at.
type Endpoint struct {
	URL         *url.URL // of the API: http://127.0.0.1:8000/v1
	Socket      string   // path, where it is a unix socket; URL is then what is asked for over it
	Class       Class
	Addresses   []netip.Addr // that the name stood for when it was classified
	Attestation *Attestation // of an attested endpoint
	Program     string       // the name of a program that is given rows itself, and is no server: all else but Class is empty
}

// Program is a program on this machine that is given rows. What it does with them
// nobody sees: it is local where the user states that it sends them to no third party.
func Program(name string, stated bool) Endpoint {
	e := Endpoint{Program: name, Class: Open}
	if stated {
		e.Class = Local
	}
	return e
}

// Serves says whether rows that are not open may be sent there.
func (e Endpoint) Serves() bool { return e.Class == Local || e.Class == Attested }

// Name is the endpoint for messages and logs: without credentials or query.
func (e Endpoint) Name() string {
	if e.Program != "" {
		return "exec:" + e.Program
	}
	if e.Socket != "" {
		return "unix:" + e.Socket
	}
	return e.URL.Scheme + "://" + e.URL.Host + e.URL.Path
}

// Resolver resolves names; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// apiVersion is the one query that is no key and says nothing: Azure's deployments
// are asked by it.
var apiVersion = regexp.MustCompile(`^api-version=[0-9A-Za-z.-]+$`)

// ParseEndpoint reads an endpoint as a user names it: http://host:port/v1,
// https://…, or unix:/path/to/socket. A query is taken from Azure's addresses alone:
// https://name.openai.azure.com/openai/deployments/model?api-version=….
func ParseEndpoint(text string) (Endpoint, error) {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if !filepath.IsAbs(path) {
			return Endpoint{}, errors.New("the path of a unix socket begins with /: unix:/run/model.sock")
		}
		return Endpoint{URL: &url.URL{Scheme: "http", Host: "localhost", Path: "/v1"}, Socket: filepath.Clean(path)}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // it may quote a password
		return Endpoint{}, errors.New("it is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return Endpoint{}, errors.New("it begins with none of http://, https://, unix:/")
	case u.Hostname() == "":
		return Endpoint{}, errors.New("it names no host")
	case u.User != nil:
		return Endpoint{}, errors.New("it holds a user or a password: keys come from the environment")
	case u.Fragment != "" || u.RawQuery != "" && !(strings.Contains(u.Path, "/openai/") && apiVersion.MatchString(u.RawQuery)):
		return Endpoint{}, errors.New("it has a query or a fragment")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return Endpoint{URL: u}, nil
}

// Classify looks at the addresses that an endpoint's name stands for. It is local
// only where every one of them is: a name proves nothing. attested may be nil.
func Classify(ctx context.Context, text string, attested *Attestation, resolve Resolver) (Endpoint, error) {
	e, err := ParseEndpoint(text)
	if err != nil {
		return e, err
	}
	if attested != nil && !attested.Covers(e) {
		return e, pipeline.BadInput(attested.File, 0, fmt.Sprintf("is an attestation for %s, not for %s", attested.Endpoint.Name(), e.Name()), "name the one for this endpoint, or leave it out")
	}
	if e.Socket != "" {
		e.Class = Local
		return e, nil
	}
	e.Class = Open
	e.Addresses, err = lookup(ctx, resolve, e.URL.Hostname())
	switch {
	case err != nil && attested == nil:
		return e, err
	case err == nil && !slices.ContainsFunc(e.Addresses, func(a netip.Addr) bool { return !Private(a) }):
		e.Class = Local
	case attested != nil:
		e.Class, e.Attestation = Attested, attested
	}
	return e, nil
}

// lookup gives every address of a host, which may be an address itself.
func lookup(ctx context.Context, resolve Resolver, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, nil
	}
	if resolve == nil {
		resolve = net.DefaultResolver
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := resolve.LookupNetIP(ctx, "ip", host)
	if err == nil && len(found) == 0 {
		err = errors.New("it has none")
	}
	if err != nil {
		return nil, fmt.Errorf("the address of the endpoint %s cannot be found: %w", host, err)
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found), nil
}

// Private says whether an address is of this machine or of a private network:
// loopback, RFC 1918, link-local, unique local IPv6. What embeds an IPv4 address
// (mapped) counts as that one; what may lead out of here by translation does not.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// Check refuses to send rows of sources that are not open to an endpoint that may
// not have them. Nothing has been sent then.
func (e Endpoint) Check(sources []string) error {
	if len(sources) == 0 || e.Serves() {
		return nil
	}
	if e.Program != "" {
		return pipeline.Refused(
			fmt.Sprintf("what the program %s does with rows cannot be seen, and rows of %s must not leave to third parties", e.Program, strings.Join(sources, ", ")),
			"state with --exec-local that it sends rows to no third party, or choose open sources with --source")
	}
	return pipeline.Refused(
		fmt.Sprintf("%s is an open endpoint (%s is not in a private network), and rows of %s must not leave to third parties", e.Name(), e.away(), strings.Join(sources, ", ")),
		"use a local model, name an --attestation that the endpoint keeps nothing, trains on nothing and shows nothing to a person, or choose open sources with --source")
}

// away is an address that makes an endpoint an open one.
func (e Endpoint) away() string {
	for _, a := range e.Addresses {
		if !Private(a) {
			return a.String()
		}
	}
	return e.URL.Hostname()
}

// refuse says why a connection.
func (e Endpoint) refuse() error {
	return pipeline.Refused(e.Name()+" was a local endpoint, and its name now stands for an address outside the private network",
		"see who changed it, and name the endpoint by its address")
}

// Client makes an HTTP client for an endpoint. It follows no redirect and, where
// the endpoint is not open, uses no proxy. To a local endpoint it connects by
// addresses that it has looked at itself, so that a name which changes its meaning
// between the check and the connection leads nowhere.
func (e Endpoint) Client(resolve Resolver) *http.Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		DialContext: e.dialer(resolve),
	}
	if e.Class == Open {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (e Endpoint) dialer(resolve Resolver) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	switch {
	case e.Socket != "":
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", e.Socket)
		}
	case e.Class != Local:
		return dialer.DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		found, err := lookup(ctx, resolve, host)
		if err != nil {
			return nil, err
		}
		// All of them, not only the one that is tried first.
		if slices.ContainsFunc(found, func(a netip.Addr) bool { return !Private(a) }) {
			return nil, e.refuse()
		}
		for _, a := range found {
			var conn net.Conn
			if conn, err = dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}
