package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// Token is a code with its system; either may be empty.
type Token struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

// entry is one resource: its text, and what searches look at.
type entry struct {
	raw     jsontext.Value
	id      string
	updated []Date
	patient string // id of the patient it is about; of itself for a Patient

	identifiers []Token
	codes       []Token
	codeTexts   []word // text and displays of the code
	categories  []Token
	status      []Token
	intent      []Token
	priority    []Token
	date        []Date // effective, performed, onset, occurrence, dose timing
	authored    []Date // authoredOn, recordedDate

	person *person
}

// word is text in both forms in which searches compare it.
type word struct{ plain, folded string }

// person is what searches look at in a Patient.
type person struct {
	given, family, name                  []word
	city, state, postal, country, street []word // street: every part of the address
	gender, telecom, phone, email        []Token
	active                               []Token
	birth                                []Date
}

// concept is a CodeableConcept.
type concept struct {
	Coding []struct {
		System  string `json:"system"`
		Code    string `json:"code"`
		Display string `json:"display"`
	} `json:"coding"`
	Text string `json:"text"`
}

func (c concept) tokens() []Token {
	var tokens []Token
	for _, coding := range c.Coding {
		tokens = append(tokens, Token{coding.System, coding.Code})
	}
	return tokens
}

func (c concept) texts() []word {
	texts := words(nil, c.Text)
	for _, coding := range c.Coding {
		texts = words(texts, coding.Display)
	}
	return texts
}

// Several is a list that may be written as its one element: Procedure.category is a
// CodeableConcept, Observation.category a list of them.
type Several[T any] []T

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (s *Several[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '[' {
		return json.UnmarshalDecode(dec, (*[]T)(s))
	}
	var one T
	if err := json.UnmarshalDecode(dec, &one); err != nil {
		return err
	}
	*s = Several[T]{one}
	return nil
}

type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

// fields are the elements of all served types that searches look at.
type fields struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Meta         struct {
		LastUpdated string `json:"lastUpdated"`
	} `json:"meta"`
	Identifier []struct {
		System string `json:"system"`
		Value  string `json:"value"`
	} `json:"identifier"`

	Name []struct {
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
		Prefix []string `json:"prefix"`
		Suffix []string `json:"suffix"`
	} `json:"name"`
	Telecom []struct {
		System string `json:"system"`
		Value  string `json:"value"`
		Use    string `json:"use"`
	} `json:"telecom"`
	Gender    string `json:"gender"`
	BirthDate string `json:"birthDate"`
	Active    *bool  `json:"active"`
	Address   []struct {
		Text       string   `json:"text"`
		Line       []string `json:"line"`
		City       string   `json:"city"`
		District   string   `json:"district"`
		State      string   `json:"state"`
		PostalCode string   `json:"postalCode"`
		Country    string   `json:"country"`
	} `json:"address"`

	Subject struct {
		Reference string `json:"reference"`
	} `json:"subject"`
	Code           concept          `json:"code"`
	Medication     concept          `json:"medicationCodeableConcept"`
	Category       Several[concept] `json:"category"`
	Status         string           `json:"status"`
	ClinicalStatus concept          `json:"clinicalStatus"`
	Intent         string           `json:"intent"`
	Priority       string           `json:"priority"`

	EffectiveDateTime  string `json:"effectiveDateTime"`
	EffectiveInstant   string `json:"effectiveInstant"`
	EffectivePeriod    period `json:"effectivePeriod"`
	PerformedDateTime  string `json:"performedDateTime"`
	PerformedPeriod    period `json:"performedPeriod"`
	OnsetDateTime      string `json:"onsetDateTime"`
	OnsetPeriod        period `json:"onsetPeriod"`
	OccurrenceDateTime string `json:"occurrenceDateTime"`
	OccurrencePeriod   period `json:"occurrencePeriod"`
	RecordedDate       string `json:"recordedDate"`
	AuthoredOn         string `json:"authoredOn"`
	DosageInstruction  []struct {
		Timing struct {
			Event  []string `json:"event"`
			Repeat struct {
				BoundsPeriod period `json:"boundsPeriod"`
			} `json:"repeat"`
		} `json:"timing"`
	} `json:"dosageInstruction"`
}

// parseResource reads one resource. Its type is returned also for types that are
// not served, with a nil entry. Errors quote no content.
func parseResource(data []byte) (kind string, e *entry, err error) {
	var head struct {
		ResourceType string `json:"resourceType"`
	}
	if err := decode(data, &head); err != nil {
		return "", nil, err
	}
	if head.ResourceType == "" {
		return "", nil, errors.New("no resourceType")
	}
	if _, ok := searchable[head.ResourceType]; !ok {
		return head.ResourceType, nil, nil
	}
	var f fields
	if err := decode(data, &f); err != nil {
		return "", nil, err
	}
	if !validID(f.ID) {
		return "", nil, errors.New("id is missing or not a FHIR id")
	}
	e = &entry{raw: bytes.Clone(data), id: f.ID}
	dates := dateReader{}
	e.updated = dates.one(nil, f.Meta.LastUpdated)
	for _, id := range f.Identifier {
		e.identifiers = append(e.identifiers, Token{id.System, id.Value})
	}
	if f.ResourceType == Patient {
		e.patient = f.ID
		e.person = f.person(&dates)
	} else {
		e.patient = referenceID(f.Subject.Reference)
		f.clinical(e, &dates)
	}
	return f.ResourceType, e, dates.err
}

func decode(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &semantic):
		return fmt.Errorf("element %q has the wrong type", semantic.JSONPointer)
	case errors.As(err, &syntactic):
		return fmt.Errorf("not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return errors.New("not valid JSON")
}

// dateReader collects dates and keeps the first error.
type dateReader struct{ err error }

func (r *dateReader) parse(text string) Date {
	d, err := ParseDate(text)
	if err != nil && r.err == nil {
		r.err = err
	}
	return d
}

func (r *dateReader) one(dates []Date, text string) []Date {
	if text == "" {
		return dates
	}
	return append(dates, r.parse(text))
}

func (r *dateReader) span(dates []Date, p period) []Date {
	if p.Start == "" && p.End == "" {
		return dates
	}
	d := Date{End: forever, Clock: true, Zoned: true}
	if p.Start != "" {
		d.Start = r.parse(p.Start).Start
	}
	if p.End != "" {
		d.End = r.parse(p.End).End
	}
	return append(dates, d)
}

func (f *fields) clinical(e *entry, r *dateReader) {
	code := f.Code
	if f.ResourceType == MedicationRequest {
		code = f.Medication
	}
	e.codes, e.codeTexts = code.tokens(), code.texts()
	for _, c := range f.Category {
		e.categories = append(e.categories, c.tokens()...)
	}
	e.status, e.intent, e.priority = plain(f.Status), plain(f.Intent), plain(f.Priority)
	switch f.ResourceType {
	case Observation:
		e.date = r.span(r.one(r.one(nil, f.EffectiveDateTime), f.EffectiveInstant), f.EffectivePeriod)
	case Procedure:
		e.date = r.span(r.one(nil, f.PerformedDateTime), f.PerformedPeriod)
	case Condition:
		e.date = r.span(r.one(nil, f.OnsetDateTime), f.OnsetPeriod)
		e.authored = r.one(nil, f.RecordedDate)
		e.status = f.ClinicalStatus.tokens()
	case ServiceRequest:
		e.date = r.span(r.one(nil, f.OccurrenceDateTime), f.OccurrencePeriod)
		e.authored = r.one(nil, f.AuthoredOn)
	case MedicationRequest:
		e.authored = r.one(nil, f.AuthoredOn)
		for _, d := range f.DosageInstruction {
			for _, event := range d.Timing.Event {
				e.date = r.one(e.date, event)
			}
			e.date = r.span(e.date, d.Timing.Repeat.BoundsPeriod)
		}
	}
}

func (f *fields) person(r *dateReader) *person {
	p := &person{gender: plain(f.Gender), birth: r.one(nil, f.BirthDate)}
	if f.Active != nil {
		p.active = plain(fmt.Sprint(*f.Active))
	}
	for _, n := range f.Name {
		p.family = words(p.family, n.Family)
		p.given = words(p.given, n.Given...)
		p.name = words(p.name, n.Text, n.Family)
		p.name = words(words(words(p.name, n.Given...), n.Prefix...), n.Suffix...)
	}
	for _, t := range f.Telecom {
		token := Token{t.Use, t.Value}
		p.telecom = append(p.telecom, token)
		switch t.System {
		case "phone":
			p.phone = append(p.phone, token)
		case "email":
			p.email = append(p.email, token)
		}
	}
	for _, a := range f.Address {
		p.city = words(p.city, a.City)
		p.state = words(p.state, a.State)
		p.postal = words(p.postal, a.PostalCode)
		p.country = words(p.country, a.Country)
		p.street = words(words(p.street, a.Line...), a.Text, a.City, a.District, a.State, a.PostalCode, a.Country)
	}
	return p
}

// plain is a code without system; none for "".
func plain(code string) []Token {
	if code == "" {
		return nil
	}
	return []Token{{Code: code}}
}

// words appends texts, leaving out empty ones.
func words(to []word, texts ...string) []word {
	for _, text := range texts {
		if folded := fold(text); folded != "" {
			to = append(to, word{text, folded})
		}
	}
	return to
}

// fold makes text comparable the way string searches are: no case, no accents,
// single blanks.
func fold(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x80
	}
	if !ascii {
		var b strings.Builder
		for _, r := range norm.NFD.String(text) {
			if !unicode.Is(unicode.Mn, r) {
				b.WriteRune(r)
			}
		}
		text = b.String()
	}
	return strings.Join(strings.Fields(strings.ToLower(text)), " ")
}

// validID follows the specification: 1 to 64 letters, digits, '-' and '.'.
func validID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}

// referenceID is the id in S123, Patient/S123, or a URL that ends so; "" for a
// reference to something else.
func referenceID(reference string) string {
	reference, _, _ = strings.Cut(reference, "/_history/")
	dir, id := "", reference
	if i := strings.LastIndexByte(reference, '/'); i >= 0 {
		dir, id = reference[:i], reference[i+1:]
	}
	if dir != "" && dir != Patient && !strings.HasSuffix(dir, "/"+Patient) || !validID(id) {
		return ""
	}
	return id
}
