package fhir

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const contentType = "application/fhir+json;charset=utf-8"

// target is what the path of a request names.
type target struct {
	kind     string // resource type; empty for the base itself and for metadata
	id       string
	search   bool // POST to _search
	metadata bool
}

// parseTarget reads the path of a URL below BasePath.
func parseTarget(u *url.URL) (target, *Fault) {
	if len(u.RequestURI()) > maxURL {
		return target{}, &Fault{http.StatusRequestURITooLong, "too-long", fmt.Sprintf("the URL is longer than %d bytes", maxURL)}
	}
	unknown := &Fault{http.StatusNotFound, "not-found", "nothing is served here; see " + BasePath + "metadata"}
	rest, ok := strings.CutPrefix(u.Path+"/", BasePath)
	if !ok {
		return target{}, unknown
	}
	rest = strings.TrimRight(rest, "/")
	kind, id, _ := strings.Cut(rest, "/")
	switch {
	case rest == "":
		return target{}, nil
	case rest == "metadata":
		return target{metadata: true}, nil
	case searchable[kind] == nil:
		return target{}, &Fault{http.StatusNotFound, "not-supported",
			fmt.Sprintf("resource type %q is not served; served: %s", printable(kind), strings.Join(Types(), ", "))}
	case id == "_search":
		return target{kind: kind, search: true}, nil
	case id != "" && !validID(id):
		return target{}, unknown
	}
	return target{kind: kind, id: id}, nil
}

// Handler implements Source.
func (s *Store) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Store) serve(w http.ResponseWriter, r *http.Request) {
	t, fault := parseTarget(r.URL)
	if fault == nil {
		fault = s.answer(w, r, t)
	}
	if fault != nil {
		fault.write(w)
	}
}

func (s *Store) answer(w http.ResponseWriter, r *http.Request, t target) *Fault {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !read && !(t.search && r.Method == http.MethodPost) {
		return notAllowed(w, r.Method, t)
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalid("the query is not URL-encoded")
	}
	switch {
	case t.metadata:
		if fault := checkFormat(params.Get("_format")); fault != nil {
			return fault
		}
		return send(w, http.StatusOK, capabilities())
	case t.kind == "":
		return invalid("name a resource type or metadata below %s", BasePath)
	case t.id != "":
		return s.read(w, params, t)
	case t.search && !read:
		if fault := formParams(w, r, params); fault != nil {
			return fault
		}
	}
	q, fault := parseQuery(t.kind, params, strings.Contains(r.Header.Get("Prefer"), "handling=lenient"))
	if fault != nil {
		return fault
	}
	return send(w, http.StatusOK, s.bundle(q, baseOf(r), params))
}

func (s *Store) read(w http.ResponseWriter, params url.Values, t target) *Fault {
	if fault := checkFormat(params.Get("_format")); fault != nil {
		return fault
	}
	table := s.tables[t.kind]
	at, ok := table.byID[t.id]
	if !ok {
		return &Fault{http.StatusNotFound, "not-found", fmt.Sprintf("%s/%s is not known", t.kind, t.id)}
	}
	return send(w, http.StatusOK, table.entries[at].raw)
}

// formParams adds the body of a POST to _search.
func formParams(w http.ResponseWriter, r *http.Request, params url.Values) *Fault {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxURL))
	if err != nil {
		return &Fault{http.StatusRequestEntityTooLarge, "too-long", fmt.Sprintf("the form is longer than %d bytes", maxURL)}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return invalid("the form is not URL-encoded")
	}
	for key, values := range form {
		params[key] = append(params[key], values...)
	}
	return nil
}

func notAllowed(w http.ResponseWriter, method string, t target) *Fault {
	allow := "GET, HEAD"
	if Writable(t.kind) && t.id == "" || t.search {
		allow += ", POST"
	}
	w.Header().Set("Allow", allow)
	return &Fault{http.StatusMethodNotAllowed, "not-supported", fmt.Sprintf("%s is not served here; allowed: %s", printable(method), allow)}
}

// baseOf is the base URL as the client wrote it.
func baseOf(r *http.Request) string {
	if r.Host == "" || len(r.Host) > 255 {
		return BaseURL
	}
	return (&url.URL{Scheme: "http", Host: r.Host, Path: BasePath}).String()
}

// bundle writes the searchset of a query: one page of it.
func (s *Store) bundle(q query, base string, params url.Values) jsontext.Value {
	found := s.search(q)
	total := len(found)
	page := found[min(q.offset, total):min(q.offset+q.count, total)]
	if q.countOnly {
		page = nil
	}
	size := 512
	for _, e := range page {
		size += len(e.raw) + len(base) + len(e.id) + 96
	}
	out := make([]byte, 0, size)
	out = append(out, `{"resourceType":"Bundle","type":"searchset","total":`...)
	out = strconv.AppendInt(out, int64(total), 10)
	out = append(out, `,"link":[`...)
	out = appendLink(out, "self", base, q.kind, params, nil)
	if !q.countOnly {
		if q.offset+q.count < total {
			out = appendLink(append(out, ','), "next", base, q.kind, params, &window{q.offset + q.count, q.count})
		}
		if q.offset > 0 {
			out = appendLink(append(out, ','), "previous", base, q.kind, params, &window{max(0, q.offset-q.count), q.count})
		}
	}
	out = append(out, ']')
	for i, e := range page {
		if i == 0 {
			out = append(out, `,"entry":[`...)
		} else {
			out = append(out, ',')
		}
		out = append(out, `{"fullUrl":`...)
		out = appendQuoted(out, base+q.kind+"/"+e.id)
		out = append(out, `,"resource":`...)
		out = append(out, e.raw...)
		out = append(out, `,"search":{"mode":"match"}}`...)
	}
	if len(page) > 0 {
		out = append(out, ']')
	}
	return append(out, '}')
}

type window struct{ offset, count int }

func appendLink(out []byte, relation, base, kind string, params url.Values, at *window) []byte {
	if at != nil {
		with := url.Values{}
		for key, values := range params {
			with[key] = values
		}
		with.Set("_offset", strconv.Itoa(at.offset))
		with.Set("_count", strconv.Itoa(at.count))
		params = with
	}
	address := base + kind
	if len(params) > 0 {
		address += "?" + params.Encode()
	}
	out = append(out, `{"relation":"`+relation+`","url":`...)
	return append(appendQuoted(out, address), '}')
}

func appendQuoted(out []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(out, text)
	if err != nil { // not UTF-8: quoted all the same, its bad bytes replaced
		quoted, _ = jsontext.AppendQuote(out, strings.ToValidUTF8(text, "?"))
	}
	return quoted
}

func send(w http.ResponseWriter, status int, body []byte) *Fault {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that went away is no fault of the service.
	_, _ = w.Write(body)
	return nil
}

type issue struct {
	Severity    string `json:"severity"`
	Code        string `json:"code"`
	Diagnostics string `json:"diagnostics"`
}

type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

func outcomeJSON(severity, code, text string) []byte {
	body, err := json.Marshal(outcome{"OperationOutcome", []issue{{severity, code, text}}})
	if err != nil { // text of a client that is not UTF-8
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}`)
	}
	return body
}

func (f *Fault) write(w http.ResponseWriter) {
	send(w, f.Status, outcomeJSON("error", f.Code, f.Text))
}

type interaction struct {
	Code string `json:"code"`
}

type searchParam struct {
	Name string    `json:"name"`
	Type paramType `json:"type"`
}

type restResource struct {
	Type        string        `json:"type"`
	Interaction []interaction `json:"interaction"`
	SearchParam []searchParam `json:"searchParam"`
}

type rest struct {
	Mode     string         `json:"mode"`
	Resource []restResource `json:"resource"`
}

type capabilityStatement struct {
	ResourceType string   `json:"resourceType"`
	Status       string   `json:"status"`
	Date         string   `json:"date"`
	Kind         string   `json:"kind"`
	FHIRVersion  string   `json:"fhirVersion"`
	Format       []string `json:"format"`
	Software     struct {
		Name string `json:"name"`
	} `json:"software"`
	Implementation struct {
		Description string `json:"description"`
		URL         string `json:"url"`
	} `json:"implementation"`
	Rest []rest `json:"rest"`
}

// capabilities is the CapabilityStatement of the service.
func capabilities() []byte {
	c := capabilityStatement{ResourceType: "CapabilityStatement", Status: "active", Date: "2023-11-13", Kind: "instance",
		FHIRVersion: "4.0.1", Format: []string{"application/fhir+json", "json"}}
	c.Software.Name = "medgym-data"
	c.Implementation.Description = "Reads and searches over recorded data; what is posted is recorded and never applied."
	c.Implementation.URL = strings.TrimSuffix(BaseURL, "/")
	server := rest{Mode: "server"}
	for _, kind := range Types() {
		r := restResource{Type: kind, Interaction: []interaction{{"read"}, {"search-type"}}}
		if Writable(kind) {
			r.Interaction = append(r.Interaction, interaction{"create"})
		}
		for _, d := range searchable[kind] {
			r.SearchParam = append(r.SearchParam, searchParam{d.name, d.kind})
		}
		slices.SortFunc(r.SearchParam, func(a, b searchParam) int { return strings.Compare(a.Name, b.Name) })
		server.Resource = append(server.Resource, r)
	}
	c.Rest = []rest{server}
	body, err := json.Marshal(c)
	if err != nil { // a constant of plain text: cannot happen
		return outcomeJSON("fatal", "exception", "the CapabilityStatement could not be written")
	}
	return body
}
