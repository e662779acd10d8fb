package governance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/medgym-data/medgym-data/pipeline"
)

// names is a resolver of a fixed table; the n-th answer to a name is its n-th entry.
type names struct {
	table map[string][][]string
	asked atomic.Int32
}

func (n *names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers := n.table[host]
	if answers == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	i := min(int(n.asked.Add(1))-1, len(answers)-1)
	var out []netip.Addr
	for _, a := range answers[i] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func TestClassify(t *testing.T) {
	resolver := &names{table: map[string][][]string{
		"gpu.ward.example": {{"10.1.2.3", "fd00::5"}},
		"api.example.com":  {{"93.184.215.14"}},
		"mixed.example":    {{"10.1.2.3", "93.184.215.14"}},
		"localhost":        {{"127.0.0.1", "::1"}},
		"localhost.evil":   {{"203.0.113.7"}},
		"none.example":     {{}},
	}}
	tests := []struct {
		endpoint string
		want     Class
	}{
		{"http://127.0.0.1:8000/v1", Local},
		{"http://127.9.9.9", Local},
		{"http://[::1]:8000/v1/", Local},
		{"http://[::ffff:127.0.0.1]/v1", Local},
		{"http://10.0.0.7/v1", Local},
		{"http://172.16.0.1/v1", Local},
		{"http://172.31.255.255/v1", Local},
		{"https://192.168.1.1/v1", Local},
		{"http://169.254.7.7/v1", Local},
		{"http://[fe80::1]/v1", Local},
		{"http://[fd12:3456::1]/v1", Local},
		{"http://localhost:11434/v1", Local},
		{"http://gpu.ward.example/v1", Local},
		{"unix:/run/model.sock", Local},
		{"unix:///run/model.sock", Local},
		{"http://127.0.0.1/openai/deployments/m?api-version=2024-10-21", Local},
		{"http://172.32.0.1/v1", Open},
		{"http://100.64.0.1/v1", Open}, // a carrier's network is not ours
		{"http://8.8.8.8/v1", Open},
		{"http://0.0.0.0/v1", Open},
		{"http://[::]/v1", Open},
		{"http://[2001:db8::1]/v1", Open},
		{"http://[::ffff:8.8.8.8]/v1", Open},
		{"http://[64:ff9b::a00:1]/v1", Open}, // translated: it leads out
		{"https://api.example.com/v1", Open},
		{"http://mixed.example/v1", Open},
		{"http://localhost.evil/v1", Open},
	}
	for _, tt := range tests {
		e, err := Classify(t.Context(), tt.endpoint, nil, resolver)
		if err != nil || e.Class != tt.want {
			t.Errorf("%s: %q, want %q, %v", tt.endpoint, e.Class, tt.want, err)
		}
		refusal := e.Check([]string{"icu"})
		var refused *pipeline.PolicyError
		if (tt.want == Open) != errors.As(refusal, &refused) {
			t.Errorf("%s: %v", tt.endpoint, refusal)
		}
		if err := e.Check(nil); err != nil {
			t.Errorf("%s for open rows: %v", tt.endpoint, err)
		}
	}
	for text, want := range map[string]string{
		"127.0.0.1:8000": "not a URL", "ftp://127.0.0.1/": "begins with none", "http:///v1": "names no host", "": "begins with none",
		"http://user:secret@127.0.0.1/": "holds a user", "http://127.0.0.1/?key=secret": "has a query", "unix:run.sock": "begins with /",
		"http://127.0.0.1/v1?api-version=1": "has a query", "http://127.0.0.1/openai/deployments/m?api-version=1&key=secret": "has a query",
		"http://absent.example/v1": "cannot be found", "http://none.example/": "cannot be found", "http://[::1/": "not a URL",
	} {
		if _, err := Classify(t.Context(), text, nil, resolver); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

const attestation = `endpoint: https://api.example.com/v1
zero_retention: true
no_training_use: true
no_human_review: true
verified_by: Jane Doe
date: 2026-06-01
expires: 2026-12-31
note: contract 17
`

func writeAttestation(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "attestation.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAttestation(t *testing.T) {
	resolver := &names{table: map[string][][]string{"api.example.com": {{"93.184.215.14"}}}}
	a, err := ReadAttestation(writeAttestation(t, attestation), noon)
	if err != nil {
		t.Fatal(err)
	}
	if a.VerifiedBy != "Jane Doe" || a.Date != "2026-06-01" || a.Note != "contract 17" {
		t.Errorf("%+v", a)
	}
	e, err := Classify(t.Context(), "https://API.example.com/v1/", a, resolver)
	if err != nil || e.Class != Attested || !e.Serves() || e.Check([]string{"icu"}) != nil {
		t.Errorf("%+v, %v", e, err)
	}
	// It is about one endpoint and no other.
	for _, other := range []string{"http://api.example.com/v1", "https://api.example.com/v2", "https://api.example.com:8443/v1", "https://example.com/v1", "unix:/run/m.sock"} {
		var bad *pipeline.InputError
		if _, err := Classify(t.Context(), other, a, resolver); !errors.As(err, &bad) {
			t.Errorf("%s: %v", other, err)
		}
	}
	for _, tt := range []struct {
		name, old, new string
		line           int64
		want           string
	}{
		{"unknown key", "note:", "notes:", 8, `unknown key "notes"`},
		{"a statement missing", "no_human_review: true\n", "", 1, "has no no_human_review"},
		{"a statement false", "zero_retention: true", "zero_retention: false", 2, "zero_retention is false"},
		{"a statement as text", "zero_retention: true", `zero_retention: "true"`, 2, "zero_retention is not true or false"},
		{"no boolean", "no_training_use: true", "no_training_use: mostly", 3, "no_training_use is not true or false"},
		{"nobody", "verified_by: Jane Doe", "verified_by:", 5, "verified_by is empty"},
		{"tomorrow", "date: 2026-06-01", "date: 2026-06-16", 6, "date is 2026-06-16, in the future"},
		{"expired", "expires: 2026-12-31", "expires: 2026-06-14", 7, "expired on 2026-06-14"},
		{"not encrypted", "https://", "http://", 1, "is not encrypted"},
		{"no endpoint", "https://api.example.com/v1", "api", 1, "endpoint cannot be used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadAttestation(writeAttestation(t, strings.Replace(attestation, tt.old, tt.new, 1)), noon)
			var bad *pipeline.InputError
			if !errors.As(err, &bad) || bad.Line != tt.line || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := ReadAttestation(writeAttestation(t, AttestationTemplate), noon); err == nil {
		t.Error("the template is an attestation")
	}
}

// An attestation does not make a local endpoint anything else, and needs no address
// that can be found here.
func TestAttestedAddresses(t *testing.T) {
	a, err := ReadAttestation(writeAttestation(t, attestation), noon)
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]Class{"10.0.0.1": Local, "93.184.215.14": Attested} {
		e, err := Classify(t.Context(), "https://api.example.com/v1", a, &names{table: map[string][][]string{"api.example.com": {{addr}}}})
		if err != nil || e.Class != want {
			t.Errorf("%s: %s, %v", addr, e.Class, err)
		}
	}
	if e, err := Classify(t.Context(), "https://api.example.com/v1", a, &names{}); err != nil || e.Class != Attested {
		t.Errorf("%s, %v", e.Class, err)
	}
}

// The address that is connected to is the one that was looked at: a name that
// means another place when the connection is made leads nowhere.
func TestRebinding(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "reached") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(server.URL, "http://"))
	for name, tt := range map[string]struct {
		answers [][]string
		reached bool
	}{
		"stays":                {[][]string{{"127.0.0.1"}}, true},
		"becomes public":       {[][]string{{"127.0.0.1"}, {"203.0.113.7"}}, false},
		"gains a public one":   {[][]string{{"127.0.0.1"}, {"127.0.0.1", "203.0.113.7"}}, false},
		"moves in the network": {[][]string{{"10.255.255.254"}, {"127.0.0.1"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			resolver := &names{table: map[string][][]string{"model.example": tt.answers}}
			e, err := Classify(t.Context(), "http://model.example:"+port+"/v1", nil, resolver)
			if err != nil || e.Class != Local {
				t.Fatalf("%s, %v", e.Class, err)
			}
			res, err := e.Client(resolver).Get(e.URL.String())
			var refused *pipeline.PolicyError
			switch {
			case tt.reached && err != nil:
				t.Fatal(err)
			case tt.reached:
				_ = res.Body.Close()
			case !errors.As(err, &refused):
				t.Errorf("%v", err)
			}
		})
	}
}

// Neither a proxy of the environment nor a redirect takes rows elsewhere.
func TestNoDetour(t *testing.T) {
	var strangers atomic.Int32
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	defer stranger.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, stranger.URL)
	}
	t.Setenv("NO_PROXY", "")
	for _, class := range []Class{Local, Attested} {
		transport := Endpoint{URL: &url.URL{Scheme: "http", Host: "model.example"}, Class: class}.Client(nil).Transport.(*http.Transport)
		if transport.Proxy != nil {
			t.Errorf("a %s endpoint is reached through a proxy", class)
		}
	}
	server := httptest.NewServer(http.RedirectHandler(stranger.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	e, err := Classify(t.Context(), server.URL, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Client(nil).Post(server.URL, "application/json", strings.NewReader("a row"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect || strangers.Load() != 0 {
		t.Errorf("status %d, %d requests went elsewhere", res.StatusCode, strangers.Load())
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) })}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	e, err := Classify(t.Context(), "unix:"+path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Client(nil).Get(e.URL.String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); string(text) != "/v1" || e.Name() != "unix:"+path {
		t.Errorf("%s, %s", text, e.Name())
	}
}
