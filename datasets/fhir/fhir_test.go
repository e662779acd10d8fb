package fhir

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
)

// lines are a small chart: two patients, and something of each type.
var lines = []string{
	`{"resourceType":"Patient","id":"S1","identifier":[{"system":"urn:mrn","value":"S1"}],"name":[{"family":"De la Cruz","given":["José","Luis"]}],"gender":"male","birthDate":"1950-02-03","telecom":[{"system":"phone","value":"555-1","use":"home"}],"address":[{"line":["12 Oak Road"],"city":"New Town","state":"MN","postalCode":"12345"}]}`,
	`{"resourceType":"Patient","id":"S2","identifier":[{"value":"S2"}],"name":[{"family":"Stafford","given":["Peter"]}],"gender":"female","birthDate":"1932-12-29"}`,
	`{"resourceType":"Observation","id":"o1","status":"final","category":[{"coding":[{"system":"c","code":"laboratory"}]}],"code":{"coding":[{"system":"http://l","code":"MG"}],"text":"Magnesium"},"subject":{"reference":"Patient/S1"},"effectiveDateTime":"2023-11-13T08:00:00+00:00","valueQuantity":{"value":1.8,"unit":"mg/dL"}}`,
	`{"resourceType":"Observation","id":"o2","status":"final","category":[{"coding":[{"system":"c","code":"vital-signs"}]}],"code":{"coding":[{"code":"BP"}]},"subject":{"reference":"Patient/S1"},"effectiveDateTime":"2023-11-12T10:15:00+00:00"}`,
	`{"resourceType":"Observation","id":"o3","status":"final","code":{"coding":[{"system":"http://l","code":"MG"}]},"subject":{"reference":"Patient/S2"},"effectiveDateTime":"2023-11-11"}`,
	`{"resourceType":"MedicationRequest","id":"m1","status":"active","intent":"order","medicationCodeableConcept":{"coding":[{"system":"ndc","code":"1-2"}]},"subject":{"reference":"Patient/S1"},"authoredOn":"2023-01-01","dosageInstruction":[{"timing":{"repeat":{"boundsPeriod":{"start":"2023-01-01","end":"2023-02-01"}}}}]}`,
	`{"resourceType":"Procedure","id":"p1","status":"completed","category":{"coding":[{"code":"surgery"}]},"code":{"coding":[{"code":"99"}]},"subject":{"reference":"Patient/S1"},"performedDateTime":"2022-05-06T10:00:00Z"}`,
	`{"resourceType":"Procedure","id":"p2","status":"in-progress","subject":{"reference":"Patient/S1"},"performedPeriod":{"start":"2022-05-06"}}`,
	`{"resourceType":"Condition","id":"c1","category":[{"coding":[{"code":"problem-list-item"}]}],"clinicalStatus":{"coding":[{"code":"active"}]},"subject":{"reference":"Patient/S2"},"onsetDateTime":"2020"}`,
	`{"resourceType":"ServiceRequest","id":"s1","status":"active","intent":"order","priority":"stat","subject":{"reference":"Patient/S2"},"authoredOn":"2023-03-04T05:06:07Z"}`,
	`{"resourceType":"Encounter","id":"e1"}`,
}

func writeLines(t testing.TB, lines ...string) datasettest.Dir {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "all.ndjson"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return datasettest.Dir{Root: dir}
}

func load(t testing.TB, lines ...string) *Store {
	t.Helper()
	s, err := Load(context.Background(), writeLines(t, lines...), []string{"all.ndjson"}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type bundle struct {
	ResourceType string
	Type         string
	Total        int
	Link         []struct{ Relation, URL string }
	Entry        []struct {
		FullURL  string
		Resource struct{ ID string }
		Search   struct{ Mode string }
	}
	Issue []issue
}

func (b bundle) ids() string {
	var ids []string
	for _, e := range b.Entry {
		ids = append(ids, e.Resource.ID)
	}
	return strings.Join(ids, " ")
}

func get(t testing.TB, h http.Handler, path string) (*httptest.ResponseRecorder, bundle) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost:8080"+path, nil))
	var b bundle
	if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
		t.Fatalf("GET %s: %v: %s", path, err, w.Body)
	}
	return w, b
}

func TestSearch(t *testing.T) {
	h := load(t, lines...).Handler()
	for _, c := range []struct{ query, want string }{
		{"Patient", "S1 S2"},
		{"Patient?_id=S2", "S2"},
		{"Patient?identifier=S1", "S1"},
		{"Patient?identifier=urn:mrn%7CS1", "S1"},
		{"Patient?identifier=urn:other%7CS1", ""},
		{"Patient?identifier=%7CS1", ""},
		{"Patient?identifier=%7CS2", "S2"},
		{"Patient?identifier=urn:mrn%7C", "S1"},
		{"Patient?identifier=S1,S2", "S1 S2"},
		{"Patient?identifier:not=S1", "S2"},
		{"Patient?name=Peter%20Stafford", "S2"},
		{"Patient?name=peter+staff", "S2"},
		{"Patient?name=eter", ""},
		{"Patient?name:contains=eter", "S2"},
		{"Patient?family:exact=stafford", ""},
		{"Patient?family:exact=Stafford", "S2"},
		{"Patient?family=cruz", "S1"},
		{"Patient?family=de+la+cruz", "S1"},
		{"Patient?given=jose", "S1"},
		{"Patient?given=JOSÉ", "S1"},
		{"Patient?given=jos,pet", "S1 S2"},
		{"Patient?given=jose&given=peter", ""},
		{"Patient?name=nobody&family=Stafford", "S2"}, // name gives way to family
		{"Patient?birthdate=1932-12-29", "S2"},
		{"Patient?birthdate=1932", "S2"},
		{"Patient?birthdate=gt1932-12-29", "S1"},
		{"Patient?birthdate=ge1932-12-29", "S1 S2"},
		{"Patient?birthdate=lt1950", "S2"},
		{"Patient?birthdate=ne1932-12-29", "S1"},
		{"Patient?gender=male", "S1"},
		{"Patient?gender=male&legal-sex=female", "S2"},
		{"Patient?address=oak", "S1"},
		{"Patient?address=12+Oak+Road,+New+Town", "S1"},
		{"Patient?address-city=new", "S1"},
		{"Patient?address-state=MN", "S1"},
		{"Patient?address-postalcode=12345", "S1"},
		{"Patient?telecom=555-1", "S1"},
		{"Patient?phone=555-1", "S1"},
		{"Patient?address:missing=true", "S2"},
		{"Patient?name=", "S1 S2"},
		{"Patient?_sort=birthdate", "S2 S1"},
		{"Patient?_sort=-birthdate", "S1 S2"},
		{"Patient?_sort=-family", "S2 S1"},
		{"Patient?_count=1&_sort=-_id", "S2"},
		{"Patient?_count=0", ""},
		{"Patient?_summary=count", ""},
		{"Patient/_search?_id=S1", "S1"},
		{"Observation?patient=S1", "o1 o2"},
		{"Observation?patient=Patient/S1", "o1 o2"},
		{"Observation?subject:Patient=S1", "o1 o2"},
		{"Observation?patient=http://localhost:8080/fhir/Patient/S1", "o1 o2"},
		{"Observation?patient=S1,S2&code=MG", "o1 o3"},
		{"Observation?patient=S1&code=MG", "o1"},
		{"Observation?patient=S1&code=http://l%7CMG", "o1"},
		{"Observation?code:text=magn", "o1"},
		{"Observation?patient=S1&category=vital-signs", "o2"},
		{"Observation?date=2023-11", "o1 o2 o3"},
		{"Observation?date=eq2023-11-13", "o1"},
		{"Observation?date=ge2023-11-12T10:15:00%2B00:00", "o1 o2"},
		{"Observation?date=gt2023-11-12T10:15:00+00:00", "o1"}, // the plus came as a blank
		{"Observation?date=ge2023-11-12&date=lt2023-11-13", "o2"},
		{"Observation?date=le2023-11-12", "o2 o3"},
		{"Observation?date=lt2023-11-12T10:15:00Z", "o3"},
		{"Observation?date=sa2023-11-12", "o1"},
		{"Observation?date=eb2023-11-12", "o3"},
		{"Observation?date=2023-11-13T10:00:00%2B02:00", "o1"},
		{"MedicationRequest?patient=S1&date=2023", "m1"},
		{"MedicationRequest?date=ge2023-06-01", ""},
		{"MedicationRequest?code=1-2", "m1"},
		{"MedicationRequest?authoredon=2023-01-01&status=active&intent=order", "m1"},
		{"Procedure?patient=S1", "p1"},
		{"Procedure?patient=S1&status=in-progress", "p2"},
		{"Procedure?patient=S1&status=in-progress&date=ge2023", "p2"},
		{"Procedure?patient=S1&code=99&date=2022", "p1"},
		{"Procedure?category=surgery", "p1"},
		{"Condition?patient=S2&category=problem-list-item", "c1"},
		{"Condition?clinical-status=active&onset-date=2020", "c1"},
		{"ServiceRequest?patient=S2&priority=stat", "s1"},
	} {
		w, b := get(t, h, "/fhir/"+c.query)
		if w.Code != http.StatusOK || b.ResourceType != "Bundle" || b.Type != "searchset" {
			t.Errorf("%s: status %d: %s", c.query, w.Code, w.Body)
			continue
		}
		if b.ids() != c.want {
			t.Errorf("%s: got %q, want %q", c.query, b.ids(), c.want)
		}
	}
}

func TestPages(t *testing.T) {
	var many []string
	for i := range 45 {
		many = append(many, fmt.Sprintf(`{"resourceType":"Patient","id":"P%02d"}`, i))
	}
	h := load(t, many...).Handler()
	var seen []string
	next, pages := "/fhir/Patient?_format=json", 0
	for next != "" {
		_, b := get(t, h, next)
		if b.Total != 45 {
			t.Fatalf("total %d", b.Total)
		}
		pages++
		next = ""
		for _, link := range b.Link {
			if link.Relation == "next" {
				u, err := url.Parse(link.URL)
				if err != nil || u.Host != "localhost:8080" {
					t.Fatalf("next link %q: %v", link.URL, err)
				}
				next = u.RequestURI()
			}
		}
		for _, e := range b.Entry {
			seen = append(seen, e.Resource.ID)
			if e.FullURL != "http://localhost:8080/fhir/Patient/"+e.Resource.ID || e.Search.Mode != "match" {
				t.Fatalf("entry %+v", e)
			}
		}
	}
	if pages != 3 || len(seen) != 45 || seen[0] != "P00" || seen[44] != "P44" {
		t.Errorf("%d pages, %d entries", pages, len(seen))
	}
	if _, b := get(t, h, "/fhir/Patient?_count=5000"); len(b.Entry) != 45 {
		t.Errorf("_count=5000: %d entries", len(b.Entry))
	}
}

func TestReadAndFaults(t *testing.T) {
	h := load(t, lines...).Handler()
	for _, c := range []struct {
		path string
		want int
		kind string
	}{
		{"/fhir/Patient/S1", 200, "Patient"},
		{"/fhir/metadata", 200, "CapabilityStatement"},
		{"/fhir/metadata/", 200, "CapabilityStatement"},
		{"/fhir/Patient/S3", 404, "OperationOutcome"},
		{"/fhir/Patient/a_b", 404, "OperationOutcome"},
		{"/fhir/Patient/S1/_history", 404, "OperationOutcome"},
		{"/fhir/Encounter", 404, "OperationOutcome"},
		{"/fhir", 400, "OperationOutcome"},
		{"/fhirx", 404, "OperationOutcome"},
		{"/", 404, "OperationOutcome"},
		{"/fhir/Patient?nme=x", 400, "OperationOutcome"},
		{"/fhir/Patient?name:sounds=x", 400, "OperationOutcome"},
		{"/fhir/Patient?_count=x", 400, "OperationOutcome"},
		{"/fhir/Patient?_count=-1", 400, "OperationOutcome"},
		{"/fhir/Patient?_sort=shoe", 400, "OperationOutcome"},
		{"/fhir/Patient?_format=xml", 406, "OperationOutcome"},
		{"/fhir/Patient?birthdate=yesterday", 400, "OperationOutcome"},
		{"/fhir/Patient?birthdate=ap1950", 400, "OperationOutcome"},
		{"/fhir/Patient?_include=x", 400, "OperationOutcome"},
		{"/fhir/Patient?name=%zz", 400, "OperationOutcome"},
		{"/fhir/Observation?patient=a%20b", 400, "OperationOutcome"},
		{"/fhir/Patient?name=" + strings.Repeat("x", maxURL), 414, "OperationOutcome"},
		{"/fhir/Patient?name=" + strings.Repeat("x,", maxValues+1), 400, "OperationOutcome"},
		{"/fhir/Patient?" + strings.Repeat("name=x&", maxParams+1), 400, "OperationOutcome"},
	} {
		w, b := get(t, h, c.path)
		if w.Code != c.want || b.ResourceType != c.kind {
			t.Errorf("%.60s: status %d %s, want %d %s", c.path, w.Code, b.ResourceType, c.want, c.kind)
		}
		if got := w.Header().Get("Content-Type"); got != contentType {
			t.Errorf("%.60s: content type %q", c.path, got)
		}
		if c.kind == "OperationOutcome" && (len(b.Issue) != 1 || b.Issue[0].Diagnostics == "") {
			t.Errorf("%.60s: no issue: %s", c.path, w.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/fhir/Patient?nme=x&_id=S1", nil)
	r.Header.Set("Prefer", "handling=lenient")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Errorf("lenient: status %d", w.Code)
	}
}

func request(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w
}

func TestPostIsRecordedAndNotApplied(t *testing.T) {
	store := load(t, lines...)
	session, other := NewSession(store.Handler()), NewSession(store.Handler())
	const bp = `{"resourceType":"Observation","code":{"text":"BP"},"subject":{"reference":"Patient/S2"}}`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/fhir/Observation", bp, 201},
		{"POST", "/fhir/Observation/", bp, 201},
		{"POST", "/fhir/ServiceRequest", bp, 400},
		{"POST", "/fhir/Observation", `{"resourceType":"Observation",`, 400},
		{"POST", "/fhir/Observation", `{"resourceType":"Observation","a":1,"a":2}`, 400},
		{"POST", "/fhir/Observation", `[]`, 400},
		{"POST", "/fhir/Observation", "", 400},
		{"POST", "/fhir/Observation", `{"resourceType":"Observation","x":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		{"POST", "/fhir/Patient", `{"resourceType":"Patient"}`, 405},
		{"POST", "/fhir/Observation/o1", bp, 405},
		{"POST", "/fhir/metadata", "", 405},
		{"PUT", "/fhir/Observation/o1", bp, 405},
		{"DELETE", "/fhir/Observation/o1", "", 405},
		{"POST", "/fhir/Observation/_search", "patient=S2&code=MG", 200},
	} {
		w := request(session, c.method, c.path, c.body)
		if w.Code != c.want {
			t.Errorf("%s %s: status %d, want %d: %.200s", c.method, c.path, w.Code, c.want, w.Body)
		}
		if c.want == 201 && !strings.HasPrefix(w.Header().Get("Location"), "http://example.com/fhir/Observation/") {
			t.Errorf("Location %q", w.Header().Get("Location"))
		}
	}
	if _, b := get(t, session, "/fhir/Observation?patient=S2"); b.ids() != "o3" {
		t.Errorf("after the POST: %s", b.ids())
	}
	var records []Record
	if err := json.Unmarshal(session.Drain(), &records); err != nil {
		t.Fatal(err)
	}
	if len(records) != 2 || records[0].URL != BaseURL+"Observation" || string(records[0].Resource) != bp {
		t.Errorf("records %+v", records)
	}
	if session.Drain() != nil || other.Drain() != nil {
		t.Error("records after the drain, or in another session")
	}
	for range maxRecords {
		request(session, "POST", "/fhir/Observation", bp)
	}
	if w := request(session, "POST", "/fhir/Observation", bp); w.Code != http.StatusTooManyRequests {
		t.Errorf("above the limit: status %d", w.Code)
	}
}

func TestLoadFaults(t *testing.T) {
	ok := lines[0]
	for _, c := range []struct{ name, line, want string }{
		{"not JSON", `{"resourceType":`, "all.ndjson:2: not valid JSON"},
		{"not an object", `[1]`, "all.ndjson:2: "},
		{"no type", `{"id":"x"}`, "all.ndjson:2: no resourceType"},
		{"no id", `{"resourceType":"Patient"}`, "all.ndjson:2: id is missing"},
		{"bad id", `{"resourceType":"Patient","id":"a b"}`, "all.ndjson:2: id is missing"},
		{"twice", ok, "all.ndjson:2: a resource with this type and id came before"},
		{"wrong type", `{"resourceType":"Patient","id":"x","name":"Ann"}`, `all.ndjson:2: element "/name" has the wrong type`},
		{"bad date", `{"resourceType":"Patient","id":"x","birthDate":"1950-02-30"}`, "all.ndjson:2: not a FHIR date"},
		{"duplicate key", `{"resourceType":"Patient","id":"x","id":"y"}`, "all.ndjson:2: not valid JSON"},
		{"not UTF-8", "{\"resourceType\":\"Patient\",\"id\":\"x\",\"gender\":\"\xff\"}", "all.ndjson:2: invalid_utf8"},
	} {
		_, err := Load(context.Background(), writeLines(t, ok, c.line), []string{"all.ndjson"}, Limits{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := Load(context.Background(), writeLines(t, lines...), []string{"all.ndjson"}, Limits{Resources: 3}); err == nil {
		t.Error("no error above the limit of resources")
	}
	if _, err := Load(context.Background(), writeLines(t, lines...), []string{"all.ndjson"}, Limits{Bytes: 100}); err == nil {
		t.Error("no error above the limit of bytes")
	}
	if _, err := Load(context.Background(), writeLines(t), []string{"absent.ndjson"}, Limits{}); err == nil {
		t.Error("no error for a file that is absent")
	}
	s := load(t, lines...)
	if s.Len() != 10 || s.Count(Observation) != 3 || s.Skipped()["Encounter"] != 1 {
		t.Errorf("loaded %d, skipped %v", s.Len(), s.Skipped())
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Load(cancelled, writeLines(t, lines...), []string{"all.ndjson"}, Limits{}); err == nil {
		t.Error("no error when cancelled")
	}
}

func TestConcurrentSessions(t *testing.T) {
	store := load(t, lines...)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			session := NewSession(store.Handler())
			for range 50 {
				if w := request(session, "GET", "/fhir/Observation?patient=S1&date=ge2023", ""); w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
				request(session, "POST", "/fhir/Observation", `{"resourceType":"Observation"}`)
			}
			var records []Record
			if err := json.Unmarshal(session.Drain(), &records); err != nil || len(records) != 50 {
				t.Errorf("%d records: %v", len(records), err)
			}
		})
	}
	wg.Wait()
}

// TestRealPatients reads the 500 patients of MedAgentBench's server.
func TestRealPatients(t *testing.T) {
	dir := datasettest.Dir{Root: filepath.Join(datasettest.SharedData(t), "fhir")}
	s, err := Load(context.Background(), dir, []string{"Patient.ndjson.gz"}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Count(Patient) != 500 {
		t.Fatalf("%d patients", s.Count(Patient))
	}
	h := s.Handler()
	for _, query := range []string{
		"name=Peter+Stafford&birthdate=1932-12-29", "given=Peter&family=Stafford&birthdate=1932-12-29",
		"identifier=S6534835", "_id=S6534835",
	} {
		if _, b := get(t, h, "/fhir/Patient?"+query); b.ids() != "S6534835" || b.Total != 1 {
			t.Errorf("%s: %s", query, b.ids())
		}
	}
	if _, b := get(t, h, "/fhir/Patient?name=Kyle+Jia&birthdate=1969-05-15"); b.Total != 0 || b.Entry != nil {
		t.Errorf("a patient who is not there: %d", b.Total)
	}
	if _, b := get(t, h, "/fhir/Observation?patient=S6534835"); b.Total != 0 {
		t.Error("observations where there are none")
	}
	if has, err := s.Has(context.Background(), Observation); has || err != nil {
		t.Errorf("Has(Observation): %v, %v", has, err)
	}
}

func TestRemote(t *testing.T) {
	store := load(t, lines...)
	var methods []string
	var user string
	real := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		user, _, _ = r.BasicAuth()
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/r4")
		if strings.HasSuffix(r.URL.Path, "/Condition") {
			http.Redirect(w, r, "http://example.org/", http.StatusFound)
			return
		}
		// The real server's own address stands in its answers.
		rec := httptest.NewRecorder()
		store.Handler().ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		io.WriteString(w, strings.ReplaceAll(rec.Body.String(), r.Host+"/fhir", r.Host+"/r4/fhir"))
	}))
	defer real.Close()

	remote, err := NewRemote(strings.Replace(real.URL, "http://", "http://ann:secret@", 1) + "/r4/fhir")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if has, err := remote.Has(ctx, Observation); !has || err != nil {
		t.Errorf("Has: %v %v", has, err)
	}
	found, err := remote.Search(ctx, Observation, url.Values{"_count": {"1"}, "patient": {"S1"}})
	if err != nil || len(found) != 2 {
		t.Errorf("over pages: %d found, %v", len(found), err)
	}
	if _, err := remote.Search(ctx, Condition, nil); err == nil {
		t.Error("a redirect was followed")
	}
	session := NewSession(remote.Handler())
	w, b := get(t, session, "/fhir/Observation?patient=S1&_count=1")
	if w.Code != 200 || b.ids() != "o1" || b.Entry[0].FullURL != "http://localhost:8080/fhir/Observation/o1" {
		t.Errorf("through the session: %d %s", w.Code, w.Body)
	}
	if w, _ := get(t, session, "/fhir/Patient/S9"); w.Code != 404 {
		t.Errorf("status %d", w.Code)
	}
	if w, _ := get(t, session, "/fhir/Condition"); w.Code != 502 {
		t.Errorf("redirect: status %d", w.Code)
	}
	if w := request(session, "POST", "/fhir/Observation", `{"resourceType":"Observation"}`); w.Code != 201 {
		t.Errorf("POST: status %d", w.Code)
	}
	if w := request(session, "DELETE", "/fhir/Observation/o1", ""); w.Code != 405 {
		t.Errorf("DELETE: status %d", w.Code)
	}
	if strings.Contains(strings.Join(methods, " "), "POST") || strings.Contains(strings.Join(methods, " "), "DELETE") {
		t.Errorf("the real server saw %v", methods)
	}
	if user != "ann" {
		t.Errorf("user %q", user)
	}
	real.Close()
	if w, _ := get(t, session, "/fhir/Patient/S1"); w.Code != 502 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("server gone: %d %s", w.Code, w.Body)
	}
	for _, bad := range []string{"", "localhost:8080", "ftp://x/fhir", "http://", "http://x/fhir?a=b"} {
		if _, err := NewRemote(bad); err == nil {
			t.Errorf("NewRemote(%q) took it", bad)
		}
	}
}

func TestParseDate(t *testing.T) {
	for _, c := range []struct{ text, start, end string }{
		{"2023", "2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z"},
		{"2023-12", "2023-12-01T00:00:00Z", "2024-01-01T00:00:00Z"},
		{"2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"2023-11-13T10:15", "2023-11-13T10:15:00Z", "2023-11-13T10:16:00Z"},
		{"2023-11-13T10:15:00+02:00", "2023-11-13T08:15:00Z", "2023-11-13T08:15:01Z"},
		{"2023-11-13T10:15:00.250-05:30", "2023-11-13T15:45:00.25Z", "2023-11-13T15:45:00.251Z"},
	} {
		d, err := ParseDate(c.text)
		if got := d.Start.Format("2006-01-02T15:04:05.999Z07:00"); err != nil || got != c.start {
			t.Errorf("%s starts %s (%v), want %s", c.text, got, err, c.start)
		}
		if got := d.End.Format("2006-01-02T15:04:05.999Z07:00"); got != c.end {
			t.Errorf("%s ends %s, want %s", c.text, got, c.end)
		}
	}
	for _, bad := range []string{"", "23", "0000", "2023-13", "2023-02-29", "2023-1-1", "2023-11-13T", "2023-11-13T24:00:00Z",
		"2023-11-13T10:15:00.Z", "2023-11-13T10:15:00+0200", "2023-11-13 10:15", "2023-11-13T10:15:00Zx", "２０２３"} {
		if _, err := ParseDate(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2023", "2023-11-13", "2023-11-13T10:15:00.123456789+14:59", "9999-12-31T23:59:60Z", "ge2023"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDate(s); err == nil && !d.Start.Before(d.End) {
			t.Errorf("%q: empty span", s)
		}
		if v, err := parseDateValue(s); err == nil && v.prefix == equal && !v.matches(v.date) {
			t.Errorf("%q does not equal itself", s)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"patient=S1&date=ge2023&code=MG", "name:exact=a\\,b,c&_sort=-birthdate,_id", "identifier=a|b|c&_count=3&_offset=1", "code:not=x&_format=json"} {
		f.Add(uint8(1), q)
	}
	store := load(f, lines...)
	f.Fuzz(func(t *testing.T, kind uint8, raw string) {
		params, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q, fault := parseQuery(Types()[int(kind)%6], params, false)
		if fault != nil {
			if fault.Status < 400 || fault.Status > 499 || fault.Text == "" {
				t.Errorf("fault %+v", fault)
			}
			return
		}
		// An index may only leave out what does not match.
		indexed := store.search(q)
		n := 0
		for _, e := range store.tables[q.kind].entries {
			all := true
			for i := range q.filters {
				all = all && q.filters[i].matches(e)
			}
			if all {
				n++
			}
		}
		if n != len(indexed) {
			t.Errorf("%d through the index, %d without", len(indexed), n)
		}
		if body := store.bundle(q, BaseURL, params); !json.Valid(body) {
			t.Errorf("not JSON: %s", body)
		}
	})
}

// chart is 200 patients with 50 measurements each.
func chart(b *testing.B) *Store {
	var all []string
	for p := range 200 {
		all = append(all, fmt.Sprintf(`{"resourceType":"Patient","id":"S%d","identifier":[{"value":"S%d"}],"name":[{"family":"F%d","given":["G"]}],"birthDate":"1950-01-01"}`, p, p, p))
		for o := range 50 {
			all = append(all, fmt.Sprintf(`{"resourceType":"Observation","id":"o%d-%d","code":{"coding":[{"code":"C%d"}]},"subject":{"reference":"Patient/S%d"},"effectiveDateTime":"2023-11-%02dT10:15:00+00:00","valueQuantity":{"value":1.5,"unit":"mg/dL"}}`, p, o, o%4, p, 1+o%28))
		}
	}
	return load(b, all...)
}

func BenchmarkSearch(b *testing.B) {
	store := chart(b)
	for name, query := range map[string]string{
		"patient_code": "Observation?patient=S7&code=C1&_count=5000&_format=json",
		"date":         "Observation?date=2023-11-13",
		"identifier":   "Patient?identifier=S7",
		"name_scan":    "Patient?name=F17",
	} {
		b.Run(name, func(b *testing.B) {
			h := store.Handler()
			r := httptest.NewRequest(http.MethodGet, "/fhir/"+query, nil)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != 200 {
						b.Error(w.Code)
					}
				}
			})
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	var all []string
	for i := range 20_000 {
		all = append(all, strings.Replace(lines[2], `"o1"`, fmt.Sprintf(`"o%d"`, i), 1))
	}
	dir := writeLines(b, all...)
	b.SetBytes(int64(20_000 * len(all[0])))
	for b.Loop() {
		if _, err := Load(context.Background(), dir, []string{"all.ndjson"}, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
