package medcalcbench

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/datasets/medcalcbench/internal/pycalc"
)

// TestFormulas has a worked example of every calculator, computed by hand or with
// the calculator of its authors; in dL, mg, kg and cm where no unit is given.
func TestFormulas(t *testing.T) {
	for _, c := range []struct {
		id     int64
		values string
		want   string // a number to three decimals, or the plain codec
	}{
		{2, "{'sex': 'Female', 'age': [60, 'years'], 'weight': [90, 'kg'], 'height': [160, 'cm'], 'creatinine': [1, 'mg/dL']}", "63.683"},
		{2, "{'sex': 'Male', 'age': [40, 'years'], 'weight': [50, 'kg'], 'height': [180, 'cm'], 'creatinine': [1, 'mg/dL']}", "69.444"},
		{3, "{'sex': 'Female', 'age': [50, 'years'], 'creatinine': [88.4, 'µmol/L']}", "68.635"},
		{3, "{'sex': 'Male', 'age': [50, 'years'], 'creatinine': [0.8, 'mg/dL']}", "107.817"},
		{4, "{'sex': 'Female', 'age': [76, 'years'], 'Stroke': True, 'Diabetes history': True}", "6"},
		{5, "{'Systolic Blood Pressure': [140.0, 'mm hg'], 'Diastolic Blood Pressure': [80.0, 'mmhg']}", "100"},
		{6, "{'weight': [70, 'kg'], 'height': [1.75, 'm']}", "22.857"},
		{7, "{'Calcium': [8.6, 'mg/dL'], 'Albumin': [31, 'g/L']}", "9.32"},
		{8, "{'Heart Rate or Pulse': [110, 'beats per minute'], 'Previously Documented Pulmonary Embolism': True, 'Hemoptysis': True}", "4"},
		{9, "{'sex': 'Female', 'age': [27, 'years'], 'creatinine': [14.6, 'mg/dL'], 'Race': 'Black'}", "3.654"},
		{10, "{'sex': 'Male', 'height': [177, 'cm']}", "72.276"},
		{11, "{'Heart Rate or Pulse': [75, 'beats per minute'], 'QT interval': [330, 'msec']}", "368.951"},
		{13, "{'Last menstrual date': '01/10/2020', 'cycle length': 28}", `{"$":"date","v":"2020-10-16"}`},
		{13, "{'Last menstrual date': '01/10/2020', 'cycle length': 30}", `{"$":"date","v":"2020-10-18"}`},
		{15, "{'international normalized ratio': 1.8, 'Albumin': [2.8, 'g/dL'], 'Bilirubin': [3.1, 'mg/dL'], 'Ascites': 'slight', 'Encephalopathy': 'Grade 3-4'}", "12"},
		{16, "{'Active cancer': True, 'Entire Leg Swollen': True, 'Major surgery within 12 weeks': True, 'Bedridden recently >3 days or major surgery within 12 weeks': True, 'Alternative diagnosis to Deep Vein Thrombosis as likely or more likely': True}", "1"},
		{17, "{'Pre-operative creatinine': [2.0, 'mg/dL'], 'Elevated-risk surgery': True, 'History of cerebrovascular disease': True}", "2"},
		{18, "{'age': [65, 'years'], 'Suspicion History': 'Moderately suspicious', 'Electrocardiogram Test': 'Normal', 'Initial troponin': 'greater than three times normal limit', 'obesity': True}", "6"},
		{19, "{'age': [47, 'years'], 'Alanine aminotransferase': [309, 'U/L'], 'Aspartate aminotransferase': [213, 'U/L'], 'Platelet count': [149000, 'µL']}", "3.822"},
		{20, "{'age': [14, 'months'], 'Temperature': [101, 'degrees fahreinheit'], 'Cough Absent': True}", "2"},
		{20, "{'age': [45, 'years'], 'Temperature': [38.0, 'degrees celsius']}", "-1"},
		{21, "{'Best eye response': 'eye opening to pain', 'Best verbal response': 'not testable', 'Best motor response': 'localizes pain'}", "12"},
		{22, "{'weight': [25, 'kg']}", "65"},
		{23, "{'creatinine': [2.0, 'mg/dL'], 'international normalized ratio': 1.6, 'Bilirubin': [3.0, 'mg/dL'], 'Sodium': [130, 'mEq/L']}", "26"},
		{24, "{'input steroid': ['Hydrocortisone PO', 80, 'mg'], 'target steroid': 'PredniSONE PO'}", "20"},
		{25, "{'age': [66, 'years'], 'Stroke': True, 'Number of Alcoholic Drinks Per Week': 8}", "3"},
		{26, "{'Sodium': [131, 'mEq/L'], 'Glucose': [400, 'mg/dL']}", "138.2"},
		{27, "{'sex': 'Male', 'Blood Urea Nitrogen (BUN)': [30, 'mg/dL'], 'Hemoglobin': [11, 'g/dL'], 'Systolic Blood Pressure': [95, 'mm Hg'], 'Heart Rate or Pulse': [104, 'bpm'], 'Melena present': True}", "11"},
		{28, "{'age': [66, 'years'], 'Temperature': [39.2, 'degrees celsius'], 'Systolic Blood Pressure': [90, 'mm Hg'], 'Diastolic Blood Pressure': [50, 'mm Hg'], 'Heart Rate or Pulse': [120, 'bpm'], 'respiratory rate': [26, 'breaths per minute'], 'FiO₂': [40, '%'], 'Partial pressure of oxygen (PaO₂) for Apache II': [58, 'mm Hg'], 'pH': 7.3, 'Sodium': [138, 'mmol/L'], 'Potassium': [4, 'mmol/L'], 'creatinine': [2, 'mg/dL'], 'Acute renal failure': True, 'Hematocrit': [35, '%'], 'White blood cell count': [16000, 'µL'], 'Glasgow Coma Score': 14}", "26"},
		{29, "{'sex': 'Female', 'age': [70, 'years'], 'Temperature': [40, 'degrees celsius'], 'Systolic Blood Pressure': [85, 'mm Hg'], 'Heart Rate or Pulse': [100, 'bpm'], 'respiratory rate': [30, 'breaths per minute'], 'pH': 7.4, 'Blood Urea Nitrogen (BUN)': [20, 'mg/dL'], 'Sodium': [140, 'mEq/L'], 'Glucose': [14, 'mmol/L'], 'Hematocrit': [40, '%'], 'Partial pressure of oxygen (PaO₂) for Apache II': [55, 'mm Hg'], 'Nursing home resident': True}", "145"},
		{30, "{'Sodium': [140, 'mEq/L'], 'Glucose': [90, 'mg/dL'], 'Blood Urea Nitrogen (BUN)': [14, 'mg/dL']}", "290"},
		{31, "{'Glucose': [210, 'mg/dL'], 'Insulin': [26, 'µIU/mL']}", "13.481"},
		{32, "{'age': [72, 'years'], 'Diabetes mellitus criteria for CCI rule': 'End-organ damage', 'Solid tumor': 'Metastatic', 'Liver disease severity': False, 'Stroke': True, 'Cerebrovascular Accident': True, 'Transient Ischemic Attacks History': True}", "12"},
		{33, "{'Purulent tonsils': True, 'Fever in past 24 hours': True}", "2"},
		{36, "{'sex': 'Male', 'age': [62, 'years'], 'Surgery Type': 'elective major lower extremity arthroplasty', 'Body Mass Index (BMI)': [27, 'kg/m^2'], 'Mobility': 'on bed rest', 'Varicose veins': True}", "10"},
		{38, "{'sex': 'Male', 'age': [30, 'years'], 'weight': [70, 'kg'], 'Sodium': [160, 'mmol/L']}", "6"},
		{38, "{'sex': 'Female', 'age': [80, 'years'], 'weight': [70, 'kg'], 'Sodium': [160, 'mmol/L']}", "4.5"},
		{39, "{'Sodium': [139, 'mEq/L'], 'Chloride': [104, 'mEq/L'], 'Bicarbonate': [20, 'mmol/L']}", "15"},
		{40, "{'Urine creatinine': [60.3, 'mg/dL'], 'creatinine': [0.6, 'mg/dL'], 'Urine sodium': [32.0, 'mEq/L'], 'Sodium': [129.0, 'mEq/L']}", "0.247"},
		{43, "{'FiO₂': [60, '%'], 'On mechanical ventilation': True, 'Partial pressure of oxygen (PaO₂) for Apache II': [76, 'mm Hg'], 'Hypotension': True, 'Glasgow Coma Score': 9, 'creatinine': [121.32, 'µmol/L'], 'Bilirubin': [88.41, 'µmol/L'], 'Platelet count': [140400, 'µL']}", "11"},
		{44, "{'Total cholesterol': [182, 'mg/dL'], 'high-density lipoprotein cholesterol': [39, 'mg/dL'], 'Triglycerides': [196, 'mg/dL']}", "103.8"},
		{45, "{'age': [76, 'years'], 'Systolic Blood Pressure': [85, 'mm hg'], 'Diastolic Blood Pressure': [50, 'mm hg'], 'Blood Urea Nitrogen (BUN)': [8, 'mmol/L'], 'respiratory rate': [30, 'breaths per minute']}", "4"},
		{46, "{'sex': 'Male', 'age': [55, 'years'], 'Total cholesterol': [213, 'mg/dL'], 'high-density lipoprotein cholesterol': [50, 'mg/dL'], 'Systolic Blood Pressure': [120, 'mm hg']}", "6.509"},
		{48, "{'age': [50, 'years'], 'Heart Rate or Pulse': [99, 'bpm'], 'O₂ saturation percentage': [94, '%'], 'Previously documented Deep Vein Thrombosis': True, 'Previously Documented Pulmonary Embolism': True}", "3"},
		{49, "{'Tapentadol Dose': [50, 'mg'], 'Tapentadol Dose Per Day': [1, 'per day'], 'TraMADol Dose': [50, 'mg'], 'TraMADol Dose Per Day': [1, 'per day'], 'FentaNYL buccal Dose': [20, 'µg'], 'FentaNYL buccal Dose Per Day': [2, 'per day']}", "35.2"},
		{51, "{'Temperature': [38.5, 'degrees celsius'], 'Heart Rate or Pulse': [91, 'bpm'], 'respiratory rate': [18, 'breaths per minute'], 'PaCO₂': [31, 'mm hg'], 'White blood cell count': [9400, 'm^3']}", "3"},
		{56, "{'Heart Rate or Pulse': [118, 'beats per minute'], 'QT interval': [330, 'msec']}", "413.451"},
		{57, "{'Heart Rate or Pulse': [119, 'beats per minute'], 'QT interval': [330, 'msec']}", "406.353"},
		{58, "{'Heart Rate or Pulse': [76, 'beats per minute'], 'QT interval': [330, 'msec']}", "358"},
		{59, "{'Heart Rate or Pulse': [58, 'beats per minute'], 'QT interval': [330, 'msec']}", "326.333"},
		{60, "{'weight': [77.1, 'kg'], 'height': [176.1, 'cm']}", "1.942"},
		{61, "{'Body Mass Index (BMI)': [24.5, 'kg/m^2'], 'height': [1.99, 'm']}", "97.022"},
		{62, "{'sex': 'Female', 'weight': [80, 'kg'], 'height': [168, 'cm']}", "67.776"},
		{63, "{'Sodium': [134, 'mEq/L'], 'Chloride': [105, 'mEq/L'], 'Bicarbonate': [17, 'mmol/L']}", "0"},
		{64, "{'Sodium': [139, 'mEq/L'], 'Chloride': [104, 'mEq/L'], 'Bicarbonate': [28.2, 'mmol/L']}", "1.238"},
		{65, "{'Sodium': [138, 'mEq/L'], 'Chloride': [102, 'mEq/L'], 'Bicarbonate': [15, 'mmol/L'], 'Albumin': [2.6, 'g/dL']}", "24.5"},
		{66, "{'Sodium': [125, 'mEq/L'], 'Chloride': [87, 'mEq/L'], 'Bicarbonate': [28, 'mmol/L'], 'Albumin': [3.7, 'g/dL']}", "-1.25"},
		{67, "{'Sodium': [135, 'mEq/L'], 'Chloride': [113, 'mEq/L'], 'Bicarbonate': [20, 'mmol/L'], 'Albumin': [4, 'g/dL']}", "-2.5"},
		{68, "{'Last menstrual date': '12/18/2009', 'cycle length': 26}", `{"$":"date","v":"2010-01-01"}`},
		{69, "{'Current Date': '05/23/2024', 'Last menstrual date': '02/14/2024'}", `{"$":"tuple","v":[1.4e+01,1e+00]}`},
	} {
		calc, ok := calculatorOf(c.id)
		if !ok {
			t.Errorf("no calculator %d", c.id)
			continue
		}
		values, ok := entities(c.values)
		if !ok {
			t.Errorf("%d: the entities are not read", c.id)
			continue
		}
		program, ok := calc.program(values)
		if !ok {
			t.Errorf("%d: no program", c.id)
			continue
		}
		got, err := evaluate(program)
		if x, isNumber := parseFloat(got); isNumber {
			got = numeral(math.Round(x*1000) / 1000)
		}
		if err != nil || got != c.want {
			t.Errorf("%d (%s): %s, %v; want %s\n%s", c.id, calc.name, got, err, c.want, program)
		}
	}
}

func parseFloat(text string) (float64, bool) {
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

// TestTable holds the calculators to what the code takes for granted: ids in
// order, names that differ, inputs that the formula reads, units that convert.
func TestTable(t *testing.T) {
	if len(calculators) != Source.Spec(Source{}).Categories {
		t.Errorf("%d calculators, the spec has %d categories", len(calculators), Source.Spec(Source{}).Categories)
	}
	last, names := int64(0), map[string]bool{}
	for _, c := range calculators {
		if c.id <= last || names[c.name] || c.asks == "" {
			t.Errorf("%d: out of order, or its name is there twice, or it asks for nothing", c.id)
		}
		last, names[c.name] = c.id, true
		used, inputs := pycalc.Names(c.formula), map[string]bool{}
		for _, in := range c.inputs {
			// The source states the length of the cycle though conception does not depend on it.
			if inputs[in.name] || !slices.Contains(used, in.name) && in.name != "cycle" {
				t.Errorf("%d: input %s is there twice or is not used", c.id, in.name)
			}
			inputs[in.name] = true
			if in.kind == choice && len(in.options) == 0 || (in.kind == quantity) != (len(in.units) > 0) || in.says == "" || in.entity == "" {
				t.Errorf("%d: input %s is incomplete", c.id, in.name)
			}
			if (in.kind == quantity || in.kind == plain) && in.low >= in.high {
				t.Errorf("%d: input %s has no range", c.id, in.name)
			}
			for i, u := range in.units {
				at := func(x float64) float64 {
					v, err := pycalc.Eval(u.convert, map[string]pycalc.Value{"x": {Kind: pycalc.Number, Number: x}})
					if err != nil {
						t.Errorf("%d: %s in %s: %v", c.id, in.name, u.name, err)
					}
					return v.Number
				}
				zero, one, ten := at(0), at(1), at(10)
				if one <= zero || math.Abs(zero+10*(one-zero)-ten) > 1e-9 || i == 0 && (zero != 0 || one != 1) {
					t.Errorf("%d: %s in %s: %s is no conversion", c.id, in.name, u.name, u.convert)
				}
			}
		}
	}
	for spelling, usual := range spellings {
		if spelling != strings.ToLower(spelling) || strings.Contains(spelling, " ") || spellings[usual] != "" {
			t.Errorf("spelling %q is not plain, or leads to another spelling", spelling)
		}
	}
}

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		in            input
		value         string
		text, comment string // empty: not read
	}{
		{weight, "[48.0, 'kg']", "48", "kg"},
		{weight, "[106, 'LBS ']", "106 * 0.45359237", "kg, from lbs"},
		{weight, "[106, 'pounds']", "106 * 0.45359237", "kg, from lbs"},
		{weight, "70.5", "70.5", "kg"},
		{height, "[5, 'ft', 9, 'in']", "5 * 30.48 + 9 * 2.54", "cm, from ft and in"},
		{fever, "[101.2, 'degrees fahreinheit']", "(101.2 - 32) * 5 / 9", "degrees celsius, from degrees fahrenheit"},
		{serumCr, "[80, 'μmol/L']", "80 * 0.011312", "mg/dL, from µmol/L"}, // the Greek letter
		{number("dose", "input steroid", "dose", milligrams, 1, 2, 0), "['Cortisone PO', 25, 'mg']", "25", "mg"},
		{inr, "2.1", "2.1", ""},
		{sex, "'Male'", `"Male"`, ""},
		{oneOf("tumor", "", "", "x").or(`"none"`), "False", `"none"`, ""},
		{heartFailure, "True", "True", ""},
		{heartFailure, "1", "", ""},
		{heartFailure, "'mild'", "", ""},
		{periodStart, "'02/29/2020'", "date(2020, 2, 29)", ""},
		{periodStart, "'02/30/2020'", "", ""},
		{periodStart, "20200229", "", ""},
		{weight, "[48.0, 'stone']", "", ""},
		{weight, "[48.0]", "", ""},
		{weight, "['kg', 48.0]", "", ""},
		{weight, "[]", "", ""},
		{weight, "'48 kg'", "", ""},
		{weight, "None", "", ""},
		{weight, "[True, 'kg']", "", ""},
		{inr, "[2.1]", "", ""},
		{sex, "True", "", ""},
	} {
		v, err := pycalc.Eval(c.value, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, comment, ok := c.in.python(v)
		if ok != (c.text != "") || ok && (text != c.text || comment != c.comment) {
			t.Errorf("%s of %s: %q, %q, %v; want %q, %q", c.in.name, c.value, text, comment, ok, c.text, c.comment)
		}
	}
}

func TestEntities(t *testing.T) {
	for _, text := range []string{"", "[]", "{", "{'a': x}", "{'a': __import__('os')}", "{'a': 1} + 1", "{1: 2}", "None"} {
		if _, ok := entities(text); ok {
			t.Errorf("%q is read", text)
		}
	}
	v, ok := entities(`{"sex": "Male", "Stroke": false, "age": [87, "years"], "x": null}`)
	if got, found := v.Get("Stroke"); !ok || !found || got.Kind != pycalc.Bool {
		t.Error("JSON is not read")
	}
}

// FuzzEntities: whatever the extracted values are, a program that is made of them
// either fails to evaluate or gives a value that the grader can judge.
func FuzzEntities(f *testing.F) {
	f.Add("{'sex': 'Male', 'age': [87, 'years'], 'weight': [48.0, 'kg'], 'height': [163.0, 'cm'], 'creatinine': [1.4, 'mg/dL']}")
	f.Add("{'sex': 'Male\\'\\n', 'age': [1e300, 'years'], 'weight': [0, 'g'], 'height': [-0.0, 'm'], 'creatinine': [1e-300, 'µmol/L']}")
	f.Add("{'Current Date': '12/31/9999', 'Last menstrual date': '01/01/0001', 'cycle length': 1e9}")
	f.Add(`{"weight": [5, "ft", 9, "in"], "height": []}`)
	f.Fuzz(func(t *testing.T, text string) {
		values, ok := entities(text)
		if !ok {
			return
		}
		for _, c := range calculators {
			program, ok := c.program(values)
			if !ok {
				continue
			}
			answer, err := evaluate(program)
			if err != nil {
				continue
			}
			if _, reason := grading.Answer(submission(answer)); reason != "" && reason != grading.ReasonEmpty {
				t.Fatalf("%d: the answer %s is %s", c.id, answer, reason)
			}
		}
	})
}
