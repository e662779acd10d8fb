package medagentbench

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"
	"text/template"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/schemas"
)

// serviceName is the key of Submission.Records.
const serviceName = "fhir"

// Furnish implements datasets.Furnisher: the FHIR data as a service of the
// session's own, which records its POSTs.
func (s *Source) Furnish(ctx context.Context, task schemas.Task, raw datasets.Files) (datasets.Session, error) {
	source, err := s.data.open(ctx, raw)
	if err == nil && source == nil {
		err = errors.New(noData)
	}
	if err != nil {
		return datasets.Session{}, fmt.Errorf("furnish %s: %w", task.TaskID, err)
	}
	session := fhir.NewSession(source.Handler())
	return datasets.Session{Services: []datasets.Service{{
		Name: serviceName, Port: fhir.Port, Handler: session, Drain: session.Drain,
	}}}, nil
}

//go:embed programs/*.tmpl
var programs embed.FS

// parsePrograms reads the parts of reference programs. They are Python, so their
// template marks are other ones than braces.
func parsePrograms() *template.Template {
	t := template.New("programs").Delims("<<", ">>").Funcs(template.FuncMap{"py": literal})
	return template.Must(t.ParseFS(programs, "programs/*.tmpl"))
}

// literal writes text and numbers as Python does: JSON's form of both is one.
func literal(v any) (string, error) {
	data, err := json.Marshal(v, json.Deterministic(true))
	return string(data), err
}

// Reference implements datasets.Referencer. A program looks the answer up on the
// server, then sends the orders and sets the answer; a wrong one slips in between.
func (s *Source) Reference(task schemas.Task) (datasets.Reference, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Reference{}, err
	}
	q := ans.Question
	var ref datasets.Reference
	if ref.Right, err = s.program("work", q, ""); err != nil {
		return ref, fmt.Errorf("reference %s: %w", task.TaskID, err)
	}
	for _, slip := range slips(ans) {
		program, err := s.program("work", q, slip)
		if err != nil {
			return ref, fmt.Errorf("reference %s: %w", task.TaskID, err)
		}
		ref.Wrong = append(ref.Wrong, program)
	}
	for _, name := range []string{"metadata", "look"} {
		program, err := s.program(name, q, "")
		if err != nil {
			return ref, fmt.Errorf("reference %s: %w", task.TaskID, err)
		}
		ref.Explore = append(ref.Explore, program)
	}
	return ref, nil
}

func (s *Source) program(name string, q question, slip string) (string, error) {
	var b bytes.Buffer
	k := kinds[q.Kind]
	factors := map[string]float64{}
	for _, unit := range []string{"mg/dl", "mmol/l", "meq/l"} {
		if factor, ok := k.analyte.factor(unit, k.unit); ok && k.unit != "" {
			factors[unit] = factor
		}
	}
	err := s.programs.ExecuteTemplate(&b, name+".py.tmpl", map[string]any{
		"Base": strings.TrimSuffix(fhir.BaseURL, "/"), "Q": q, "Factors": factors, "Slip": slip,
		"Measures": len(k.needs) > 1, "Day": q.Kind == lastMagnesium || q.Kind == giveMagnesium || q.Kind == meanGlucose,
	})
	return strings.TrimLeft(b.String(), "\n"), err
}

// slips are lines that make the right program wrong, whatever the chart says: the
// mistakes of people who read or order in haste.
func slips(ans answer) []string {
	var out []string
	want := ans.Expected[0]
	if len(want.Get) > 0 {
		if want.Get[0].Number != nil {
			out = append(out, "values = [values[0] + 1] + values[1:]")
		} else {
			out = append(out, "values = [values[0][::-1]]")
		}
		out = append(out, `values = [f"{value} as of today" for value in values]`, "values = values + values")
	}
	if len(want.Posts) == 0 {
		return append(out,
			`orders.append(("ServiceRequest", {"resourceType": "ServiceRequest", "status": "active", "intent": "order", "subject": {"reference": "Patient/0"}}))`,
			`sent = [f"{BASE}/ServiceRequest", {"resourceType": "ServiceRequest"}]  # not sent`)
	}
	return append(out,
		`for kind, body in orders:
    body["subject"] = {"reference": "Patient/0"}`,
		`for kind, body in orders:
    for field in ("authoredOn", "effectiveDateTime"):
        if field in body:
            body[field] = body[field][:10]  # the day is enough?`,
		"orders = orders + orders",
		`sent = [part for kind, body in orders for part in (f"{BASE}/{kind}", body)]
orders = []  # listed, never sent`,
	)
}
