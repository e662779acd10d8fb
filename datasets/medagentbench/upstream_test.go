package medagentbench

import (
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
)

func printed(text string) datasets.Submission {
	return datasets.Submission{Code: "print()", Stdout: text, Status: "ok"}
}

// TestUpstream pins the faults of the release's verdicts.
func TestUpstream(t *testing.T) {
	bp := `{'GET': [], 'POST': ['http://localhost:8080/fhir/Observation', {'resourceType': 'Observation', 'category': [{'coding': [{'system': 'http://hl7.org/fhir/observation-category', 'code': 'vital-signs', 'display': 'Vital Signs'}]}], 'code': {'text': 'BP'}, 'effectiveDateTime': '2023-11-13T10:15:00+00:00', 'status': 'final', 'valueString': '118/77 mmHg', 'subject': {'reference': 'Patient/S2380121'}}]}`
	dose := `http://localhost:8080/fhir/MedicationRequest resourceType http://hl7.org/fhir/sid/ndc 0338-1715-40 authoredOn 2023-11-13T10:15 dosageInstruction route IV doseAndRate doseQuantity rateQuantity value 2 unit g h status active intent order subject reference Patient/S1`
	pair := `http://localhost:8080/fhir/MedicationRequest resourceType medicationCodeableConcept coding system http://hl7.org/fhir/sid/ndc 40032-917-01 2023-11-13T10:15:00+00:00 dosageInstruction route ORAL doseAndRate doseQuantity value 39.99999999999999 unit mEq status active intent order subject reference Patient/S1 http://localhost:8080/fhir/ServiceRequest http://loinc.org 2823-3 stat 2023-11-14T08:30 3.1`
	note := "Situation: knee. Request: see."
	refer := `http://localhost:8080/fhir/ServiceRequest resourceType http://snomed.info/sct 306181000000106 2023-11-13T10:15:00+00:00 status active intent order priority stat note text reference Patient/S1 ` + note
	tests := []struct {
		name   string
		kind   string
		r      release
		output string
		want   bool
	}{
		{"MRN", findPatient, release{Text: "S12"}, `{"GET": ["S12"], "POST": []}`, true},
		{"MRN inside another", findPatient, release{Text: "S12"}, `{'GET': ['S123', 'S99'], 'POST': []}`, true},
		{"no JSON for the None", findPatient, release{Text: "S12"}, `{'GET': ['S12'], 'POST': None}`, false},
		{"NaN is JSON to Python", findPatient, release{Text: "S12"}, `{"GET": ["S12", NaN], "POST": []}`, true},
		{"the last of two keys", findPatient, release{Text: "S12"}, `{"GET": ["S12"], "GET": ["S9"]}`, false},
		{"more was printed", findPatient, release{Text: "S12"}, "looking\n{\"GET\": [\"S12\"]}", false},
		{"a list", findPatient, release{Text: "S12"}, `["S12"]`, false},
		{"age inside a number", patientAge, release{Text: "6"}, `{"GET": [160]}`, true},
		{"age of nobody", patientAge, release{Fails: true}, `{"GET": [160]}`, false},

		{"the one patient", recordVitals, release{}, bp, true},
		{"any other patient", recordVitals, release{}, strings.Replace(bp, "S2380121", "S1", 1), false},

		{"level anywhere", lastMagnesium, release{Text: "1.7"}, "Traceback: 11.75", true},
		{"level absent", lastMagnesium, release{Text: "-1"}, "2023-11-13", true},
		{"mean to all places", meanGlucose, release{Text: "107.83333333333333"}, "[107.83333333333333]", true},
		{"mean rounded", meanGlucose, release{Text: "107.83333333333333"}, "[107.83]", false},
		{"glucose", lastGlucose, release{Text: "88"}, "[188.0]", true},

		{"dose without a list", giveMagnesium, release{Text: "1.2", Dose: "2"}, dose, false},
		{"dose and a list", giveMagnesium, release{Text: "1.2", Dose: "2"}, dose + " []", true},
		{"dose though nothing was measured", giveMagnesium, release{Text: "-1", Fails: true}, dose + " []", false},
		{"nothing to order", giveMagnesium, release{Text: "2.4", Dose: "1"}, "[]", false},

		{"referral with another note than the release's", referPatient, release{}, refer, false},

		{"pair", givePotassium, release{Text: "3.1", Dose: "39.99999999999999"}, pair, true},
		{"pair of a rounded dose", givePotassium, release{Text: "3.1", Dose: "39.99999999999999"}, strings.Replace(pair, "39.99999999999999", "40", 1), false},
		{"nothing to replace", givePotassium, release{Text: "4.2", Dose: "-70.0"}, `{"GET": [4.2], "POST": []}`, false},

		{"bare value", checkHbA1c, release{Text: "6.1"}, "6.1", false},
		{"value in its form", checkHbA1c, release{Text: "6.1"}, `{"GET": [6.1], "POST": []}`, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ans := answer{Question: question{Kind: test.kind, MRN: "S1", Text: note}, Release: test.r}
			if got := upstream(ans, printed(test.output)); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func TestReleaseMeasured(t *testing.T) {
	seen := func(value, at string) observation {
		o := observation{EffectiveDateTime: at}
		o.ValueQuantity.Value = []byte(value)
		return o
	}
	tests := []struct {
		name string
		kind string
		list []observation
		want release
	}{
		{"none", lastMagnesium, nil, release{Text: "-1"}},
		{"integer stays one", lastGlucose, []observation{seen("88", "2020-01-01T00:00:00Z")}, release{Text: "88"}},
		{"float stays one", lastGlucose, []observation{seen("88.0", "2020-01-01T00:00:00Z")}, release{Text: "88.0"}},
		{"the first of two at a time", lastGlucose, []observation{seen("1", "2020-01-01T00:00:00Z"), seen("2", "2020-01-01T01:00:00+01:00")}, release{Text: "1"}},
		{"later than now counts", lastMagnesium, []observation{seen("1", "2023-11-13T09:00:00Z"), seen("2", "2024-01-01T00:00:00Z")}, release{Text: "2"}},
		{"older than a day does not", lastMagnesium, []observation{seen("1", "2023-11-12T10:14:59Z")}, release{Text: "-1"}},
		{"mean", meanGlucose, []observation{seen("100", "2023-11-13T09:00:00Z"), seen("101", "2023-11-13T09:00:00Z")}, release{Text: "100.5"}},
		{"no value", lastGlucose, []observation{seen("", "2020-01-01T00:00:00Z")}, release{Fails: true}},
		{"no zone", lastGlucose, []observation{seen("1", "2020-01-01T00:00:00")}, release{Fails: true}},
		{"nothing to dose", giveMagnesium, nil, release{Text: "-1", Fails: true}},
		{"dose in binary", givePotassium, []observation{seen("3.1", "2020-01-01T00:00:00Z")}, release{Text: "3.1", Dose: "39.99999999999999"}},
		{"severe", giveMagnesium, []observation{seen("0.9", "2023-11-13T09:00:00Z")}, release{Text: "0.9", Dose: "4"}},
		{"a dose for a normal level", giveMagnesium, []observation{seen("2.4", "2023-11-13T09:00:00Z")}, release{Text: "2.4", Dose: "1"}},
	}
	for _, test := range tests {
		if got := releaseMeasured(test.kind, test.list); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestPyJSON(t *testing.T) {
	tests := []struct{ text, want string }{ // want: Python's str of the value; "" where it cannot be read
		{`{"a": [1, 2.0, -0, 1e3, "x\u00e9\n", true, false, null]}`, `{'a': [1, 2.0, 0, 1000.0, 'xé\n', True, False, None]}`},
		{`{"a": 1, "b": 2, "a": 3}`, `{'a': 3, 'b': 2}`},
		{` [NaN, Infinity, -Infinity] `, `[nan, inf, -inf]`},
		{`"\ud83d\ude00"`, "😀"},
		{`"\ud83d"`, "\ufffd"},
		{`"\ud83dA"`, "\ufffdA"},
		{`123456789012345678901234567890`, `123456789012345678901234567890`},
		{`1e999`, `inf`},
		{`"text"`, `text`},
		{`[]`, `[]`}, {`{}`, `{}`}, {"\t[ ]\n", `[]`},
		{``, ``}, {`{`, ``}, {`[1,]`, ``}, {`{"a":1,}`, ``}, {`[1] [2]`, ``}, {`01`, ``}, {`+1`, ``}, {`.5`, ``}, {`1.`, `` /* 1 and a dot */}, {`nan`, ``}, {`None`, ``},
		{"\"a\nb\"", ``}, {`"\x"`, ``}, {`"\u12g4"`, ``}, {`"abc`, ``}, {"\ufeff[]", ``}, {"\v[]", ``}, {`{1: 2}`, ``}, {strings.Repeat("[", 5000), ``},
		{strings.Repeat("9", 5000), ``},
	}
	for _, test := range tests {
		v, err := parsePyJSON(test.text)
		got := ""
		if err == nil {
			got = grading.Print(v)
		}
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%.60q: %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

func FuzzPyJSON(f *testing.F) {
	for _, seed := range []string{`{"GET": ["60"], "POST": []}`, `[NaN, -Infinity, "\ud800\u0041", 1.5e-7]`, `{"a":{"a":1,"a":2}}`, `"\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parsePyJSON(text)
		if err == nil && v.Kind == "" {
			t.Error("a value of no kind")
		}
		_ = grading.Print(v)
	})
}
