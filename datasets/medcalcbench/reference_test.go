package medcalcbench

import (
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/schemas"
)

// checkReference plays what can be played without Python: the right program where
// it is a gold one, and the wrong ones that do not go beyond pycalc.
func checkReference(t *testing.T, task schemas.Task) (wrong int) {
	t.Helper()
	ref, err := Source{}.Reference(task)
	if err != nil {
		t.Errorf("%s: %v", task.TaskID, err)
		return 0
	}
	if len(ref.Wrong) < 3 || len(ref.Wrong) > maxWrong || len(ref.Explore) < 2 {
		t.Errorf("%s: %d wrong programs, %d that explore", task.TaskID, len(ref.Wrong), len(ref.Explore))
	}
	if task.Gold != "" && ref.Right != task.Gold {
		t.Errorf("%s: the right program is not the gold one", task.TaskID)
	}
	judge := func(program string) (reward float64, ok bool) {
		answer, err := evaluate(program)
		if err != nil {
			return 0, false
		}
		return datasettest.Grade(t, Source{}, task, datasettest.Submit(answer)).Reward, true
	}
	if reward, ok := judge(ref.Right); !ok || reward != 1 {
		t.Errorf("%s (%s): the right program runs %v and gets %v\n%s", task.TaskID, task.Category, ok, reward, ref.Right)
	}
	for _, program := range ref.Wrong {
		reward, ok := judge(program)
		if ok && reward != 0 {
			t.Errorf("%s (%s): a wrong program gets %v\n%s", task.TaskID, task.Category, reward, program)
		}
		if ok {
			wrong++
		}
	}
	return wrong
}

func TestReference(t *testing.T) {
	dir := t.TempDir()
	create := createIn(t, dir)
	if err := (Source{}).Synthesize(t.Context(), synthOptions, create); err != nil {
		t.Fatal(err)
	}
	out := datasettest.Normalize(t, New(), dir, "")
	kinds := map[string]int{}
	for _, task := range out.Tasks {
		if task.GoldKind != schemas.GoldPython {
			t.Errorf("%s (%s): a synthetic task without a gold program", task.TaskID, task.Category)
		}
		checkReference(t, task)
		kinds[task.AnswerType]++
		task.Gold, task.GoldKind = "", schemas.GoldNone // the answer alone
		checkReference(t, task)
	}
	if len(kinds) != 4 || len(out.Tasks) != synthOptions.Train+synthOptions.Test {
		t.Errorf("%d tasks of the answer types %v, want all four types", len(out.Tasks), kinds)
	}
}

func TestMisreadings(t *testing.T) {
	gold := strings.Join([]string{
		"# X", "from datetime import date", "", `sex = "Male"`, "period = date(2020, 2, 13)  # x", "weight = 106 * 0.45359237  # kg, from lbs", "temperature = (101 - 32) * 5 / 9  # degrees celsius",
		"albumin = 0.5  # g/dL", "flag = False  # not mentioned", "", "answer = weight + temperature + albumin + flag + (1 if sex == \"Male\" else 0)", "print(answer)", "",
	}, "\n")
	right, err := evaluate(gold)
	if err != nil {
		t.Fatal(err)
	}
	var changed []string
	for _, a := range misreadings(gold, right) {
		for i, line := range strings.Split(a.program, "\n") {
			if old := strings.Split(gold, "\n")[i]; line != old {
				changed = append(changed, line)
			}
		}
	}
	// The date's day and month cannot be exchanged: there is no 13th month.
	want := []string{`sex = "Female"`, "weight = 106", "temperature = 101"}
	if strings.Join(changed, "|") != strings.Join(want, "|") {
		t.Errorf("changed lines %q, want %q", changed, want)
	}
	for text, want := range map[string]string{"True": "False", "0.5": "5", "0.05": "5", "12": "120", "1.4": "14", "date(2020, 2, 3)": "date(2020, 3, 2)"} {
		m := inputLine.FindStringSubmatch("x = " + text)
		if m == nil || misread(m) != want {
			t.Errorf("%s is misread as %v, want %s", text, m, want)
		}
	}
}

func TestMeasurements(t *testing.T) {
	given := measurements("An 87-year-old of 48 kg and 163 cm, 38.1 °C, BP 66/40 mmHg, again 48 kg, creatinine 1.4 mg/dL, WBC 007 mg.")
	got := listing(given)
	want := "given = [\n    (87, \"year\"),\n    (48, \"kg\"),\n    (163, \"cm\"),\n    (38.1, \"°C\"),\n    (40, \"mmHg\"),\n    (1.4, \"mg/dL\"),\n    (7, \"mg\"),\n]\n"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(measurements(strings.Repeat("1 kg 2 kg 3 kg 4 kg 5 kg 6 kg 7 kg 8 kg 9 kg ", 1) + strings.Repeat("1", 30) + " kg")); n != 10 {
		t.Errorf("%d measurements, want 10", n)
	}
}

// TestRealGold pins how many of the release's answers its own extracted values
// give by the published formula. Most of the rest are answers that depart from the
// rule: every Glasgow Coma Score (up to 20, on a scale that ends at 15), due dates
// that short cycles move later, Caprini scores of 6 where the values make 29.
func TestRealGold(t *testing.T) {
	gold, all := map[string]int{}, map[string]int{}
	runs := 0
	for _, task := range realTasks(t) {
		all[task.Category]++
		if task.GoldKind == schemas.GoldPython {
			gold[task.Category]++
			runs++
		}
		checkReference(t, task)
	}
	want := map[string]int{
		"CKD-EPI Equations for Glomerular Filtration Rate": 2, "Calcium Correction for Hypoalbuminemia": 2, "Estimated Due Date": 15,
		"Child-Pugh Score for Cirrhosis Mortality": 15, "Revised Cardiac Risk Index for Pre-Operative Risk": 13, "Glasgow Coma Score (GCS)": 20,
		"MELD Na (UNOS/OPTN)": 4, "Glasgow-Blatchford Bleeding Score (GBS)": 3, "APACHE II Score": 20, "PSI Score: Pneumonia Severity Index for CAP": 2,
		"Charlson Comorbidity Index (CCI)": 16, "Caprini Score for Venous Thromboembolism (2005)": 20, "Sequential Organ Failure Assessment (SOFA) Score": 19,
		"LDL Calculated": 2, "Framingham Risk Score for Hard Coronary Heart Disease": 16, "SIRS Criteria": 10, "Delta Ratio": 1, "Albumin Corrected Delta Gap": 1,
	}
	for _, c := range calculators {
		if without := all[c.name] - gold[c.name]; without != want[c.name] {
			t.Errorf("%s: %d of %d tasks without a gold program, want %d", c.name, without, all[c.name], want[c.name])
		}
	}
	if runs != 866 {
		t.Errorf("%d gold programs, want 866", runs)
	}
	t.Logf("%d of %d tasks have a gold program", runs, len(realTasks(t)))
}
