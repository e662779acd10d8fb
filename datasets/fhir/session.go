package fhir

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	gojson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Record is one accepted POST.
type Record struct {
	URL      string         `json:"url"` // of the resource type, at BaseURL
	Resource jsontext.Value `json:"resource"`
}

// Session is a Source as one attempt of one agent sees it: what is posted is
// recorded here, and neither applied nor passed on, so that nothing crosses from
// attempt to attempt, nor from a POST to a later search.
type Session struct {
	reads http.Handler

	mu      sync.Mutex
	records []Record
	bytes   int
	posted  int // over the whole session: ids of the answers
}

// NewSession stands before a source's handler.
func NewSession(reads http.Handler) *Session { return &Session{reads: reads} }

// ServeHTTP implements http.Handler.
func (s *Session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, fault := parseTarget(r.URL)
	if fault == nil && r.Method == http.MethodPost && Writable(t.kind) && t.id == "" && !t.search {
		fault = s.create(w, r, t.kind)
	} else if fault == nil {
		s.reads.ServeHTTP(w, r)
		return
	}
	if fault != nil {
		fault.write(w)
	}
}

// create checks a resource and records it.
func (s *Session) create(w http.ResponseWriter, r *http.Request, kind string) *Fault {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return &Fault{http.StatusRequestEntityTooLarge, "too-long", fmt.Sprintf("the body did not arrive whole, or is longer than %d bytes", maxBody)}
	}
	var head struct {
		ResourceType string `json:"resourceType"`
	}
	if err := decode(body, &head); err != nil {
		return invalid("the body is no FHIR resource: %v", err)
	}
	if head.ResourceType != kind {
		return invalid("the body's resourceType is not %s, which the URL names", kind)
	}
	id, fault := s.record(Record{URL: BaseURL + kind, Resource: body})
	if fault != nil {
		return fault
	}
	w.Header().Set("Location", baseOf(r)+kind+"/"+id+"/_history/1")
	return send(w, http.StatusCreated, outcomeJSON("information", "informational", "recorded"))
}

func (s *Session) record(rec Record) (id string, fault *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) >= maxRecords || s.bytes+len(rec.Resource) > maxRecord {
		return "", &Fault{http.StatusTooManyRequests, "too-costly", fmt.Sprintf("more than %d resources or %d bytes posted", maxRecords, maxRecord)}
	}
	s.posted++
	s.bytes += len(rec.Resource)
	s.records = append(s.records, rec)
	return fmt.Sprintf("recorded-%d", s.posted), nil
}

// Drain returns what was posted since the last call, as a JSON list of Record in
// the order of arrival; nil when there is none.
func (s *Session) Drain() json.RawMessage {
	s.mu.Lock()
	records := s.records
	s.records, s.bytes = nil, 0
	s.mu.Unlock()
	if len(records) == 0 {
		return nil
	}
	out, err := gojson.Marshal(records)
	if err != nil { // each was decoded when it came: cannot happen
		return nil
	}
	return out
}
