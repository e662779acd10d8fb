package medagentbench

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

func rowOf(id, mrn, instruction, context string) row {
	return row{ID: &id, EvalMRN: &mrn, Instruction: &instruction, Context: &context}
}

func TestReadQuestion(t *testing.T) {
	const now = "The time is 2023-11-13T10:15:00+00:00. "
	tests := []struct {
		name string
		row  row
		want question
	}{
		{"age", rowOf("task2_1", "S1", "How old is S1?", now),
			question{Kind: patientAge, MRN: "S1", Now: testNow}},
		{"entry", rowOf("task3_1", "S1", `S1 has "118/77 mmHg".`, now+"The flowsheet ID for blood pressure is BP."),
			question{Kind: recordVitals, MRN: "S1", Now: testNow, Code: "BP", Text: "118/77 mmHg"}},
		{"other clock", rowOf("task7_1", "S1", "The last glucose of S1?", `At 2024-02-29T23:59Z. The code for glucose is "GLU".`),
			question{Kind: lastGlucose, MRN: "S1", Now: "2024-02-29T23:59Z", Code: "GLU"}},
		{"doses", rowOf("task5_1", "S1", "Check S1.", now+`The code for magnesium is "MG". The NDC for magnesium is 1-2-3. (low, 1.5 to 1.9 mg/dL):`+"\nIV: 1.5 g over 90 hours. Or (<1.5 mg/dL): 4 g over 1 hour"),
			question{Kind: giveMagnesium, MRN: "S1", Now: testNow, Code: "MG", Order: "1-2-3",
				Tiers: []tier{{Low: 1.5, High: 1.9, Grams: 1.5, Hours: 90}, {High: 1.5, Open: true, Grams: 4, Hours: 1}}}},
		{"steps", rowOf("task9_1", "S1", "Check S1's potassium.", now+`The code for potassium is "K".The NDC for it is 4-5-6. For every 0.2 mEq/L below, order 5 mEq up to a goal of 4. The LOINC code for it is: 2823-3.`),
			question{Kind: givePotassium, MRN: "S1", Now: testNow, Code: "K", Order: "4-5-6", LOINC: "2823-3", Step: 0.2, Dose: 5, Goal: 4}},
	}
	for _, test := range tests {
		got, err := readQuestion(test.row)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v; want %+v", test.name, got, err, test.want)
		}
	}
}

func TestTiers(t *testing.T) {
	q := question{Tiers: []tier{{Low: 1.5, High: 1.9, Grams: 1}, {Low: 1, High: 1.5, Open: true, Grams: 2}, {High: 1, Open: true, Grams: 4}}}
	for level, want := range map[float64]float64{0.2: 4, 0.999: 4, 1: 2, 1.4999: 2, 1.5: 1, 1.9: 1, 1.91: 0, 2.4: 0} {
		if got, _ := q.tierOf(level); got.Grams != want {
			t.Errorf("%v: %v g, want %v", level, got.Grams, want)
		}
	}
}

// FuzzReadQuestion: a row of any text is read, or rejected by name, and what is
// read can be answered without data.
func FuzzReadQuestion(f *testing.F) {
	clinic := newClinic(1)
	for i := range 10 {
		r := clinic.question(i)
		mrn := ""
		if r.EvalMRN != nil {
			mrn = *r.EvalMRN
		}
		f.Add(r.ID, r.Instruction, r.Context, mrn)
	}
	f.Fuzz(func(t *testing.T, id, instruction, context, mrn string) {
		r := rowOf(id, mrn, instruction, context)
		r.Sol = []string{mrn}
		q, err := readQuestion(r)
		var reject *datasets.RejectError
		if err != nil {
			if !errors.As(err, &reject) {
				t.Fatalf("not a rejection: %v", err)
			}
			return
		}
		if q.Kind != findPatient {
			if _, err := q.now(); err != nil || !strings.Contains(instruction, q.MRN) {
				t.Errorf("%+v", q)
			}
		}
		out, err := chart{}.expect(t.Context(), q)
		if err != nil || out.status != schemas.StatusMissingResources {
			t.Errorf("%v, %v", out, err)
		}
		if _, err := datasets.Canonical(out.answer); err != nil && validText(id+instruction+context+mrn) {
			t.Error(err)
		}
	})
}

func validText(s string) bool { return strings.ToValidUTF8(s, "") == s }

func TestParseFunctions(t *testing.T) {
	got, err := parseFunctions([]byte(`[{"name":"GET {api_base}/Patient","description":" Finds. See {api_base}. ","parameters":{"type": "object"}}, {"name":"x"}]`))
	if err != nil || len(got) != 2 || got[0].Name != "GET http://localhost:8080/fhir/Patient" ||
		got[0].Description != "Finds. See http://localhost:8080/fhir." || string(got[0].Parameters) != `{"type":"object"}` || string(got[1].Parameters) != "{}" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "[]", "{}", "null", `[{}]`, `[{"name":" "}]`, `[{"name":1}]`, `[{"name":"a","name":"b"}]`, `[{"name":"a"}`} {
		if _, err := parseFunctions([]byte(text)); err == nil {
			t.Errorf("%s is taken as a function list", text)
		}
	}
}

func FuzzParseFunctions(f *testing.F) {
	f.Add(synthFunctions)
	f.Add([]byte(`[{"name":"{api_base}","parameters":[1, 2]}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := parseFunctions(data)
		if err == nil && (len(list) == 0 || strings.Contains(list[0].Name, baseMark)) {
			t.Errorf("%v", list)
		}
	})
}

// A program must not depend on anything but the question.
func TestProgramsKeepTheAnswerOut(t *testing.T) {
	source := New().(*Source)
	task := taskOf(t, lastGlucose, expected{Get: []item{number(123.456)}})
	ref, err := source.Reference(task)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range append(append(ref.Wrong, ref.Right), ref.Explore...) {
		if strings.Contains(program, "123.456") {
			t.Error("a program holds the answer")
		}
	}
}

func TestSynthesizeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New().(*Source).Synthesize(ctx, datasets.SynthOptions{Train: 1, Test: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Synthesize of a cancelled context: %v", err)
	}
}
