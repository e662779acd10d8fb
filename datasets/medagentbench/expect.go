package medagentbench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

// answer is Task.Answer: the question as read, and what is right, computed from
// the FHIR data.
type answer struct {
	Question question `json:"question"`
	Patient  string   `json:"patient,omitempty"` // id of the patient's resource
	// Expected are the right answers, of which a submission has to meet one as a
	// whole. There is more than one where a chart has different values of the same
	// time. It is empty where the task is not ready.
	Expected []expected `json:"expected,omitempty"`
	Release  release    `json:"release"`
}

// expected is one right answer.
type expected struct {
	Get      []item  `json:"get"`               // values of GET, in order
	Optional bool    `json:"optional,omitzero"` // GET may be empty too: the request is not a question
	Posts    []order `json:"posts"`             // in any order, nothing else
}

// item is one value. Just one of Text, Number and Time is set.
type item struct {
	Text   string   `json:"text,omitempty"`
	Number *float64 `json:"number,omitempty"`
	Whole  bool     `json:"whole,omitzero"` // Number is an integer
	Slack  float64  `json:"slack,omitzero"` // absolute error of Number; 0 asks for one part in 10^6
	Time   string   `json:"time,omitempty"` // FHIR date or dateTime
}

func number(x float64) item { return item{Number: &x} }

// order is one resource that has to be posted. Empty fields are not looked at.
type order struct {
	Type   string  `json:"type"`
	System string  `json:"system,omitempty"` // of Code
	Code   string  `json:"code"`
	At     string  `json:"at"`               // when written, or measured
	Value  string  `json:"value,omitempty"`  // of an Observation
	Note   string  `json:"note,omitempty"`   // text that the note has to hold
	Route  string  `json:"route,omitempty"`  // iv, oral
	Dose   float64 `json:"dose,omitzero"`    // in Unit
	Unit   string  `json:"unit,omitempty"`   // g, meq
	Hours  float64 `json:"hours,omitzero"`   // time over which Dose is given
	Occurs string  `json:"occurs,omitempty"` // when it is to be done
}

// The code systems of what is ordered.
const (
	systemNDC      = "http://hl7.org/fhir/sid/ndc"
	systemLOINC    = "http://loinc.org"
	systemSNOMED   = "http://snomed.info/sct"
	systemCategory = "http://hl7.org/fhir/observation-category"
)

// meanSlack is what rounding a mean to one decimal place can lose.
const meanSlack = 0.05

// outcome is what the FHIR data say to a question.
type outcome struct {
	answer answer
	status schemas.TaskStatus
	reason string
}

func (o outcome) not(status schemas.TaskStatus, reason string) outcome {
	o.status, o.reason, o.answer.Expected = status, reason, nil
	return o
}

// The reasons for a task that is not ready.
const (
	noData        = "no FHIR data: name a FHIR Bulk Data folder or a FHIR server"
	noneOfType    = "the FHIR data has no %s"
	noPatient     = "the FHIR data does not have the patient"
	partialData   = "the FHIR data is only a part, so that it cannot show that a patient does not exist"
	twoPatients   = "several patients have the MRN that the question names"
	noBirthDate   = "the patient's date of birth is not a whole date"
	disagreesWith = "the FHIR data has another answer than the release"
)

// expect computes the right answers of a question. An error is a fault of the data
// or of the server, not of the question.
func (c chart) expect(ctx context.Context, q question) (outcome, error) {
	out := outcome{answer: answer{Question: q}, status: schemas.StatusReady}
	if c.source == nil {
		return out.not(schemas.StatusMissingResources, noData), nil
	}
	for _, kind := range kinds[q.Kind].needs {
		switch has, err := c.source.Has(ctx, kind); {
		case err != nil:
			return out, err
		case !has:
			return out.not(schemas.StatusMissingResources, fmt.Sprintf(noneOfType, kind)), nil
		}
	}
	if q.Kind == findPatient {
		return c.lookup(ctx, out)
	}
	people, err := c.withMRN(ctx, q.MRN)
	switch {
	case err != nil:
		return out, err
	case len(people) == 0:
		return out.not(schemas.StatusMissingResources, noPatient), nil
	case len(people) > 1:
		return out.not(schemas.StatusUngradable, twoPatients), nil
	}
	out.answer.Patient = people[0].ID
	now, err := q.now()
	if err != nil {
		return out, fmt.Errorf("the time that is now: %w", err)
	}
	switch q.Kind {
	case patientAge:
		return age(out, people[0], now), nil
	case recordVitals:
		out.answer.Expected = []expected{{Get: []item{}, Posts: []order{
			{Type: fhir.Observation, System: systemCategory, Code: q.Code, At: q.Now, Value: q.Text}}}}
		return out, nil
	case referPatient:
		out.answer.Expected = []expected{{Get: []item{}, Posts: []order{
			{Type: fhir.ServiceRequest, System: systemSNOMED, Code: q.Order, At: q.Now, Note: q.Text}}}}
		return out, nil
	}
	return c.measured(ctx, out, now)
}

// lookup answers task1. A patient who is not there proves something only where the
// data is whole; a folder without a single Observation evidently is not.
func (c chart) lookup(ctx context.Context, out outcome) (outcome, error) {
	q := out.answer.Question
	out.answer.Release = release{Text: q.Sol}
	people, err := c.withName(ctx, q.Name, q.Birth)
	if err != nil {
		return out, err
	}
	agrees := len(people) == 0 && q.Sol == nobody
	for _, p := range people {
		out.answer.Expected = append(out.answer.Expected, expected{Get: []item{{Text: p.mrn()}}, Posts: []order{}})
		agrees = agrees || p.mrn() == q.Sol
	}
	switch {
	case len(people) == 0 && q.Sol != nobody:
		return out.not(schemas.StatusMissingResources, noPatient), nil
	case !agrees:
		return out.not(schemas.StatusUngradable, disagreesWith), nil
	case len(people) > 0:
		return out, nil
	}
	whole, err := c.source.Has(ctx, fhir.Observation)
	if err != nil {
		return out, err
	}
	if !whole {
		return out.not(schemas.StatusMissingResources, partialData), nil
	}
	out.answer.Expected = []expected{{Get: []item{{Text: nobody}}, Posts: []order{}}}
	return out, nil
}

func age(out outcome, p patient, now time.Time) outcome {
	born, err := time.Parse(time.DateOnly, p.BirthDate)
	out.answer.Release = releaseAge(p.BirthDate)
	if err != nil {
		return out.not(schemas.StatusUngradable, noBirthDate)
	}
	years := number(float64(yearsBetween(born, now)))
	years.Whole = true
	out.answer.Expected = []expected{{Get: []item{years}, Posts: []order{}}}
	return out
}

// yearsBetween is an age in whole years.
func yearsBetween(born, now time.Time) int {
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	return years
}

// measured answers the kinds that ask for a measurement.
func (c chart) measured(ctx context.Context, out outcome, now time.Time) (outcome, error) {
	q := out.answer.Question
	list, err := c.observations(ctx, out.answer.Patient, q.Code)
	if err != nil {
		return out, err
	}
	out.answer.Release = releaseMeasured(q.Kind, list)
	found, err := measurements(list, kinds[q.Kind], now)
	if errors.Is(err, errUnit) {
		return out.not(schemas.StatusUngradable, err.Error()), nil
	}
	if err != nil {
		return out, err
	}
	switch q.Kind {
	case lastMagnesium, giveMagnesium, meanGlucose:
		found = since(found, now.Add(-24*time.Hour))
	}
	if len(found) == 0 {
		want := expected{Get: []item{number(noValue)}, Posts: []order{}}
		switch q.Kind {
		case giveMagnesium, givePotassium:
			want.Optional = true
		case checkHbA1c:
			want.Posts = append(want.Posts, q.labOrder(""))
		}
		out.answer.Expected = []expected{want}
		return out, nil
	}
	if q.Kind == meanGlucose {
		average := number(mean(found))
		average.Slack = meanSlack
		out.answer.Expected = []expected{{Get: []item{average}, Posts: []order{}}}
		return out, nil
	}
	for _, m := range latest(found) {
		out.answer.Expected = append(out.answer.Expected, q.after(m, now))
	}
	return out, nil
}

// after is the right answer once the newest measurement is known.
func (q question) after(m measurement, now time.Time) expected {
	want := expected{Get: []item{number(m.value)}, Posts: []order{}}
	switch q.Kind {
	case giveMagnesium:
		want.Optional = true
		if t, low := q.tierOf(m.value); low {
			want.Posts = append(want.Posts, order{Type: fhir.MedicationRequest, System: systemNDC, Code: q.Order, At: q.Now,
				Route: routeIV, Dose: t.Grams, Unit: unitGram, Hours: t.Hours})
		}
	case givePotassium:
		want.Optional = true
		if m.value < q.Goal {
			want.Posts = append(want.Posts,
				order{Type: fhir.MedicationRequest, System: systemNDC, Code: q.Order, At: q.Now,
					Route: routeOral, Dose: (q.Goal - m.value) / q.Step * q.Dose, Unit: unitMilliequivalent},
				q.labOrder(eightNextDay(now)))
		}
	case checkHbA1c:
		want.Get = append(want.Get, item{Time: m.text})
		if m.at.Before(now.AddDate(-1, 0, 0)) {
			want.Posts = append(want.Posts, q.labOrder(""))
		}
	}
	return want
}

func (q question) labOrder(occurs string) order {
	return order{Type: fhir.ServiceRequest, System: systemLOINC, Code: q.LOINC, At: q.Now, Occurs: occurs}
}

// eightNextDay is eight in the morning of the next day, in the zone of now.
func eightNextDay(now time.Time) string {
	return time.Date(now.Year(), now.Month(), now.Day()+1, 8, 0, 0, 0, now.Location()).Format(clockLayout)
}

// clockLayout is RFC 3339 with a numeric zone, as the rows write it.
const clockLayout = "2006-01-02T15:04:05-07:00"

func readAnswer(task schemas.Task) (answer, error) {
	var ans answer
	if err := json.Unmarshal([]byte(task.Answer), &ans); err != nil {
		return answer{}, fmt.Errorf("task %s: the answer is not one of this source: %w", task.TaskID, err)
	}
	if _, ok := kinds[ans.Question.Kind]; !ok {
		return answer{}, fmt.Errorf("task %s: the answer is not one of this source", task.TaskID)
	}
	if len(ans.Expected) == 0 {
		return answer{}, fmt.Errorf("task %s: %w", task.TaskID, &datasets.GoldError{Reason: "no_reference", Detail: "the FHIR data has no answer to it"})
	}
	return ans, nil
}
