package medagentbench

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/datasets/grading"
)

// What an order says of routes and units, in the spellings below.
const (
	routeIV             = "iv"
	routeOral           = "oral"
	unitGram            = "g"
	unitMilliequivalent = "meq"
)

// readRecords reads what a session's service drained. The host wrote it, so a
// fault in it is none of the agent's.
func readRecords(raw datasets.RawValue) ([]fhir.Record, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var records []fhir.Record
	return records, datasets.DecodeJSON(raw, &records)
}

// checkPosts compares the orders with what was sent: each order once, in any
// sequence, and nothing else. The reason is empty where that is so.
func checkPosts(want []order, sent []fhir.Record, patientID string, zone *time.Location) string {
	if len(sent) != len(want) {
		return reasonPostCount
	}
	left := slices.Clone(sent)
	for _, o := range want {
		i := slices.IndexFunc(left, func(r fhir.Record) bool { return r.URL == fhir.BaseURL+o.Type })
		if i < 0 {
			return reasonPostURL
		}
		if reason := o.check(left[i].Resource, patientID, zone); reason != "" {
			return reason
		}
		left = slices.Delete(left, i, i+1)
	}
	return ""
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

// concept is a CodeableConcept, or its text alone.
type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text"`
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (c *concept) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, &c.Text)
	}
	type plain concept // without this method
	return json.UnmarshalDecode(dec, (*plain)(c))
}

// is reports whether the concept is coded as asked, and as nothing else in that
// system: an order for two drugs is not the order for one of them.
func (c concept) is(system, code string) bool {
	found := false
	for _, have := range c.Coding {
		if have.System == system && have.Code != code {
			return false
		}
		found = found || have.System == system && have.Code == code
	}
	return found
}

// says reports whether one of the spellings is the concept's text, or the code or
// display of a coding, and that nothing in it says otherwise.
func (c concept) says(spellings []string) bool {
	among := func(text string) bool { return slices.Contains(spellings, strings.ToLower(strings.TrimSpace(text))) }
	if c.Text != "" {
		return among(c.Text)
	}
	return len(c.Coding) == 1 && (among(c.Coding[0].Display) || among(c.Coding[0].Code))
}

type quantity struct {
	Value *float64 `json:"value"`
	Unit  string   `json:"unit"`
	Code  string   `json:"code"`
}

// in reads the quantity by a table of units: how many of the unit asked for one of
// each is.
func (q quantity) in(units map[string]float64) (float64, bool) {
	unit := q.Unit
	if unit == "" {
		unit = q.Code
	}
	factor, ok := units[strings.ToLower(strings.Join(strings.Fields(unit), ""))]
	if q.Value == nil || !ok {
		return 0, false
	}
	return *q.Value * factor, true
}

type dosage struct {
	Route       concept `json:"route"`
	DoseAndRate fhir.Several[struct {
		Dose quantity `json:"doseQuantity"`
		Rate quantity `json:"rateQuantity"`
	}] `json:"doseAndRate"`
}

// resource is what is looked at in a posted resource, of all three types.
type resource struct {
	ResourceType string                `json:"resourceType"`
	Status       string                `json:"status"`
	Intent       string                `json:"intent"`
	Priority     string                `json:"priority"`
	Category     fhir.Several[concept] `json:"category"`
	Code         concept               `json:"code"`
	Medication   concept               `json:"medicationCodeableConcept"`
	Subject      struct {
		Reference string `json:"reference"`
	} `json:"subject"`
	Effective string               `json:"effectiveDateTime"`
	Authored  string               `json:"authoredOn"`
	Occurs    string               `json:"occurrenceDateTime"`
	Value     string               `json:"valueString"`
	Dosage    fhir.Several[dosage] `json:"dosageInstruction"`
	Note      fhir.Several[struct {
		Text string `json:"text"`
	}] `json:"note"`
}

// check compares one posted resource with the order; the reason is empty where it
// is right. What the order does not name may be there: a display, an id, a meta.
func (o order) check(data jsontext.Value, patientID string, zone *time.Location) string {
	var r resource
	if json.Unmarshal(data, &r) != nil {
		return reasonPostBroken
	}
	if r.ResourceType != o.Type {
		return reasonPostURL
	}
	if !refersTo(r.Subject.Reference, patientID) {
		return reasonPostWho
	}
	switch o.Type {
	case fhir.Observation:
		return o.checkObservation(r, zone)
	case fhir.MedicationRequest:
		return o.checkMedication(r, zone)
	}
	return o.checkService(r, zone)
}

// refersTo reports whether a reference names the patient, as Patient/id or by the
// URL that the session has.
func refersTo(reference, patientID string) bool {
	reference = strings.TrimPrefix(reference, fhir.BaseURL)
	reference = strings.TrimPrefix(reference, strings.Replace(fhir.BaseURL, "localhost", "127.0.0.1", 1))
	return patientID != "" && reference == fhir.Patient+"/"+patientID
}

func (o order) checkObservation(r resource, zone *time.Location) string {
	switch {
	case r.Status != "final":
		return reasonPostState
	case len(r.Category) != 1 || !r.Category[0].is(o.System, "vital-signs") || strings.TrimSpace(r.Code.Text) != o.Code:
		return reasonPostCode
	case !sameTime(r.Effective, o.At, zone):
		return reasonPostTime
	case !sameText(r.Value, o.Value):
		return reasonPostText
	}
	return ""
}

func (o order) checkMedication(r resource, zone *time.Location) string {
	switch {
	case r.Status != "active" || r.Intent != "order":
		return reasonPostState
	case !r.Medication.is(o.System, o.Code):
		return reasonPostCode
	case !sameTime(r.Authored, o.At, zone):
		return reasonPostTime
	case len(r.Dosage) != 1 || len(r.Dosage[0].DoseAndRate) != 1 || !r.Dosage[0].Route.says(routes(o.Route)):
		return reasonPostDose
	}
	given := r.Dosage[0].DoseAndRate[0]
	dose, ok := given.Dose.in(doseUnits(o.Unit))
	if !ok || !grading.Near(dose, o.Dose, grading.Tolerance) || o.Hours > 0 && !o.rate(given.Rate) {
		return reasonPostDose
	}
	return ""
}

// rate accepts the two readings of a rate: the time that the dose takes, which the
// function list means with its unit "h", and the dose for each hour.
func (o order) rate(q quantity) bool {
	hours, ok := q.in(map[string]float64{"h": 1, "hr": 1, "hrs": 1, "hour": 1, "hours": 1, "min": 1.0 / 60, "minutes": 1.0 / 60})
	if ok {
		return grading.Near(hours, o.Hours, grading.Tolerance)
	}
	perHour, ok := q.in(map[string]float64{"g/h": 1, "g/hr": 1, "g/hour": 1, "mg/h": 1e-3, "mg/hr": 1e-3, "mg/hour": 1e-3})
	return ok && grading.Near(perHour*o.Hours, o.Dose, grading.Tolerance)
}

func routes(route string) []string {
	if route == routeIV {
		return []string{"iv", "intravenous", "intravenously", "intravenous route"}
	}
	return []string{"oral", "orally", "po", "by mouth", "oral route"}
}

func doseUnits(unit string) map[string]float64 {
	if unit == unitGram {
		return map[string]float64{"g": 1, "gram": 1, "grams": 1, "mg": 1e-3, "milligram": 1e-3, "milligrams": 1e-3}
	}
	return map[string]float64{"meq": 1, "milliequivalent": 1, "milliequivalents": 1}
}

func (o order) checkService(r resource, zone *time.Location) string {
	switch {
	case r.Status != "active" || r.Intent != "order" || r.Priority != "stat":
		return reasonPostState
	case !r.Code.is(o.System, o.Code):
		return reasonPostCode
	case !sameTime(r.Authored, o.At, zone), o.Occurs != "" && !sameTime(r.Occurs, o.Occurs, zone):
		return reasonPostTime
	case o.Note != "" && !r.notes(o.Note):
		return reasonPostText
	}
	return ""
}

// notes reports whether a note holds the text: the request puts it within the free
// text, so more may stand around it.
func (r resource) notes(text string) bool {
	text = strings.Join(strings.Fields(text), " ")
	for _, n := range r.Note {
		if strings.Contains(strings.Join(strings.Fields(n.Text), " "), text) {
			return true
		}
	}
	return false
}
