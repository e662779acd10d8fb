package questions

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// The tables of MIMICSQL and their columns, in the order that Format numbers them.
var treqsTables = []string{"DEMOGRAPHIC", "DIAGNOSES", "PROCEDURES", "PRESCRIPTIONS", "LAB"}

var treqsColumns = [][]string{
	strings.Fields("SUBJECT_ID HADM_ID NAME MARITAL_STATUS AGE DOB GENDER LANGUAGE RELIGION ADMISSION_TYPE DAYS_STAY INSURANCE ETHNICITY EXPIRE_FLAG ADMISSION_LOCATION DISCHARGE_LOCATION DIAGNOSIS DOD DOB_YEAR DOD_YEAR ADMITTIME DISCHTIME ADMITYEAR"),
	strings.Fields("SUBJECT_ID HADM_ID ICD9_CODE SHORT_TITLE LONG_TITLE"),
	strings.Fields("SUBJECT_ID HADM_ID ICD9_CODE SHORT_TITLE LONG_TITLE"),
	strings.Fields("SUBJECT_ID HADM_ID ICUSTAY_ID DRUG_TYPE DRUG FORMULARY_DRUG_CD ROUTE DRUG_DOSE"),
	strings.Fields("SUBJECT_ID HADM_ID ITEMID CHARTTIME FLAG VALUE_UNIT LABEL FLUID CATEGORY"),
}

// columnWords are the columns in words.
var columnWords = map[string]string{"SUBJECT_ID": "subject id", "HADM_ID": "hospital admission id", "NAME": "name", "MARITAL_STATUS": "marital status", "AGE": "age", "DOB": "date of birth",
	"GENDER": "gender", "LANGUAGE": "language", "RELIGION": "religion", "ADMISSION_TYPE": "admission type", "DAYS_STAY": "days of hospital stay", "INSURANCE": "insurance", "ETHNICITY": "ethnicity",
	"EXPIRE_FLAG": "expire flag", "ADMISSION_LOCATION": "admission location", "DISCHARGE_LOCATION": "discharge location", "DIAGNOSIS": "primary disease", "DOD": "date of death", "DOB_YEAR": "year of birth",
	"DOD_YEAR": "year of death", "ADMITTIME": "admission time", "DISCHTIME": "discharge time", "ADMITYEAR": "year of admission", "ICD9_CODE": "icd9 code", "SHORT_TITLE": "short title", "LONG_TITLE": "long title",
	"ICUSTAY_ID": "icu stay id", "DRUG_TYPE": "drug type", "DRUG": "drug name", "FORMULARY_DRUG_CD": "drug code", "ROUTE": "drug route", "DRUG_DOSE": "drug dose", "ITEMID": "lab item id", "CHARTTIME": "lab chart time",
	"FLAG": "lab flag", "VALUE_UNIT": "lab value", "LABEL": "lab test name", "FLUID": "lab fluid", "CATEGORY": "lab category"}

var treqsOps = []string{"=", ">", "<", ">=", "<="}

var opWords = []string{"is", "is greater than", "is less than", "is no less than", "is no more than"}

// condition is one of a MIMICSQL question.
type condition struct {
	table, column, op int
	value             any
}

func (c condition) name() string { return treqsColumns[c.table][c.column] }

func (c condition) sql() string {
	return fmt.Sprintf("%s.\"%s\" %s \"%v\"", treqsTables[c.table], c.name(), treqsOps[c.op], c.value)
}

func (c condition) words() string {
	kind := map[int]string{1: "diagnosis ", 2: "procedure "}[c.table]
	return kind + columnWords[c.name()] + " " + opWords[c.op] + " " + strings.ToLower(fmt.Sprint(c.value))
}

// asker asks in the manner of MIMICSQL.
type asker struct {
	*rand.Rand
	stays []*hospital.Stay
}

// facts are the rows of a stay in one of the tables, by column.
func facts(s *hospital.Stay, table int) []map[string]any {
	var rows []map[string]any
	p := s.Patient
	switch table {
	case 0:
		age := p.AgeAt(s)
		if born := p.Stays[0].Admit.Year() - p.Born.Year(); born > 89 {
			age = 89 + s.Admit.Year() - p.Stays[0].Admit.Year()
		}
		row := map[string]any{"SUBJECT_ID": p.Subject, "HADM_ID": s.Hadm, "NAME": p.Name, "MARITAL_STATUS": p.Marital, "AGE": age, "GENDER": p.Gender, "LANGUAGE": p.Language, "RELIGION": p.Religion,
			"ADMISSION_TYPE": s.Type, "DAYS_STAY": int(s.Discharge.Sub(s.Admit).Hours() / 24), "INSURANCE": s.Insurance, "ETHNICITY": p.Ethnicity, "EXPIRE_FLAG": 0, "ADMISSION_LOCATION": s.From,
			"DISCHARGE_LOCATION": s.To, "DIAGNOSIS": s.Complaint, "DOB_YEAR": p.Born.Year(), "ADMITYEAR": s.Admit.Year()}
		if !p.Died.IsZero() {
			row["DOD_YEAR"], row["EXPIRE_FLAG"] = p.Died.Year(), 1
		}
		rows = append(rows, row)
	case 1:
		for _, d := range s.Diagnoses {
			item := hospital.DiagnosisCoded(d.Code)
			rows = append(rows, map[string]any{"ICD9_CODE": item.Code, "SHORT_TITLE": item.Short, "LONG_TITLE": item.Long})
		}
	case 2:
		for _, d := range s.Procedures {
			item := hospital.ProcedureCoded(d.Code)
			rows = append(rows, map[string]any{"ICD9_CODE": item.Code, "SHORT_TITLE": item.Short, "LONG_TITLE": item.Long})
		}
	case 3:
		for _, d := range s.Drugs {
			rows = append(rows, map[string]any{"DRUG_TYPE": d.Type, "DRUG": d.Name, "FORMULARY_DRUG_CD": d.Formulary, "ROUTE": d.Route, "DRUG_DOSE": d.Dose + d.DoseUnit})
		}
	case 4:
		for _, l := range s.Labs {
			item := hospital.LabNumbered(l.Item)
			row := map[string]any{"ITEMID": item.ID, "CHARTTIME": l.At.Format("2006-01-02 15:04:05"), "VALUE_UNIT": strconv.FormatFloat(l.Value, 'f', -1, 64) + item.Unit, "LABEL": item.Label, "FLUID": item.Fluid, "CATEGORY": item.Category}
			if l.Value < item.Low || l.Value > item.High {
				row["FLAG"] = "abnormal"
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// askable are the columns of each table that conditions are made of.
var askable = [][]string{
	strings.Fields("MARITAL_STATUS AGE GENDER LANGUAGE RELIGION ADMISSION_TYPE DAYS_STAY INSURANCE ETHNICITY EXPIRE_FLAG ADMISSION_LOCATION DISCHARGE_LOCATION DIAGNOSIS DOB_YEAR DOD_YEAR ADMITYEAR"),
	strings.Fields("ICD9_CODE SHORT_TITLE SHORT_TITLE LONG_TITLE"),
	strings.Fields("ICD9_CODE SHORT_TITLE SHORT_TITLE LONG_TITLE"),
	strings.Fields("DRUG DRUG DRUG DRUG_TYPE FORMULARY_DRUG_CD ROUTE DRUG_DOSE"),
	strings.Fields("LABEL LABEL LABEL ITEMID FLAG FLUID CATEGORY VALUE_UNIT CHARTTIME"),
}

func columnOf(table int, name string) int { return slices.Index(treqsColumns[table], name) }

// condition makes one that a row of the stay meets, of a column that is not taken.
func (a *asker) condition(table int, row map[string]any, taken ...condition) (condition, bool) {
	for range 20 {
		name := askable[table][a.IntN(len(askable[table]))]
		value, ok := row[name]
		c := condition{table: table, column: columnOf(table, name), value: value}
		if !ok || value == "" || slices.ContainsFunc(taken, func(t condition) bool { return t.table == table && t.column == c.column }) {
			continue
		}
		if n, number := value.(int); number && name != "EXPIRE_FLAG" {
			c.op = 1 + a.IntN(4)
			by := 1 + a.IntN(12)
			switch c.op {
			case 1, 3:
				n -= by
			default:
				n += by
			}
			c.value = max(n, 0)
			if n < 0 {
				c.op = 3
			}
		}
		return c, true
	}
	return condition{}, false
}

// shape is a kind of question: what is asked, and the tables of its conditions.
type shape struct {
	name   string
	weight int
	agg    int   // 0 values, 1 count, 2 max, 3 min, 4 average
	from   int   // table of the columns shown
	show   int   // how many columns
	tables []int // of the conditions
	by     string
}

var shapes = []shape{
	{"count_demographic", 6, 1, 0, 1, []int{0, 0}, ""}, {"count_demographic_one", 1, 1, 0, 1, []int{0}, ""}, {"count_diagnosis", 2, 1, 0, 1, []int{1}, ""}, {"count_procedure", 2, 1, 0, 1, []int{2}, ""},
	{"count_drug", 2, 1, 0, 1, []int{3}, ""}, {"count_lab", 2, 1, 0, 1, []int{4}, ""}, {"count_demographic_diagnosis", 10, 1, 0, 1, []int{0, 1}, ""}, {"count_demographic_procedure", 8, 1, 0, 1, []int{0, 2}, ""},
	{"count_demographic_drug", 10, 1, 0, 1, []int{0, 3}, ""}, {"count_demographic_lab", 10, 1, 0, 1, []int{0, 4}, ""}, {"count_diagnosis_procedure", 3, 1, 0, 1, []int{1, 2}, ""},
	{"count_diagnosis_drug", 6, 1, 0, 1, []int{1, 3}, ""}, {"count_diagnosis_lab", 6, 1, 0, 1, []int{1, 4}, ""}, {"count_procedure_drug", 3, 1, 0, 1, []int{2, 3}, ""}, {"count_procedure_lab", 3, 1, 0, 1, []int{2, 4}, ""},
	{"count_drug_lab", 3, 1, 0, 1, []int{3, 4}, ""}, {"max_demographic", 2, 2, 0, 1, []int{0, 0}, ""}, {"min_demographic", 2, 3, 0, 1, []int{0, 0}, ""}, {"average_demographic", 2, 4, 0, 1, []int{0, 0}, ""},
	{"max_diagnosis", 1, 2, 0, 1, []int{1}, ""}, {"average_drug", 1, 4, 0, 1, []int{3}, ""}, {"show_patient", 4, 0, 0, 2, nil, "patient"}, {"show_patient_one", 2, 0, 0, 1, nil, "patient"},
	{"show_diagnosis", 3, 0, 1, 1, nil, "patient"}, {"show_diagnosis_two", 1, 0, 1, 2, nil, "patient"}, {"show_procedure", 2, 0, 2, 2, nil, "patient"}, {"show_drug", 3, 0, 3, 2, nil, "patient"},
	{"show_lab", 3, 0, 4, 2, []int{4}, "patient"}, {"show_title", 1, 0, 1, 1, nil, "code"}, {"show_procedure_title", 1, 0, 2, 1, nil, "code"}, {"show_drug_facts", 1, 0, 3, 1, nil, "drug"}, {"show_lab_facts", 1, 0, 4, 2, nil, "lab"},
}

// ask makes a question of a shape about a stay.
func (a *asker) ask(sh shape, s *hospital.Stay) (TREQS, bool) {
	var conds []condition
	tables := []int{sh.from}
	var row map[string]any
	pick := func(table int) bool {
		rows := facts(s, table)
		if len(rows) == 0 {
			return false
		}
		row = rows[a.IntN(len(rows))]
		return true
	}
	words := ""
	switch sh.by {
	case "patient":
		name := "SUBJECT_ID"
		var value any = s.Patient.Subject
		words = fmt.Sprintf("the patient with subject id %d", s.Patient.Subject)
		if a.IntN(2) == 0 {
			name, value = "NAME", s.Patient.Name
			words = "patient " + strings.ToLower(s.Patient.Name)
		}
		table := 0
		if name == "SUBJECT_ID" {
			table = sh.from
		}
		conds = append(conds, condition{table: table, column: columnOf(table, name), value: value})
	case "code", "drug", "lab":
		if !pick(sh.from) {
			return TREQS{}, false
		}
		name := map[string]string{"code": []string{"ICD9_CODE", "SHORT_TITLE", "LONG_TITLE"}[a.IntN(3)], "drug": []string{"DRUG", "FORMULARY_DRUG_CD"}[a.IntN(2)], "lab": []string{"LABEL", "ITEMID"}[a.IntN(2)]}[sh.by]
		conds = append(conds, condition{table: sh.from, column: columnOf(sh.from, name), value: row[name]})
		words = conds[0].words()
	}
	for _, table := range sh.tables {
		if !pick(table) {
			return TREQS{}, false
		}
		c, ok := a.condition(table, row, conds...)
		// Drugs times tests of a stay are many rows: such a join asks for one of each.
		for broad := strings.HasSuffix(sh.name, "drug_lab"); ok && broad && !slices.Contains([]string{"DRUG", "LABEL", "ITEMID", "FORMULARY_DRUG_CD"}, c.name()); {
			c, ok = a.condition(table, row, conds...)
		}
		if !ok {
			return TREQS{}, false
		}
		conds = append(conds, c)
	}
	for _, c := range conds {
		if !slices.Contains(tables, c.table) {
			tables = append(tables, c.table)
		}
	}
	columns, ok := a.columns(sh, s, conds)
	if !ok {
		return TREQS{}, false
	}
	q := TREQS{Kind: sh.name, Format: Format{Table: tables, Sel: sh.agg}}
	for _, c := range conds {
		q.Format.Cond = append(q.Format.Cond, []any{c.table, c.column, c.op, c.value})
	}
	for _, name := range columns {
		q.Format.AggCol = append(q.Format.AggCol, []int{sh.from, columnOf(sh.from, name)})
	}
	q.SQL = a.sql(sh, columns, tables, conds)
	q.Question = a.words(sh, columns, conds, words)
	q.Key = hash(q.Question, q.SQL)[:32]
	q.QuestionTok, q.SQLTok = tokens(q.Question), strings.Fields(q.SQL)
	return q, true
}

// columns are those that are shown.
func (a *asker) columns(sh shape, s *hospital.Stay, conds []condition) ([]string, bool) {
	switch {
	case sh.agg == 1:
		return []string{"SUBJECT_ID"}, true
	case sh.agg > 1:
		name := []string{"AGE", "DAYS_STAY"}[a.IntN(2)]
		return []string{name}, !slices.ContainsFunc(conds, func(c condition) bool { return c.table == 0 && c.name() == name })
	}
	all := slices.Clone(askable[sh.from])
	if sh.from == 0 {
		all = append(all, "DOB", "ADMITTIME", "DISCHTIME", "HADM_ID")
		if s.Patient.Died.IsZero() {
			all = slices.DeleteFunc(all, func(name string) bool { return name == "DOD_YEAR" })
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	all = slices.DeleteFunc(all, func(name string) bool {
		return name == "FLAG" || slices.ContainsFunc(conds, func(c condition) bool { return c.table == sh.from && c.name() == name })
	})
	a.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:min(sh.show, len(all))], len(all) >= sh.show
}

func (a *asker) sql(sh shape, columns []string, tables []int, conds []condition) string {
	var show []string
	for _, name := range columns {
		show = append(show, fmt.Sprintf("%s.\"%s\"", treqsTables[sh.from], name))
	}
	head := strings.Join(show, ",")
	switch sh.agg {
	case 1:
		head = "COUNT ( DISTINCT " + head + " )"
	case 2, 3, 4:
		head = []string{"MAX", "MIN", "AVG"}[sh.agg-2] + " ( " + head + " )"
	}
	// The demographic table leads where it takes part, as in the benchmark.
	first := tables[0]
	if slices.Contains(tables, 0) {
		first = 0
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s", head, treqsTables[first])
	for _, table := range []int{0, 1, 2, 3, 4} {
		if table != first && slices.Contains(tables, table) {
			fmt.Fprintf(&b, " INNER JOIN %s on %s.HADM_ID = %s.HADM_ID", treqsTables[table], treqsTables[first], treqsTables[table])
		}
	}
	for i, c := range conds {
		fmt.Fprintf(&b, " %s %s", []string{"WHERE", "AND"}[min(i, 1)], c.sql())
	}
	return b.String()
}

func (a *asker) words(sh shape, columns []string, conds []condition, who string) string {
	var names, wheres []string
	for _, name := range columns {
		names = append(names, columnWords[name])
	}
	for _, c := range conds {
		wheres = append(wheres, c.words())
	}
	show, where := strings.Join(names, " and "), strings.Join(wheres, " and ")
	begin := func(from ...string) string { return from[a.IntN(len(from))] }
	var text string
	switch {
	case sh.agg == 1:
		text = begin("how many patients are there whose ", "count the number of patients whose ", "give the number of patients whose ", "what is the number of patients whose ") + where
	case sh.agg > 1:
		f := []string{"maximum", "minimum", "average"}[sh.agg-2]
		text = begin("what is the ", "find the ", "calculate the ") + f + " " + show + " of patients whose " + where
	case sh.by == "patient" && len(sh.tables) > 0:
		text = begin("what is the ", "give the ") + show + " of " + who + " where " + strings.Join(wheres[1:], " and ")
	case sh.by == "patient":
		noun := map[int]string{1: "diagnosis ", 2: "procedure "}[sh.from]
		text = begin("what is the ", "give the ", "look up the ", "provide the ") + noun + show + " of " + who
	default:
		text = begin("what is the ", "give the ", "find the ") + show + " where " + where
	}
	if strings.HasPrefix(text, "what ") || strings.HasPrefix(text, "how ") {
		return text + "?"
	}
	return text + "."
}

// tokens splits a question into words and marks.
func tokens(text string) []string {
	for _, mark := range []string{"?", ".", ",", ":"} {
		if strings.HasSuffix(text, mark) {
			text = strings.TrimSuffix(text, mark) + " " + mark
		}
	}
	return strings.Fields(text)
}

// MIMICSQL asks in the manner of TREQS. DEMOGRAPHIC.NAME is hospital.Patient.Name.
// Every condition of a question is true of one stay of the hospital; of a database
// of some of its stays, much of what is asked finds nothing: make the hospital small
// instead.
func MIMICSQL(h *hospital.Hospital, seed uint64) iter.Seq[TREQS] {
	return func(yield func(TREQS) bool) {
		a := &asker{Rand: rand.New(rand.NewPCG(seed, h.Seed+1))}
		for _, p := range h.People {
			a.stays = append(a.stays, p.Stays...)
		}
		total := 0
		for _, sh := range shapes {
			total += sh.weight
		}
		seen := map[string]bool{}
		for misses := 0; misses < 5000; {
			left, sh := a.IntN(total), shapes[0]
			for _, sh = range shapes {
				if left -= sh.weight; left < 0 {
					break
				}
			}
			q, ok := a.ask(sh, a.stays[a.IntN(len(a.stays))])
			if !ok || seen[q.SQL] {
				misses++
				continue
			}
			seen[q.SQL], misses = true, 0
			if !yield(q) {
				return
			}
		}
	}
}
