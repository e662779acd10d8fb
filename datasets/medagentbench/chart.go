package medagentbench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/datasets/grading"
)

// chart asks one FHIR source what the questions need to know. The source is nil
// where the user has no FHIR data.
type chart struct{ source fhir.Source }

// patient is what the questions need of a Patient.
type patient struct {
	ID         string `json:"id"`
	BirthDate  string `json:"birthDate"`
	Identifier []struct {
		Value string `json:"value"`
		Type  struct {
			Coding []struct {
				Code string `json:"code"`
			} `json:"coding"`
		} `json:"type"`
	} `json:"identifier"`
	Name []struct {
		Text   string   `json:"text"`
		Family string   `json:"family"`
		Given  []string `json:"given"`
	} `json:"name"`
}

// mrn is the medical record number: the identifier of type MR, else the first one,
// else the id.
func (p patient) mrn() string {
	for _, id := range p.Identifier {
		for _, coding := range id.Type.Coding {
			if coding.Code == "MR" && id.Value != "" {
				return id.Value
			}
		}
	}
	if len(p.Identifier) > 0 && p.Identifier[0].Value != "" {
		return p.Identifier[0].Value
	}
	return p.ID
}

// named reports whether the whole name is one of the patient's.
func (p patient) named(name string) bool {
	for _, n := range p.Name {
		full := strings.Join(n.Given, " ") + " " + n.Family
		if sameText(full, name) || sameText(n.Text, name) {
			return true
		}
	}
	return false
}

// sameText compares without case and with runs of space as one blank.
func sameText(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " "))
}

// withMRN finds the patients that have an identifier.
func (c chart) withMRN(ctx context.Context, mrn string) ([]patient, error) {
	found, err := search[patient](ctx, c.source, fhir.Patient, url.Values{"identifier": {mrn}})
	return slices.DeleteFunc(found, func(p patient) bool {
		for _, id := range p.Identifier {
			if id.Value == mrn {
				return false
			}
		}
		return true
	}), err
}

// withName finds the patients of a name and date of birth. The server is asked for
// the date alone: servers differ in how they search names.
func (c chart) withName(ctx context.Context, name, birth string) ([]patient, error) {
	found, err := search[patient](ctx, c.source, fhir.Patient, url.Values{"birthdate": {birth}})
	return slices.DeleteFunc(found, func(p patient) bool { return p.BirthDate != birth || !p.named(name) }), err
}

// observation is what the questions need of an Observation.
type observation struct {
	Status            string `json:"status"`
	EffectiveDateTime string `json:"effectiveDateTime"`
	EffectiveInstant  string `json:"effectiveInstant"`
	ValueQuantity     struct {
		Value jsontext.Value `json:"value"`
		Unit  string         `json:"unit"`
		Code  string         `json:"code"`
	} `json:"valueQuantity"`
}

// taken is when the observation was made; false where no time is stated.
func (o observation) taken() (text string, at time.Time, ok bool) {
	text = o.EffectiveDateTime
	if text == "" {
		text = o.EffectiveInstant
	}
	d, err := fhir.ParseDate(text)
	return text, d.Start, err == nil
}

func (c chart) observations(ctx context.Context, patientID, code string) ([]observation, error) {
	return search[observation](ctx, c.source, fhir.Observation, url.Values{"patient": {patientID}, "code": {code}})
}

// measurement is a number in a chart with its time.
type measurement struct {
	value float64
	at    time.Time
	text  string // the time as the chart writes it
}

// errUnit is for units that the asked one cannot be computed from.
var errUnit = errors.New("a measurement has a unit that the answer's unit cannot be computed from")

// measurements are the numbers among observations that were taken by now, in the
// unit asked. What was entered in error was never measured.
func measurements(list []observation, k kind, now time.Time) ([]measurement, error) {
	var found []measurement
	for _, o := range list {
		text, at, dated := o.taken()
		value, numeric := o.number()
		if !dated || !numeric || at.After(now) || o.Status == "entered-in-error" || o.Status == "cancelled" {
			continue
		}
		unit := o.ValueQuantity.Unit
		if unit == "" {
			unit = o.ValueQuantity.Code
		}
		factor, ok := k.analyte.factor(unit, k.unit)
		if !ok {
			return nil, errUnit
		}
		found = append(found, measurement{value * factor, at, text})
	}
	return found, nil
}

func (o observation) number() (float64, bool) {
	if o.ValueQuantity.Value.Kind() != '0' {
		return 0, false
	}
	v, err := grading.Parse([]byte(o.ValueQuantity.Value))
	if err != nil {
		return 0, false
	}
	return v.Number()
}

// since keeps what was taken at a time or later.
func since(list []measurement, from time.Time) []measurement {
	return slices.DeleteFunc(slices.Clone(list), func(m measurement) bool { return m.at.Before(from) })
}

// latest are the newest measurements: more than one where a chart has different
// values of the same time.
func latest(list []measurement) []measurement {
	var newest []measurement
	for _, m := range list {
		switch {
		case len(newest) == 0 || m.at.After(newest[0].at):
			newest = []measurement{m}
		case m.at.Equal(newest[0].at) && !slices.ContainsFunc(newest, func(n measurement) bool { return n.value == m.value }):
			newest = append(newest, m)
		}
	}
	return newest
}

func mean(list []measurement) float64 {
	sum := 0.0
	for _, m := range list {
		sum += m.value
	}
	return sum / float64(len(list))
}

// search decodes every match of a search as T.
func search[T any](ctx context.Context, source fhir.Source, kind string, params url.Values) ([]T, error) {
	found, err := source.Search(ctx, kind, params)
	if err != nil {
		return nil, err
	}
	list := make([]T, len(found))
	for i, data := range found {
		// The decoder's own message could quote the resource.
		if json.Unmarshal(data, &list[i]) != nil {
			return nil, fmt.Errorf("match %d of a search for %s has an element of the wrong type", i+1, kind)
		}
	}
	return list, nil
}

// analyte is what units of substance are converted with; zero where none is.
type analyte struct {
	gramsPerMole float64
	valence      float64
}

var (
	magnesium = analyte{24.305, 2}
	glucose   = analyte{180.156, 0} // has no charge
	potassium = analyte{39.0983, 1}
)

// factor converts from one unit to another. A chart that names no unit, and a
// question that asks for none, mean the same one.
func (a analyte) factor(from, to string) (float64, bool) {
	from = strings.ToLower(strings.Join(strings.Fields(from), ""))
	if to == "" || from == "" || from == to {
		return 1, true
	}
	x, y := a.molar(from), a.molar(to)
	return x / y, x > 0 && y > 0
}

// molar is how many mmol/L one of a unit is; 0 where that is not known.
func (a analyte) molar(unit string) float64 {
	switch {
	case unit == "mmol/l":
		return 1
	case unit == "meq/l" && a.valence > 0:
		return 1 / a.valence
	case unit == "mg/dl" && a.gramsPerMole > 0:
		return 10 / a.gramsPerMole
	}
	return 0
}
