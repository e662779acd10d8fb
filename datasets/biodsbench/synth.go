package biodsbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
)

// tasksPerStudy is how many tasks share one invented study.
const tasksPerStudy = 8

// Synthesize implements datasets.Synthesizer: invented studies with clinical,
// sample and mutation tables, and assertions computed here, not by the solutions.
func (a *Adapter) Synthesize(ctx context.Context, opts datasets.SynthOptions, create func(name string) (io.WriteCloser, error)) error {
	random := rand.New(rand.NewPCG(opts.Seed, 0xb10d5b))
	first := random.IntN(len(questions))
	next := 0
	var current *study
	for _, split := range []struct {
		file string
		rows int
	}{{trainFile, opts.Train}, {testFile, opts.Test}} {
		err := write(create, split.file, func(out io.Writer) error {
			for i := range split.rows {
				if err := ctx.Err(); err != nil {
					return err
				}
				if next%tasksPerStudy == 0 {
					current = newStudy(random, fmt.Sprintf("synthetic-%02d", next/tasksPerStudy+1))
					if err := current.write(create); err != nil {
						return err
					}
				}
				data, err := json.Marshal(current.row(questions[(first+next)%len(questions)], next), json.Deterministic(true))
				if err != nil {
					return fmt.Errorf("%s:%d: %w", split.file, i+1, err)
				}
				if _, err := out.Write(append(data, '\n')); err != nil {
					return err
				}
				next++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func write(create func(string) (io.WriteCloser, error), name string, content func(io.Writer) error) (err error) {
	out, err := create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	return content(out)
}

// study is an invented study. Months and burdens have two decimals, so that what
// is computed here from the numbers is what pandas computes from the file.
type study struct {
	id        string
	patients  []patient
	samples   []sample
	mutations []mutation
}

type patient struct {
	id, sex, stage, arm, response string
	age                           int
	months                        float64
	died                          bool
}

type sample struct {
	id, patient, kind string
	burden            float64
}

type mutation struct{ gene, class, sample string }

var (
	stages    = []string{"I", "II", "III", "IV"}
	arms      = []string{"A", "B"}
	responses = []string{"CR", "PR", "SD", "PD"}
	kinds     = []string{"Adenocarcinoma", "Squamous Cell Carcinoma", "Neuroendocrine Tumor"}
	genes     = []string{"TP53", "KRAS", "PIK3CA", "ARID1A", "SMAD4", "EGFR", "BRAF", "PTEN"}
	classes   = []string{"Missense_Mutation", "Nonsense_Mutation", "Frame_Shift_Del", "Splice_Site", "Silent"}
)

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

func newStudy(random *rand.Rand, id string) *study {
	s := &study{id: id}
	prefix := fmt.Sprintf("P%03d-", random.IntN(1000))
	for i := range 60 + random.IntN(60) {
		p := patient{
			id: fmt.Sprintf("%s%03d", prefix, i+1), sex: pick(random, []string{"Female", "Male"}), stage: pick(random, stages),
			arm: pick(random, arms), response: pick(random, responses), age: 28 + random.IntN(60),
			months: math.Round(100*(0.5-14*math.Log(1-random.Float64()))) / 100, died: random.Float64() < 0.7,
		}
		s.patients = append(s.patients, p)
		for j := range 1 + random.IntN(2) {
			x := sample{
				id: fmt.Sprintf("%s-T%d", p.id, j+1), patient: p.id, kind: pick(random, kinds),
				burden: math.Round(100*20*random.Float64()) / 100,
			}
			s.samples = append(s.samples, x)
			for range random.IntN(6) {
				gene := genes[min(random.IntN(len(genes)), random.IntN(len(genes)))]
				s.mutations = append(s.mutations, mutation{gene: gene, class: pick(random, classes), sample: x.id})
			}
		}
	}
	return s
}

// table is a study's table as it stands in its file.
type table struct {
	name    string
	columns []string
	rows    [][]string
}

func (s *study) tables() []table {
	patients := table{name: "data_clinical_patient", columns: []string{"PATIENT_ID", "SEX", "AGE", "STAGE", "TREATMENT_ARM", "RESPONSE", "OS_MONTHS", "OS_STATUS"}}
	for _, p := range s.patients {
		status := "0:LIVING"
		if p.died {
			status = "1:DECEASED"
		}
		patients.rows = append(patients.rows, []string{p.id, p.sex, fmt.Sprint(p.age), p.stage, p.arm, p.response, fmt.Sprintf("%.2f", p.months), status})
	}
	samples := table{name: "data_clinical_sample", columns: []string{"SAMPLE_ID", "PATIENT_ID", "CANCER_TYPE_DETAILED", "TMB"}}
	for _, x := range s.samples {
		samples.rows = append(samples.rows, []string{x.id, x.patient, x.kind, fmt.Sprintf("%.2f", x.burden)})
	}
	mutations := table{name: "data_mutations", columns: []string{"Hugo_Symbol", "Variant_Classification", "Tumor_Sample_Barcode"}}
	for _, m := range s.mutations {
		mutations.rows = append(mutations.rows, []string{m.gene, m.class, m.sample})
	}
	return []table{patients, samples, mutations}
}

func (s *study) write(create func(string) (io.WriteCloser, error)) error {
	for _, t := range s.tables() {
		err := write(create, "data/"+s.id+"/"+t.name+".csv", func(out io.Writer) error {
			lines := []string{strings.Join(t.columns, ",")}
			for _, row := range t.rows {
				lines = append(lines, strings.Join(row, ","))
			}
			_, err := io.WriteString(out, strings.Join(lines, "\n")+"\n")
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// describe writes the tables for the prompt.
func (s *study) describe() string {
	var out strings.Builder
	for _, t := range s.tables() {
		fmt.Fprintf(&out, "Table `%s`, file `/workdir/%s.csv`. Shape is (%d, %d).\n", t.name, t.name, len(t.rows), len(t.columns))
		for i, column := range t.columns {
			var seen []string
			for _, row := range t.rows {
				if !slices.Contains(seen, row[i]) && len(seen) < 5 {
					seen = append(seen, row[i])
				}
			}
			fmt.Fprintf(&out, "- `%s`, such as %s\n", column, strings.Join(seen, ", "))
		}
		out.WriteByte('\n')
	}
	return strings.TrimSpace(out.String())
}

// question is an invented analysis: ask makes its text, solution and tests for a
// study.
type question struct {
	ask func(s *study) asked
}

type asked struct {
	query, plan string
	prefix      string // the program that the task continues from, if any
	solution    string
	tests       []string
}

func (s *study) row(q question, number int) map[string]string {
	a := q.ask(s)
	history := "[]"
	if a.prefix != "" {
		history = "[" + pyString(strings.TrimSpace(a.prefix)+"\n") + "]"
	}
	return map[string]string{
		"queries":          a.query,
		"cot_instructions": a.plan,
		"dataframes":       s.describe(),
		"chat_histories":   "[]",
		"code_histories":   history,
		"reference_codes":  "[]",
		"reference_answer": strings.TrimSpace(a.solution) + "\n",
		"test_cases":       strings.Join(a.tests, "\n"),
		"study_ids":        s.id,
		"question_ids":     fmt.Sprint(number % tasksPerStudy),
	}
}

// pyString writes a Python string literal.
func pyString(s string) string {
	return "'" + strings.NewReplacer("\\", `\\`, "'", `\'`, "\n", `\n`, "\t", `\t`).Replace(s) + "'"
}

// pyDict writes counts as a Python dict, in the order of keys.
func pyDict(keys []string, values map[string]int) string {
	var parts []string
	for _, k := range keys {
		if values[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d", pyString(k), values[k]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func near(expression string, value float64) string {
	return fmt.Sprintf("assert abs(%s - %.12g) < 1e-6", expression, value)
}

func count[T any](items []T, key func(T) string) map[string]int {
	counts := map[string]int{}
	for _, item := range items {
		counts[key(item)]++
	}
	return counts
}

func filter[T any](items []T, keep func(T) bool) []T {
	var kept []T
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func inArm(arm string) func(patient) bool { return func(p patient) bool { return p.arm == arm } }

func events(patients []patient) (n int, months float64) {
	for _, p := range patients {
		if p.died {
			n++
		}
		months += p.months
	}
	return n, months
}

// medianSurvival is the first time at which the Kaplan-Meier estimate is at most
// one half; false where rounding could move it, or where it is never reached.
func medianSurvival(patients []patient) (float64, bool) {
	sorted := slices.SortedFunc(slices.Values(patients), func(a, b patient) int {
		switch {
		case a.months < b.months:
			return -1
		case a.months > b.months:
			return 1
		}
		return 0
	})
	survival := 1.0
	for i := 0; i < len(sorted); {
		at, died := i, 0
		for ; i < len(sorted) && sorted[i].months == sorted[at].months; i++ {
			if sorted[i].died {
				died++
			}
		}
		survival *= 1 - float64(died)/float64(len(sorted)-at)
		if math.Abs(survival-0.5) < 1e-9 {
			return 0, false
		}
		if survival < 0.5 {
			return sorted[at].months, true
		}
	}
	return 0, false
}

// logrank is the p-value of the two-sample logrank test (Mantel 1966).
func logrank(a, b []patient) float64 {
	all := append(slices.Clone(a), b...)
	times := map[float64]bool{}
	for _, p := range all {
		if p.died {
			times[p.months] = true
		}
	}
	difference, variance := 0.0, 0.0
	atRisk := func(patients []patient, t float64) (n, d float64) {
		for _, p := range patients {
			if p.months >= t {
				n++
			}
			if p.months == t && p.died {
				d++
			}
		}
		return n, d
	}
	for t := range times {
		n, d := atRisk(all, t)
		n1, d1 := atRisk(a, t)
		difference += d1 - d*n1/n
		if n > 1 {
			variance += d * (n1 / n) * (1 - n1/n) * (n - d) / (n - 1)
		}
	}
	return math.Erfc(math.Sqrt(difference * difference / variance / 2))
}

const load = `import pandas as pd

data_clinical_patient = pd.read_csv("/workdir/data_clinical_patient.csv")
`

const loadMutations = `import pandas as pd

data_clinical_sample = pd.read_csv("/workdir/data_clinical_sample.csv")
data_mutations = pd.read_csv("/workdir/data_mutations.csv")
`

const fitCurve = `from lifelines import KaplanMeierFitter

def fit(patients):
    return KaplanMeierFitter().fit(patients["OS_MONTHS"], patients["OS_STATUS"] == "1:DECEASED")
`

var questions = []question{
	{ask: func(s *study) asked {
		return asked{
			query:    "Count the patients of each sex. Leave the counts in a Series `sex_counts`, indexed by sex.",
			plan:     "1. Read the patient table. 2. Count the values of its column SEX.",
			solution: load + `sex_counts = data_clinical_patient["SEX"].value_counts()`,
			tests: []string{
				"assert isinstance(sex_counts, pd.Series)",
				fmt.Sprintf("assert sex_counts.to_dict() == %s", pyDict([]string{"Female", "Male"}, count(s.patients, func(p patient) string { return p.sex }))),
			},
		}
	}},
	{ask: func(s *study) asked {
		var ages []float64
		for _, p := range s.patients {
			ages = append(ages, float64(p.age))
		}
		return asked{
			query:    "Give the patients' median age as `median_age`, and the lowest and highest age as a tuple `age_range`.",
			plan:     "1. Read the patient table. 2. Take median, minimum and maximum of AGE.",
			solution: load + "ages = data_clinical_patient[\"AGE\"]\nmedian_age = ages.median()\nage_range = (ages.min(), ages.max())",
			tests: []string{
				fmt.Sprintf("assert median_age == %g", median(ages)),
				fmt.Sprintf("assert age_range == (%g, %g)", slices.Min(ages), slices.Max(ages)),
			},
		}
	}},
	{ask: func(s *study) asked {
		counts := count(s.patients, func(p patient) string { return p.stage })
		tests := []string{`assert stage_table.columns.tolist() == ["STAGE", "Count"]`}
		for _, stage := range stages {
			if counts[stage] > 0 {
				tests = append(tests, fmt.Sprintf("assert stage_table.set_index(\"STAGE\").loc[%q, \"Count\"] == %d", stage, counts[stage]))
			}
		}
		return asked{
			query:    "How many patients have each stage? Leave a DataFrame `stage_table` with the columns `STAGE` and `Count`.",
			plan:     "1. Read the patient table. 2. Group by STAGE and count. 3. Make the index a column.",
			solution: load + `stage_table = data_clinical_patient.groupby("STAGE").size().reset_index(name="Count")`,
			tests:    tests,
		}
	}},
	{ask: func(s *study) asked {
		n := len(filter(s.patients, func(p patient) bool { return p.stage == "IV" && p.arm == "B" }))
		return asked{
			query:    "How many patients of arm B have stage IV disease? Leave the number in `n_stage_iv`.",
			plan:     "1. Read the patient table. 2. Keep arm B and stage IV. 3. Count the rows.",
			solution: load + "arm = data_clinical_patient[data_clinical_patient[\"TREATMENT_ARM\"] == \"B\"]\nn_stage_iv = int((arm[\"STAGE\"] == \"IV\").sum())",
			tests:    []string{fmt.Sprintf("assert n_stage_iv == %d", n)},
		}
	}},
	{ask: func(s *study) asked {
		var tests []string
		for _, arm := range arms {
			in := filter(s.patients, inArm(arm))
			hits := len(filter(in, func(p patient) bool { return p.response == "CR" || p.response == "PR" }))
			tests = append(tests, near("orr_"+strings.ToLower(arm), float64(hits)/float64(max(len(in), 1))))
		}
		return asked{
			query:    "The objective response rate is the share of patients with a complete (CR) or partial (PR) response. Give it for arm A as `orr_a` and for arm B as `orr_b`.",
			plan:     "1. Read the patient table. 2. Mark CR and PR. 3. Average the mark within each arm.",
			solution: load + "responded = data_clinical_patient[\"RESPONSE\"].isin([\"CR\", \"PR\"])\nrates = responded.groupby(data_clinical_patient[\"TREATMENT_ARM\"]).mean()\norr_a, orr_b = rates[\"A\"], rates[\"B\"]",
			tests:    tests,
		}
	}},
	{ask: func(s *study) asked {
		var tests []string
		for _, arm := range arms {
			counts := count(filter(s.patients, inArm(arm)), func(p patient) string { return p.response })
			for _, response := range responses {
				tests = append(tests, fmt.Sprintf("assert response_counts.loc[%q, %q] == %d", arm, response, counts[response]))
			}
		}
		return asked{
			query:    "Tabulate best response by treatment arm: a DataFrame `response_counts` with the arms as index and CR, PR, SD, PD as columns, 0 where nobody falls.",
			plan:     "1. Read the patient table. 2. Cross-tabulate arm and response. 3. Make sure that all four responses are columns.",
			solution: load + "response_counts = pd.crosstab(data_clinical_patient[\"TREATMENT_ARM\"], data_clinical_patient[\"RESPONSE\"])\nresponse_counts = response_counts.reindex(columns=[\"CR\", \"PR\", \"SD\", \"PD\"], fill_value=0)",
			tests:    tests,
		}
	}},
	{ask: func(s *study) asked {
		counts := count(s.mutations, func(m mutation) string { return m.gene })
		ranked := slices.SortedFunc(slices.Values(genes), func(a, b string) int {
			if counts[a] != counts[b] {
				return counts[b] - counts[a]
			}
			return strings.Compare(a, b)
		})
		top := ranked[:3]
		return asked{
			query:    "Name the three genes with the most rows in the mutation table, most first and equal ones in alphabetical order, as a list `top_genes`.",
			plan:     "1. Read the mutation table. 2. Count rows by gene. 3. Sort by count, then name. 4. Keep three.",
			solution: loadMutations + "counts = data_mutations.groupby(\"Hugo_Symbol\").size().reset_index(name=\"n\")\ncounts = counts.sort_values([\"n\", \"Hugo_Symbol\"], ascending=[False, True])\ntop_genes = counts[\"Hugo_Symbol\"].head(3).tolist()",
			tests: []string{
				"assert len(top_genes) == 3",
				fmt.Sprintf("assert top_genes == ['%s']", strings.Join(top, "', '")),
			},
		}
	}},
	{ask: func(s *study) asked {
		owner := map[string]string{}
		for _, x := range s.samples {
			owner[x.id] = x.patient
		}
		carriers := map[string]bool{}
		for _, m := range s.mutations {
			if m.gene == "TP53" && m.class != "Silent" {
				carriers[owner[m.sample]] = true
			}
		}
		return asked{
			query:    "Which patients carry a TP53 mutation that is not silent, in any of their samples? Leave the set of patient ids in `carriers` and the share of all patients in the patient table that they are in `carrier_share`.",
			plan:     "1. Read all three tables. 2. Keep TP53 without silent mutations. 3. Map samples to patients. 4. Divide by the number of patients.",
			solution: load + loadMutations + "hits = data_mutations[(data_mutations[\"Hugo_Symbol\"] == \"TP53\") & (data_mutations[\"Variant_Classification\"] != \"Silent\")]\nmerged = hits.merge(data_clinical_sample, left_on=\"Tumor_Sample_Barcode\", right_on=\"SAMPLE_ID\")\ncarriers = set(merged[\"PATIENT_ID\"])\ncarrier_share = len(carriers) / len(data_clinical_patient)",
			tests: []string{
				fmt.Sprintf("assert len(set(carriers)) == %d", len(carriers)),
				near("carrier_share", float64(len(carriers))/float64(len(s.patients))),
			},
		}
	}},
	{ask: func(s *study) asked {
		var tests []string
		for _, class := range []string{"Missense_Mutation", "Nonsense_Mutation", "Silent"} {
			n := len(filter(s.mutations, func(m mutation) bool { return m.class == class }))
			tests = append(tests, fmt.Sprintf("assert by_class[%q].sum() == %d", class, n))
		}
		samples := len(count(s.mutations, func(m mutation) string { return m.sample }))
		tests = append(tests, fmt.Sprintf("assert by_class.shape[0] == %d", samples))
		return asked{
			query:    "Count mutations by sample and class: a DataFrame `by_class` with a row for each sample that has any mutation and a column for each Variant_Classification, 0 where there is none.",
			plan:     "1. Read the mutation table. 2. Cross-tabulate sample and class.",
			solution: loadMutations + `by_class = pd.crosstab(data_mutations["Tumor_Sample_Barcode"], data_mutations["Variant_Classification"])`,
			tests:    tests,
		}
	}},
	{ask: func(s *study) asked {
		n, months := events(s.patients)
		return asked{
			query:    "Fit a Kaplan-Meier curve of overall survival to all patients with lifelines; death is the event. Leave the fitted KaplanMeierFitter in `kmf`.",
			plan:     "1. Read the patient table. 2. Turn OS_STATUS into a truth value. 3. Fit OS_MONTHS.",
			solution: load + fitCurve + "kmf = fit(data_clinical_patient)",
			tests: []string{
				fmt.Sprintf("assert kmf.event_observed.sum() == %d", n),
				near("kmf.durations.sum()", months),
			},
		}
	}},
	{ask: func(s *study) asked {
		var tests []string
		for _, arm := range arms {
			in := filter(s.patients, inArm(arm))
			name := "kmf_" + strings.ToLower(arm)
			n, _ := events(in)
			tests = append(tests, fmt.Sprintf("assert %s.event_observed.sum() == %d", name, n))
			if m, ok := medianSurvival(in); ok {
				tests = append(tests, fmt.Sprintf("assert %s.median_survival_time_ == %g", name, m))
			}
		}
		return asked{
			query:    "Fit Kaplan-Meier curves of overall survival for arm A and arm B with lifelines. Leave the fitted objects in `kmf_a` and `kmf_b`.",
			plan:     "1. Read the patient table. 2. Split by TREATMENT_ARM. 3. Fit each part with death as the event.",
			solution: load + fitCurve + "kmf_a = fit(data_clinical_patient[data_clinical_patient[\"TREATMENT_ARM\"] == \"A\"])\nkmf_b = fit(data_clinical_patient[data_clinical_patient[\"TREATMENT_ARM\"] == \"B\"])",
			tests:    append([]string{"import lifelines", "assert isinstance(kmf_a, lifelines.KaplanMeierFitter)"}, tests...),
		}
	}},
	{ask: func(s *study) asked {
		return asked{
			query:    "Compare the overall survival of the two arms, `arm_a` and `arm_b`, with a logrank test. Leave its p-value in `pvalue`.",
			plan:     "1. Take the months and the deaths of both arms. 2. Run the logrank test. 3. Keep the p-value.",
			prefix:   load + "data_clinical_patient[\"died\"] = data_clinical_patient[\"OS_STATUS\"] == \"1:DECEASED\"\narm_a = data_clinical_patient[data_clinical_patient[\"TREATMENT_ARM\"] == \"A\"]\narm_b = data_clinical_patient[data_clinical_patient[\"TREATMENT_ARM\"] == \"B\"]\nprint(len(arm_a), \"patients in arm A,\", len(arm_b), 'in arm B')",
			solution: "from lifelines.statistics import logrank_test\n\ntest = logrank_test(arm_a[\"OS_MONTHS\"], arm_b[\"OS_MONTHS\"], arm_a[\"died\"], arm_b[\"died\"])\npvalue = test.p_value",
			tests:    []string{near("pvalue", logrank(filter(s.patients, inArm("A")), filter(s.patients, inArm("B"))))},
		}
	}},
	{ask: func(s *study) asked {
		var means []float64
		for _, p := range s.patients {
			own := filter(s.samples, func(x sample) bool { return x.patient == p.id })
			sum := 0.0
			for _, x := range own {
				sum += x.burden
			}
			means = append(means, sum/float64(len(own)))
		}
		total := 0.0
		for _, m := range means {
			total += m
		}
		return asked{
			query:    "Average the tumor mutational burden (TMB) over each patient's samples. Leave a DataFrame `tmb` with the columns `PATIENT_ID` and `Mean`.",
			plan:     "1. Read the sample table. 2. Group by patient and average TMB. 3. Name the columns.",
			solution: loadMutations + `tmb = data_clinical_sample.groupby("PATIENT_ID")["TMB"].mean().reset_index(name="Mean")`,
			tests: []string{
				`assert tmb.columns.tolist() == ["PATIENT_ID", "Mean"]`,
				fmt.Sprintf("assert tmb[\"PATIENT_ID\"].nunique() == %d", len(s.patients)),
				near(`tmb["Mean"].median()`, median(means)),
				near(`tmb["Mean"].sum()`, total),
			},
		}
	}},
	{ask: func(s *study) asked {
		var tests []string
		for _, kind := range kinds {
			var burdens []float64
			for _, x := range s.samples {
				if x.kind == kind {
					burdens = append(burdens, x.burden)
				}
			}
			if len(burdens) > 0 {
				tests = append(tests, near(fmt.Sprintf("median_tmb[%q]", kind), median(burdens)))
			}
		}
		return asked{
			query:    "Give the median TMB of the samples of each detailed cancer type as a dict `median_tmb` from type to median.",
			plan:     "1. Read the sample table. 2. Group by CANCER_TYPE_DETAILED. 3. Take medians and make a dict.",
			solution: loadMutations + `median_tmb = data_clinical_sample.groupby("CANCER_TYPE_DETAILED")["TMB"].median().to_dict()`,
			tests:    tests,
		}
	}},
	{ask: func(s *study) asked {
		early := filter(s.patients, func(p patient) bool { return p.stage == "I" || p.stage == "II" })
		late := filter(s.patients, func(p patient) bool { return p.stage == "III" || p.stage == "IV" })
		nEarly, months := events(early)
		nLate, _ := events(late)
		return asked{
			query:    "Fit Kaplan-Meier curves of overall survival for early (stage I and II) and late (III and IV) disease. Leave a dict `curves` with the fitted objects under the keys `early` and `late`.",
			plan:     "1. Read the patient table. 2. Split by stage. 3. Fit both parts and put the fits into a dict.",
			solution: load + fitCurve + "is_early = data_clinical_patient[\"STAGE\"].isin([\"I\", \"II\"])\ncurves = {\"early\": fit(data_clinical_patient[is_early]), \"late\": fit(data_clinical_patient[~is_early])}",
			tests: []string{
				fmt.Sprintf("assert curves[\"early\"].event_observed.sum() == %d", nEarly),
				fmt.Sprintf("assert curves[\"late\"].event_observed.sum() == %d", nLate),
				near(`curves["early"].durations.sum()`, months),
			},
		}
	}},
	{ask: func(s *study) asked {
		counts := count(s.samples, func(x sample) string { return x.patient })
		two := 0
		for _, n := range counts {
			if n == 2 {
				two++
			}
		}
		return asked{
			query: "How many samples has each patient of the patient table? Leave an array `samples_per_patient` of integers in the order of that table, and the number of patients with two samples in `n_two`.",
			plan:  "1. Read both tables. 2. Count samples by patient. 3. Bring the counts into the order of the patient table.",
			solution: load + loadMutations + `counts = data_clinical_sample["PATIENT_ID"].value_counts()
samples_per_patient = data_clinical_patient["PATIENT_ID"].map(counts).to_numpy()
n_two = int((samples_per_patient == 2).sum())`,
			tests: []string{
				`data_clinical_sample = pd.read_csv("/workdir/data_clinical_sample.csv")`,
				"assert samples_per_patient.shape == (len(data_clinical_patient),)",
				"assert samples_per_patient.sum() == data_clinical_sample.shape[0]",
				fmt.Sprintf("assert n_two == %d", two),
			},
		}
	}},
}
