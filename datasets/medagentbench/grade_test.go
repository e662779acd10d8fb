package medagentbench

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

const testNow = "2023-11-13T10:15:00+00:00"

// taskOf is a ready task of a kind with its right answers.
func taskOf(t *testing.T, kind string, want ...expected) schemas.Task {
	t.Helper()
	text, err := datasets.Canonical(answer{Question: question{Kind: kind, MRN: "S1", Now: testNow}, Patient: "S1", Expected: want})
	if err != nil {
		t.Fatal(err)
	}
	return schemas.Task{TaskID: "medagentbench/test/1", Answer: text, Status: schemas.StatusReady}
}

func TestStrictGet(t *testing.T) {
	age := number(60)
	age.Whole = true
	average := number(107.83333333)
	average.Slack = meanSlack
	tests := []struct {
		name   string
		want   expected
		answer string
		reason string
	}{
		{"number", expected{Get: []item{number(1.7)}}, handInOf("1.7", ""), grading.ReasonCorrect},
		{"number as text", expected{Get: []item{number(1.7)}}, handInOf(`"1.7"`, ""), grading.ReasonCorrect},
		{"numpy scalar", expected{Get: []item{number(1.7)}}, handInOf(`{"$":"ndarray","dtype":"float64","shape":[],"v":[1.7]}`, ""), grading.ReasonCorrect},
		{"array", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET",{"$":"ndarray","dtype":"float64","shape":[1],"v":[1.7]}]]}`, grading.ReasonCorrect},
		{"number with its unit", expected{Get: []item{number(1.7)}}, handInOf(`"1.7 mg/dL"`, ""), reasonGetValue},
		{"sentence", expected{Get: []item{number(1.7)}}, handInOf(`"The level is 1.7"`, ""), reasonGetValue},
		{"near miss", expected{Get: []item{number(1.7)}}, handInOf("1.71", ""), reasonGetValue},
		{"extra element", expected{Get: []item{number(1.7)}}, handInOf(`1.7,"mg/dL"`, ""), reasonGetCount},
		{"every number", expected{Get: []item{number(1.7)}}, handInOf("1.5,1.6,1.7,1.8", ""), reasonGetCount},
		{"nested", expected{Get: []item{number(1.7)}}, handInOf("[1.7]", ""), reasonGetValue},
		{"no list", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET",1.7]]}`, reasonForm},
		{"text for a list", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET","1.7"]]}`, reasonForm},
		{"a set has no order", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET",{"$":"set","v":[1.7]}]]}`, reasonForm},
		{"another key", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET",[1.7]],["NOTE","ok"]]}`, reasonForm},
		{"a key twice", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["GET",[1.8]],["GET",[1.7]]]}`, grading.ReasonUnreadable},
		{"lower case", expected{Get: []item{number(1.7)}}, `{"$":"dict","v":[["get",[1.7]]]}`, reasonForm},
		{"list alone", expected{Get: []item{number(1.7)}}, "[1.7]", reasonForm},
		{"empty list", expected{Get: []item{number(1.7)}}, handInOf("", ""), reasonGetCount},
		{"null", expected{Get: []item{number(1.7)}}, handInOf("null", ""), reasonGetValue},
		{"NaN", expected{Get: []item{number(1.7)}}, handInOf(`{"$":"float","v":"nan"}`, ""), reasonGetValue},
		{"infinity", expected{Get: []item{number(1.7)}}, handInOf(`{"$":"float","v":"inf"}`, ""), reasonGetValue},
		{"NaN as text", expected{Get: []item{number(1.7)}}, handInOf(`"nan"`, ""), reasonGetValue},
		{"true for 1", expected{Get: []item{number(1)}}, handInOf("true", ""), reasonGetValue},
		{"absent value", expected{Get: []item{number(noValue)}}, handInOf("-1", ""), grading.ReasonCorrect},
		{"absent value as float", expected{Get: []item{number(noValue)}}, handInOf("-1.0", ""), grading.ReasonCorrect},
		{"none for an absent value", expected{Get: []item{number(noValue)}}, handInOf("null", ""), reasonGetValue},
		{"zero for an absent value", expected{Get: []item{number(noValue)}}, handInOf("0", ""), reasonGetValue},
		{"age", expected{Get: []item{age}}, handInOf("60", ""), grading.ReasonCorrect},
		{"age as float", expected{Get: []item{age}}, handInOf("60.0", ""), grading.ReasonCorrect},
		{"age not rounded", expected{Get: []item{age}}, handInOf("60.00001", ""), reasonGetValue},
		{"age within another number", expected{Get: []item{age}}, handInOf("160", ""), reasonGetValue},
		{"mean to one place", expected{Get: []item{average}}, handInOf("107.8", ""), grading.ReasonCorrect},
		{"mean to no place", expected{Get: []item{average}}, handInOf("108", ""), reasonGetValue},
		{"MRN", expected{Get: []item{{Text: "S6534835"}}}, handInOf(`" S6534835 "`, ""), grading.ReasonCorrect},
		{"MRN in a sentence", expected{Get: []item{{Text: "S6534835"}}}, handInOf(`"MRN S6534835"`, ""), reasonGetValue},
		{"two MRNs", expected{Get: []item{{Text: "S6534835"}}}, handInOf(`"S6534835","S6534836"`, ""), reasonGetCount},
		{"nobody", expected{Get: []item{{Text: nobody}}}, handInOf(`"Patient not found"`, ""), grading.ReasonCorrect},
		{"value and time", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`6.1,"2023-11-13T11:15:00+01:00"`, ""), grading.ReasonCorrect},
		{"value and Python's time", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`6.1,"2023-11-13 10:15:00+00:00"`, ""), grading.ReasonCorrect},
		{"value and datetime", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`6.1,{"$":"datetime","v":"2023-11-13T10:15:00+00:00"}`, ""), grading.ReasonCorrect},
		{"value and day", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`6.1,"2023-11-13"`, ""), reasonGetValue},
		{"value and wrong time", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`6.1,"2023-11-13T10:15:00+01:00"`, ""), reasonGetValue},
		{"time and value", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf(`"2023-11-13T10:15:00+00:00",6.1`, ""), reasonGetValue},
		{"value alone", expected{Get: []item{number(6.1), {Time: testNow}}}, handInOf("6.1", ""), reasonGetCount},
		{"nothing asked", expected{Get: []item{number(2)}, Optional: true}, handInOf("", ""), grading.ReasonCorrect},
		{"nothing asked, wrong value", expected{Get: []item{number(2)}, Optional: true}, handInOf("3", ""), reasonGetValue},
		{"a claim that was not sent", expected{Get: []item{number(2)}}, handInOf("2", `"http://localhost:8080/fhir/ServiceRequest"`), reasonClaim},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			v := datasettest.Grade(t, New().(*Source), taskOf(t, lastGlucose, test.want), datasettest.Submit(test.answer))
			if v.Reason != test.reason || (v.Reward == 1) != (test.reason == grading.ReasonCorrect) {
				t.Errorf("%v, %q; want %q", v.Reward, v.Reason, test.reason)
			}
		})
	}
}

// Any of several right answers will do, but as a whole.
func TestStrictAlternatives(t *testing.T) {
	task := taskOf(t, givePotassium,
		expected{Get: []item{number(3.6)}, Posts: []order{}},
		expected{Get: []item{number(3.1)}, Posts: []order{labOrder}})
	sent := []fhir.Record{{URL: fhir.BaseURL + "ServiceRequest", Resource: posted(labOrder, "S1")}}
	tests := []struct {
		get  string
		sent []fhir.Record
		want float64
	}{{"3.6", nil, 1}, {"3.1", sent, 1}, {"3.6", sent, 0}, {"3.1", nil, 0}}
	for _, test := range tests {
		sub := datasettest.Submit(handInOf(test.get, ""))
		sub.Records = recorded(test.sent)
		if v := datasettest.Grade(t, New().(*Source), task, sub); v.Reward != test.want {
			t.Errorf("%s with %d posts: %v, %s", test.get, len(test.sent), v.Reward, v.Reason)
		}
	}
}

var (
	bloodPressure = order{Type: fhir.Observation, System: systemCategory, Code: "BP", At: testNow, Value: "118/77 mmHg"}
	magnesiumIV   = order{Type: fhir.MedicationRequest, System: systemNDC, Code: "0338-1715-40", At: testNow, Route: routeIV, Dose: 2, Unit: unitGram, Hours: 2}
	potassiumOral = order{Type: fhir.MedicationRequest, System: systemNDC, Code: "40032-917-01", At: testNow, Route: routeOral, Dose: 39.99999999999999, Unit: unitMilliequivalent}
	labOrder      = order{Type: fhir.ServiceRequest, System: systemLOINC, Code: "2823-3", At: testNow, Occurs: "2023-11-14T08:00:00+00:00"}
	referral      = order{Type: fhir.ServiceRequest, System: systemSNOMED, Code: "306181000000106", At: testNow, Note: "Situation: knee. Request: see."}
)

func TestStrictPosts(t *testing.T) {
	tests := []struct {
		name     string
		order    order
		old, new string // a change of the right resource's text
		reason   string
	}{
		{"blood pressure", bloodPressure, "", "", ""},
		{"another zone", bloodPressure, `10:15:00+00:00`, `11:15:00+01:00`, ""},
		{"no zone", bloodPressure, `10:15:00+00:00`, `10:15:00`, ""},
		{"an hour off", bloodPressure, `10:15:00+00:00`, `10:15:00+01:00`, reasonPostTime},
		{"day alone", bloodPressure, `2023-11-13T10:15:00+00:00`, `2023-11-13`, reasonPostTime},
		{"no time", bloodPressure, `"effectiveDateTime"`, `"issued"`, reasonPostTime},
		{"other subject", bloodPressure, `Patient/S1`, `Patient/S2`, reasonPostWho},
		{"longer subject", bloodPressure, `Patient/S1`, `Patient/S11`, reasonPostWho},
		{"subject by URL", bloodPressure, `Patient/S1`, `http://127.0.0.1:8080/fhir/Patient/S1`, ""},
		{"subject elsewhere", bloodPressure, `Patient/S1`, `http://example.org/fhir/Patient/S1`, reasonPostWho},
		{"subject without type", bloodPressure, `Patient/S1`, `S1`, reasonPostWho},
		{"other value", bloodPressure, `118/77`, `118/78`, reasonPostText},
		{"extra in the value", bloodPressure, `118/77 mmHg`, `118/77 mmHg or 120/80 mmHg`, reasonPostText},
		{"preliminary", bloodPressure, `final`, `preliminary`, reasonPostState},
		{"other flowsheet", bloodPressure, `"text":"BP"`, `"text":"HR"`, reasonPostCode},
		{"other category", bloodPressure, `vital-signs`, `laboratory`, reasonPostCode},
		{"category as object", bloodPressure, `"category":[{"coding":[{"code":"vital-signs","display":"Vital Signs","system":"http://hl7.org/fhir/observation-category"}]}]`,
			`"category":{"coding":[{"code":"vital-signs","system":"http://hl7.org/fhir/observation-category"}]}`, ""},
		{"value of wrong type", bloodPressure, `"118/77 mmHg"`, `118`, reasonPostBroken},

		{"magnesium", magnesiumIV, "", "", ""},
		{"half the dose", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"g","value":1}`, reasonPostDose},
		{"ten times", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"g","value":20}`, reasonPostDose},
		{"milligrams", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"mg","value":2000.0}`, ""},
		{"2 mg", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"mg","value":2}`, reasonPostDose},
		{"no unit", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"value":2}`, reasonPostDose},
		{"dose as text", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"g","value":"2"}`, reasonPostBroken},
		{"null dose", magnesiumIV, `"doseQuantity":{"unit":"g","value":2}`, `"doseQuantity":{"unit":"g","value":null}`, reasonPostDose},
		{"no dose", magnesiumIV, `"doseQuantity"`, `"dose"`, reasonPostDose},
		{"faster", magnesiumIV, `"rateQuantity":{"unit":"h","value":2}`, `"rateQuantity":{"unit":"h","value":1}`, reasonPostDose},
		{"minutes", magnesiumIV, `"rateQuantity":{"unit":"h","value":2}`, `"rateQuantity":{"unit":"min","value":120}`, ""},
		{"grams an hour", magnesiumIV, `"rateQuantity":{"unit":"h","value":2}`, `"rateQuantity":{"unit":"g/h","value":1}`, ""},
		{"too many grams an hour", magnesiumIV, `"rateQuantity":{"unit":"h","value":2}`, `"rateQuantity":{"unit":"g/h","value":2}`, reasonPostDose},
		{"no rate", magnesiumIV, `"rateQuantity"`, `"rate"`, reasonPostDose},
		{"by mouth", magnesiumIV, `"text":"iv"`, `"text":"oral"`, reasonPostDose},
		{"route as text", magnesiumIV, `"route":{"text":"iv"}`, `"route":"IV"`, ""},
		{"route coded", magnesiumIV, `"route":{"text":"iv"}`, `"route":{"coding":[{"code":"47625008","display":"Intravenous route"}]}`, ""},
		{"two doses", magnesiumIV, `"doseAndRate":[`, `"doseAndRate":[{"doseQuantity":{"unit":"g","value":4},"rateQuantity":{"unit":"h","value":4}},`, reasonPostDose},
		{"other drug", magnesiumIV, `0338-1715-40`, `40032-917-01`, reasonPostCode},
		{"two drugs", magnesiumIV, `"coding":[`, `"coding":[{"system":"http://hl7.org/fhir/sid/ndc","code":"40032-917-01"},`, reasonPostCode},
		{"coded twice", magnesiumIV, `"coding":[`, `"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"6585"},`, ""},
		{"other system", magnesiumIV, systemNDC, systemSNOMED, reasonPostCode},
		{"written tomorrow", magnesiumIV, `2023-11-13T10`, `2023-11-14T10`, reasonPostTime},
		{"draft", magnesiumIV, `"active"`, `"draft"`, reasonPostState},
		{"plan", magnesiumIV, `"intent":"order"`, `"intent":"plan"`, reasonPostState},

		{"potassium", potassiumOral, "", "", ""},
		{"rounded dose", potassiumOral, `39.99999999999999`, `40`, ""},
		{"potassium in mg", potassiumOral, `"unit":"meq"`, `"unit":"mg"`, reasonPostDose},
		{"potassium into a vein", potassiumOral, `"text":"oral"`, `"text":"IV"`, reasonPostDose},

		{"test", labOrder, "", "", ""},
		{"test an hour late", labOrder, `T08:00`, `T09:00`, reasonPostTime},
		{"test at once", labOrder, `"occurrenceDateTime"`, `"occurs"`, reasonPostTime},
		{"routine", labOrder, `"stat"`, `"routine"`, reasonPostState},
		{"other test", labOrder, `2823-3`, `4548-4`, reasonPostCode},

		{"referral", referral, "", "", ""},
		{"note as list", referral, `"note":{"text":"Situation: knee. Request: see."}`, `"note":[{"text":"Situation: knee.\nRequest: see."}]`, ""},
		{"more in the note", referral, `Situation: knee`, `Dear colleague, Situation: knee`, ""},
		{"part of the note", referral, ` Request: see.`, ``, reasonPostText},
		{"no note", referral, `"note"`, `"comment"`, reasonPostText},
		{"other type in the body", referral, `"resourceType":"ServiceRequest"`, `"resourceType":"Observation"`, reasonPostURL},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			right := string(posted(test.order, "S1"))
			if test.old != "" && !strings.Contains(right, test.old) {
				t.Fatalf("%s is not in %s", test.old, right)
			}
			data := strings.Replace(right, test.old, test.new, 1)
			sub := datasettest.Submit(handInOf("", ""))
			sub.Records = recorded([]fhir.Record{{URL: fhir.BaseURL + test.order.Type, Resource: []byte(data)}})
			v := datasettest.Grade(t, New().(*Source), taskOf(t, recordVitals, expected{Posts: []order{test.order}}), sub)
			want := test.reason
			if want == "" {
				want = grading.ReasonCorrect
			}
			if v.Reason != want || (v.Reward == 1) != (test.reason == "") {
				t.Errorf("%v, %q; want %q", v.Reward, v.Reason, want)
			}
		})
	}
}

func TestStrictPostSets(t *testing.T) {
	pair := expected{Get: []item{number(3.1)}, Optional: true, Posts: []order{potassiumOral, labOrder}}
	drug := fhir.Record{URL: fhir.BaseURL + potassiumOral.Type, Resource: posted(potassiumOral, "S1")}
	lab := fhir.Record{URL: fhir.BaseURL + labOrder.Type, Resource: posted(labOrder, "S1")}
	elsewhere := fhir.Record{URL: fhir.BaseURL + fhir.Observation, Resource: posted(labOrder, "S1")}
	tests := []struct {
		name   string
		sent   []fhir.Record
		reason string
	}{
		{"both", []fhir.Record{drug, lab}, grading.ReasonCorrect},
		{"in the other sequence", []fhir.Record{lab, drug}, grading.ReasonCorrect},
		{"one", []fhir.Record{drug}, reasonPostCount},
		{"none", nil, reasonClaim},
		{"one twice", []fhir.Record{drug, drug}, reasonPostURL},
		{"a third", []fhir.Record{drug, lab, lab}, reasonPostCount},
		{"to a wrong URL", []fhir.Record{drug, elsewhere}, reasonPostURL},
	}
	claims := `"http://localhost:8080/fhir/MedicationRequest",{"$":"dict","v":[]}`
	for _, test := range tests {
		sub := datasettest.Submit(handInOf("3.1", claims))
		sub.Records = recorded(test.sent)
		if v := datasettest.Grade(t, New().(*Source), taskOf(t, givePotassium, pair), sub); v.Reason != test.reason {
			t.Errorf("%s: %q, want %q", test.name, v.Reason, test.reason)
		}
	}
}

// What no answer is: printed text, a program that failed, nothing at all.
func TestStrictNoAnswer(t *testing.T) {
	task := taskOf(t, recordVitals, expected{Get: []item{}, Posts: []order{bloodPressure}})
	right := datasettest.Submit(handInOf("", ""))
	right.Records = recorded([]fhir.Record{{URL: fhir.BaseURL + fhir.Observation, Resource: posted(bloodPressure, "S1")}})
	if v := datasettest.Grade(t, New().(*Source), task, right); v.Reward != 1 {
		t.Fatalf("the right answer fails: %s", v.Reason)
	}
	for name, change := range map[string]func(*datasets.Submission){
		grading.ReasonNoAnswer: func(s *datasets.Submission) {
			s.Answer, s.Stdout = nil, string(s.Answer)
		},
		grading.ReasonProgramFailed: func(s *datasets.Submission) { s.Status = "error" },
		grading.ReasonEmpty:         func(s *datasets.Submission) { s.Answer = datasets.RawValue("null") },
		grading.ReasonUnreadable:    func(s *datasets.Submission) { s.Answer = datasets.RawValue(`{"GET":[]}`) },
		reasonPostCount:             func(s *datasets.Submission) { s.Records = nil },
	} {
		sub := right
		change(&sub)
		if v := datasettest.Grade(t, New().(*Source), task, sub); v.Reason != name || v.Reward != 0 {
			t.Errorf("%v, %q; want %q", v.Reward, v.Reason, name)
		}
	}
}

// A fault of the task or of the host is no verdict.
func TestGradeErrors(t *testing.T) {
	source := New().(*Source)
	ready := taskOf(t, lastGlucose, expected{Get: []item{number(1)}})
	var gold *datasets.GoldError
	if _, err := source.Grade(t.Context(), taskOf(t, lastGlucose), datasettest.Submit(handInOf("1", "")), nil); !errors.As(err, &gold) {
		t.Errorf("a task without an answer: %v", err)
	}
	for _, text := range []string{"", "{", "null", `{"question":{"kind":"task11"}}`} {
		task := ready
		task.Answer = text
		if _, err := source.Grade(t.Context(), task, datasettest.Submit(handInOf("1", "")), nil); err == nil {
			t.Errorf("%q is taken as an answer", text)
		}
	}
	sub := datasettest.Submit(handInOf("1", ""))
	sub.Records = map[string]datasets.RawValue{serviceName: datasets.RawValue(`{"url":1}`)}
	if _, err := source.Grade(t.Context(), ready, sub, nil); err == nil {
		t.Error("records that are no list are taken")
	}
}

func FuzzGrade(f *testing.F) {
	source := New().(*Source)
	f.Add(handInOf("1.7", ""), `[]`)
	f.Add(handInOf("", `"x"`), string(encode([]any{map[string]any{"url": fhir.BaseURL + "Observation", "resource": json.RawMessage(posted(bloodPressure, "S1"))}})))
	f.Add(`{"$":"dict","v":[["GET",null]]}`, `[{"url":"","resource":{"category":[[]],"code":"x"}}]`)
	text, err := datasets.Canonical(answer{Question: question{Kind: givePotassium, MRN: "S1", Now: testNow}, Patient: "S1",
		Expected: []expected{{Get: []item{number(3.25), {Time: testNow}}, Posts: []order{bloodPressure, magnesiumIV, labOrder}}}})
	if err != nil {
		f.Fatal(err)
	}
	task := schemas.Task{TaskID: "t", Answer: text}
	f.Fuzz(func(t *testing.T, value, records string) {
		sub := datasettest.Submit(value)
		sub.Records = map[string]datasets.RawValue{serviceName: datasets.RawValue(records)}
		v, err := source.Grade(t.Context(), task, sub, nil)
		if err == nil && (v.Reason == "" || v.Reward == 1 && strings.Count(records, "resourceType") < 3) {
			t.Errorf("%+v", v)
		}
	})
}
