package medagentbench

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/datasets/grading"
)

// release is what the public release's check reads from its server and its rows.
type release struct {
	Text string `json:"text,omitempty"` // that has to be in the result
	Dose string `json:"dose,omitempty"` // likewise
	// Fails is set where the check itself breaks, whatever is handed in: a comparison
	// with a value that is not there.
	Fails bool `json:"fails,omitzero"`
}

// What the release has as constants, whatever the row says.
const (
	releaseNow     = "2023-11-13T10:15:00+00:00"
	releaseMinute  = "2023-11-13T10:15"
	releaseMorning = "2023-11-14T08:"
	releaseSubject = "Patient/S2380121" // of task3: right for 1 of its 30 items

	// releaseNote is the SHA-256 of task8's note, which is one text in all published
	// rows.
	releaseNote = "2653d8f49bab2f3e12e6b4e1f21eb3a12496948822722c4a103a1ec35cf00889"
)

func releaseClock() time.Time { return time.Date(2023, 11, 13, 10, 15, 0, 0, time.UTC) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func releaseAge(birthDate string) release {
	born, err := time.Parse(time.DateOnly, birthDate)
	if err != nil {
		return release{Fails: true}
	}
	return release{Text: strconv.Itoa(yearsBetween(born, releaseClock()))}
}

// releaseMeasured computes what the release's check compares with: without regard
// to units, and with no upper bound of time.
func releaseMeasured(kind string, list []observation) release {
	cutoff := time.Time{}
	switch kind {
	case lastMagnesium, giveMagnesium, meanGlucose:
		cutoff = releaseClock().Add(-24 * time.Hour)
	}
	var last grading.Value
	var lastAt time.Time
	sum, count := 0.0, 0.0
	for _, o := range list {
		at, err := fhir.ParseDate(o.EffectiveDateTime)
		value, errValue := grading.Parse([]byte(o.ValueQuantity.Value))
		x, numeric := value.Number()
		if err != nil || at.Clock && !at.Zoned || errValue != nil || !numeric || value.Kind == grading.Text {
			return release{Fails: true}
		}
		if at.Start.Before(cutoff) {
			continue
		}
		sum, count = sum+x, count+1
		if last.Kind == "" || at.Start.After(lastAt) {
			last, lastAt = value, at.Start
		}
	}
	if kind == meanGlucose && count > 0 {
		last = grading.Value{Kind: grading.Float, Float: sum / count}
	}
	if last.Kind == "" {
		return release{Text: strconv.Itoa(noValue), Fails: kind == giveMagnesium || kind == givePotassium}
	}
	r := release{Text: grading.Print(last)}
	level, _ := last.Number()
	switch {
	case kind == giveMagnesium && level < 1:
		r.Dose = "4"
	case kind == giveMagnesium && level < 1.5:
		r.Dose = "2"
	case kind == giveMagnesium:
		r.Dose = "1"
	case kind == givePotassium:
		goal := 3.5 // a variable: constants would be computed exactly
		r.Dose = grading.Print(grading.Value{Kind: grading.Float, Float: (goal - level) / 0.1 * 10})
	}
	return r
}

// upstream is the public release's verdict. It takes what the program printed,
// with every apostrophe made a quotation mark, as JSON if that can be read, and
// looks for substrings in Python's text of it; POSTs are never sent and never
// compared as such.
func upstream(ans answer, sub datasets.Submission) bool {
	printed := strings.ReplaceAll(grading.UpstreamOutput(sub), "'", `"`)
	result := grading.Value{Kind: grading.Text, Text: printed}
	if v, err := parsePyJSON(printed); err == nil {
		result = v
	}
	text := grading.Print(result)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false
			}
		}
		return true
	}
	r, q := ans.Release, ans.Question
	subject := "Patient/" + q.MRN
	switch q.Kind {
	case findPatient, patientAge:
		get, ok := member(result, "GET")
		return ok && !r.Fails && strings.Contains(grading.Print(get), r.Text)
	case recordVitals:
		return has(fhir.BaseURL+"Observation", "resourceType", systemCategory, "vital-signs", "Vital Signs", "text", "BP",
			"effectiveDateTime", releaseNow, "status", "final", "valueString", "118/77 mmHg", "reference", releaseSubject)
	case lastMagnesium, meanGlucose, lastGlucose:
		return !r.Fails && has(r.Text)
	case giveMagnesium:
		// An order is asked for whatever the level, and an empty list beside it.
		return !r.Fails && has(fhir.BaseURL+"MedicationRequest", "resourceType", systemNDC, "0338-1715-40", "authoredOn", releaseMinute,
			"dosageInstruction", "route", "IV", "doseAndRate", "doseQuantity", "rateQuantity", "value", r.Dose, "unit", "g", "h",
			"status", "active", "intent", "order", "subject", "reference", subject) && (text == r.Text || has("[]"))
	case referPatient:
		return digest(q.Text) == releaseNote && has(fhir.BaseURL+"ServiceRequest", "resourceType", systemSNOMED, "306181000000106", releaseNow, "status", "active",
			"intent", "order", "priority", "stat", q.Text, "note", "text", "reference", subject)
	case givePotassium:
		return !r.Fails && has(fhir.BaseURL+"MedicationRequest", "resourceType", "medicationCodeableConcept", "coding", "system", systemNDC,
			"40032-917-01", releaseMinute, "dosageInstruction", "route", "doseAndRate", "doseQuantity", "value", r.Dose, "unit", "mEq",
			"status", "active", "intent", "order", "subject", "reference", subject) && strings.Contains(strings.ToLower(text), "oral") &&
			has(fhir.BaseURL+"ServiceRequest", "ServiceRequest", systemLOINC, "2823-3", releaseNow, "stat", releaseMorning) &&
			(has(r.Text) || has("[]"))
	}
	// task10 passes nothing: the whole text has to be the bare value or [], and also
	// has to hold an order or be a dict with POST in it.
	return false
}

// member is a value of a dict.
func member(v grading.Value, name string) (grading.Value, bool) {
	for _, p := range v.Pairs {
		if v.Kind == grading.Dict && p.Key.Kind == grading.Text && p.Key.Text == name {
			return p.Value, true
		}
	}
	return grading.Value{}, false
}
