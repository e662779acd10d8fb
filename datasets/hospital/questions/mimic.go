package questions

import (
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// mimicOnly is what is asked of MIMIC-III alone.
func mimicOnly() []template {
	var all []template
	add := func(name string, weight int, department, importance string, make func(g *gen) (draft, bool)) {
		all = append(all, template{name, weight, department, importance, make})
	}
	person := func(name, column, words string) {
		add(name, 1, "nursing", "high", func(g *gen) (draft, bool) {
			s, d := g.stayOf("what is the "+words+" of patient {patient_id}?", "tell me the "+words+" of patient {patient_id}.", "which "+words+" does patient {patient_id} have?")
			if column == "dod" && (s.Patient.Died.IsZero() || s.Patient.Died.After(hospital.Now())) {
				return d, false
			}
			d.sql = fmt.Sprintf("select patients.%s from patients where patients.subject_id = %d", column, s.Patient.Subject)
			return d, true
		})
	}
	person("gender", "gender", "gender")
	person("born", "dob", "date of birth")
	person("died", "dod", "date of death")
	for column, words := range map[string]string{"admission_type": "type of admission", "admission_location": "location of admission", "discharge_location": "location of discharge",
		"insurance": "insurance", "language": "language", "marital_status": "marital status", "ethnicity": "ethnicity", "age": "age", "admittime": "time of admission", "dischtime": "time of discharge"} {
		add(column, 1, "nursing", "medium", func(g *gen) (draft, bool) { return g.attribute(column, words) })
	}
	sortTemplates(all)
	add("patients_insurance", 1, "insurance_review", "low", func(g *gen) (draft, bool) { return g.patientsBy("insurance", "insurance") })
	add("patients_ethnicity", 1, "other", "low", func(g *gen) (draft, bool) { return g.patientsBy("ethnicity", "ethnicity") })
	add("patients_language", 1, "other", "low", func(g *gen) (draft, bool) { return g.patientsBy("language", "language") })
	add("patients_age", 1, "other", "low", (*gen).patientsAge)
	add("patients_gender_diagnosis", 1, "physician", "medium", (*gen).patientsGender)
	add("days_in_unit", 2, "insurance_review", "high", (*gen).daysInUnit)
	add("ward", 1, "nursing", "low", func(g *gen) (draft, bool) { return g.place("wardid", "ward") })
	add("careunit", 1, "nursing", "low", func(g *gen) (draft, bool) { return g.place("careunit", "careunit") })
	add("patients_careunit", 1, "other", "n/a", (*gen).patientsUnit)
	add("dose", 2, "nursing", "high", (*gen).dose)
	add("prescriptions", 2, "nursing", "medium", (*gen).prescriptions)
	add("weight_height", 2, "nursing", "high", (*gen).body)
	add("deaths_after", 2, "physician", "medium", (*gen).deaths)
	add("deadliest", 1, "physician", "n/a", (*gen).deadliest)
	add("top_drugs_age", 1, "physician", "n/a", (*gen).topDrugsAge)
	add("returned", 1, "insurance_review", "medium", (*gen).returned)
	return all
}

// sortTemplates puts them in the order of their names: the ones above come from a map.
func sortTemplates(all []template) {
	for i := range all {
		for j := i; j > 0 && all[j].name < all[j-1].name; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
}

func (g *gen) attribute(column, words string) (draft, bool) {
	s, d := g.stayOf("what was the "+words+" of patient {patient_id} at the [time_filter_exact1] hospital visit [time_filter_global1]?",
		"tell me the "+words+" of patient {patient_id} for the [time_filter_exact1] hospital visit [time_filter_global1].",
		"look up the "+words+" of patient {patient_id}, [time_filter_exact1] hospital visit [time_filter_global1].")
	if column == "language" && s.Patient.Language == "" || column == "marital_status" && s.Patient.Marital == "" || strings.HasPrefix(column, "disch") && s.Current() {
		return d, false
	}
	w := d.during(g.maybe(g.time(s.Admit)))
	order := d.exactly(g.exact())
	if s.Current() && g.IntN(2) == 0 {
		d = ask("what is the "+words+" of patient {patient_id} [time_filter_global1]?", "tell me the "+words+" of patient {patient_id} [time_filter_global1].")
		g.patient(&d, s.Patient)
		d.fill("time_filter_global1", g.visit(s).fill)
		d.sql = fmt.Sprintf("select admissions.%s from admissions where admissions.subject_id = %d and admissions.dischtime is null", column, s.Patient.Subject)
		return d, true
	}
	over := ""
	if strings.HasPrefix(column, "disch") {
		over = " and admissions.dischtime is not null"
	}
	d.sql = fmt.Sprintf("select admissions.%s from admissions where admissions.subject_id = %d%s%s order by admissions.admittime %s limit 1", column, s.Patient.Subject, over, w.and("admissions.admittime"), order)
	return d, true
}

func (g *gen) patientsBy(column, slot string) (draft, bool) {
	s := choose(g, g.stays...)
	d := ask("count the number of patients whose "+column+" is {"+slot+"} [time_filter_global1].", "how many patients with the "+column+" {"+slot+"} were admitted [time_filter_global1]?")
	value := strings.ToLower(map[string]string{"insurance": s.Insurance, "ethnicity": s.Patient.Ethnicity, "language": s.Patient.Language}[column])
	if value == "" {
		return d, false
	}
	w := d.during(g.maybe(g.wide(s.Admit)))
	d.value(slot, value)
	d.sql = fmt.Sprintf("select count( distinct admissions.subject_id ) from admissions where admissions.%s = %s%s", column, quote(value), w.and("admissions.admittime"))
	return d, true
}

// ageGroup is a decade of life and its condition.
func (g *gen) ageGroup(age int) (fill, string) {
	if age >= 60 {
		return fill{"age_group", "60 or above"}, "admissions.age >= 60"
	}
	low := age / 10 * 10
	if age < 20 {
		low = 20
	}
	return fill{"age_group", fmt.Sprintf("%ds", low)}, fmt.Sprintf("admissions.age between %d and %d", low, low+9)
}

func (g *gen) patientsAge() (draft, bool) {
	s := choose(g, g.stays...)
	d := ask("count the number of patients aged [age_group] who were admitted [time_filter_global1].", "how many patients in their [age_group] came to the hospital [time_filter_global1]?")
	d.say[0] = "how many patients of the age group [age_group] came to the hospital [time_filter_global1]?"
	group, cond := g.ageGroup(s.Patient.AgeAt(s))
	w := d.during(g.maybe(g.wide(s.Admit)))
	d.fill("age_group", group)
	d.sql = "select count( distinct admissions.subject_id ) from admissions where " + cond + w.and("admissions.admittime")
	return d, true
}

func (g *gen) patientsGender() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	d := ask("count the number of patients of gender {gender} who were diagnosed with {diagnosis_name} [time_filter_global1].", "how many patients of gender {gender} had {diagnosis_name} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	gender := strings.ToLower(ev.stay.Patient.Gender)
	d.value("gender", gender)
	d.value("diagnosis_name", ev.name)
	d.sql = fmt.Sprintf("select count( distinct patients.subject_id ) from patients where patients.gender = '%s' and patients.subject_id in ( %s )", gender, g.d.patients("admissions.subject_id", e, e.is(ev.name)+w.and(e.at())))
	return d, true
}

func (g *gen) daysInUnit() (draft, bool) {
	s, d := g.stayOf("how many days did the [time_filter_exact1] icu stay of patient {patient_id} last [time_filter_global1]?", "what was the length in days of the [time_filter_exact1] icu stay of patient {patient_id} [time_filter_global1]?")
	u := choose(g, s.Units...)
	if u.Out.After(hospital.Now()) {
		return d, false
	}
	w := d.during(g.whenOf(s, u.In))
	order := d.exactly(g.exact())
	d.sql = fmt.Sprintf("select strftime('%%J',icustays.outtime) - strftime('%%J',icustays.intime) from icustays where icustays.hadm_id in ( %s ) and icustays.outtime is not null%s order by icustays.intime %s limit 1",
		g.d.stays(fmt.Sprint(s.Patient.Subject), w.scope), w.and("icustays.intime"), order)
	return d, true
}

func (g *gen) place(column, words string) (draft, bool) {
	s, d := g.stayOf("what was the [time_filter_exact1] "+words+" of patient {patient_id} [time_filter_global1]?", "in which "+words+" was patient {patient_id} [time_filter_exact1] [time_filter_global1]?")
	w := d.during(g.whenOf(s, s.Units[0].In))
	order := d.exactly(g.exact())
	d.sql = fmt.Sprintf("select transfers.%s from transfers where transfers.hadm_id in ( %s ) and transfers.%s is not null%s order by transfers.intime %s limit 1",
		column, g.d.stays(fmt.Sprint(s.Patient.Subject), w.scope), column, w.and("transfers.intime"), order)
	return d, true
}

func (g *gen) patientsUnit() (draft, bool) {
	s := choose(g, g.stays...)
	d := ask("count the number of patients who stayed in the careunit {careunit} [time_filter_global1].", "how many patients were in the {careunit} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(s.Units[0].In)))
	unit := strings.ToLower(s.Units[0].First)
	d.value("careunit", unit)
	d.sql = "select count( distinct admissions.subject_id ) from admissions where admissions.hadm_id in ( select transfers.hadm_id from transfers where transfers.careunit = " + quote(unit) + w.and("transfers.intime") + " )"
	return d, true
}

func (g *gen) dose() (draft, bool) {
	e, ev, d, ok := g.of("drug", "what was the dose of {drug_name} that patient {patient_id} was [time_filter_exact1] prescribed [time_filter_global1]?",
		"how much {drug_name} was patient {patient_id} [time_filter_exact1] prescribed [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value("drug_name", ev.name)
	columns := choose(g, "prescriptions.dose_val_rx", "prescriptions.dose_val_rx, prescriptions.dose_unit_rx")
	d.sql = fmt.Sprintf("select %s from prescriptions where %s order by prescriptions.startdate %s, prescriptions.row_id %s limit 1", columns, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), order, order)
	if strings.Contains(columns, ",") {
		d.tag = strings.Replace(d.tag, "what was the dose", "what was the dose, with its unit,", 1)
		d.say = nil
	}
	return d, true
}

// prescriptions are rows of three columns.
func (g *gen) prescriptions() (draft, bool) {
	e, ev, d, ok := g.of("drug", "list drug, dose and route of the prescriptions of patient {patient_id} [time_filter_global1].", "which drugs, in which dose and by which route, was patient {patient_id} prescribed [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.sql = "select distinct prescriptions.drug, prescriptions.dose_val_rx, prescriptions.route from prescriptions where " + g.rows(e, ev.stay.Patient, w, "")
	return d, true
}

func (g *gen) body() (draft, bool) {
	e := g.d.entities["vital"]
	name, words := "admit wt", "weight"
	if g.IntN(2) == 0 {
		name, words = "admit ht", "height"
	}
	s, d := g.stayOf("what was the [time_filter_exact1] measured "+words+" of patient {patient_id} [time_filter_global1]?", "give the "+words+" of patient {patient_id} as [time_filter_exact1] measured [time_filter_global1].")
	w := d.during(g.whenOf(s, s.Units[0].In))
	order := d.exactly(g.exact())
	d.sql = fmt.Sprintf("select chartevents.valuenum from chartevents where %s order by chartevents.charttime %s limit 1", g.rows(e, s.Patient, w, e.is(name)), order)
	return d, true
}

func (g *gen) deaths() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	p := ev.stay.Patient
	if p.Died.IsZero() || p.Died.After(hospital.Now()) {
		return draft{}, false
	}
	n := 1 + g.IntN(12)
	if p.Died.After(ev.at.AddDate(0, n, 0)) {
		return draft{}, false
	}
	d := ask("count the number of patients who died [time_filter_within] after having been diagnosed with {diagnosis_name} [time_filter_global1].", "how many patients were dead [time_filter_within] after a diagnosis of {diagnosis_name} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value("diagnosis_name", ev.name)
	d.fill("time_filter_within", fill{"within-n_month", fmt.Sprintf("within %d month", n)})
	d.sql = fmt.Sprintf("select count( distinct t1.p ) from ( select admissions.subject_id as p, %s as t from %s where %s ) as t1 join patients on t1.p = patients.subject_id "+
		"where patients.dod is not null and datetime(patients.dod) between datetime(t1.t,'start of day') and datetime(t1.t,'+%d month')", e.at(), g.d.joined(e), e.is(ev.name)+w.and(e.at()), n)
	return d, true
}

func (g *gen) deadliest() (draft, bool) {
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	d := ask("what are the top [n_rank] diagnoses [time_filter_global1] by the share of their patients who are dead?", "of which [n_rank] diagnoses made [time_filter_global1] has the largest share of patients died?")
	w := d.during(g.wide(ev.at))
	rank, n := g.rank()
	d.fill("n_rank", rank)
	d.sql = fmt.Sprintf("select d_icd_diagnoses.short_title from d_icd_diagnoses where d_icd_diagnoses.icd9_code in ( select t2.k from ( select t1.k, dense_rank() over ( order by avg(t1.d) desc ) as c1 from ( "+
		"select distinct diagnoses_icd.icd9_code as k, admissions.subject_id, patients.dod is not null as d from diagnoses_icd join admissions on diagnoses_icd.hadm_id = admissions.hadm_id "+
		"join patients on admissions.subject_id = patients.subject_id where 1 = 1%s ) as t1 group by t1.k ) as t2 where t2.c1 <= %d )", w.and("diagnoses_icd.charttime"), n)
	return d, true
}

func (g *gen) topDrugsAge() (draft, bool) {
	ev, ok := g.event("drug")
	if !ok {
		return draft{}, false
	}
	e := g.d.entities["drug"]
	d := ask("what are the top [n_rank] most frequent drugs of patients aged [age_group] [time_filter_global1]?", "list the [n_rank] drugs that were prescribed most often to patients of the age group [age_group] [time_filter_global1].")
	rank, n := g.rank()
	group, cond := g.ageGroup(ev.stay.Patient.AgeAt(ev.stay))
	w := d.during(g.maybe(g.wide(ev.at)))
	d.fill("n_rank", rank)
	d.fill("age_group", group)
	d.sql = e.top(fmt.Sprintf("select prescriptions.drug as k from prescriptions where prescriptions.hadm_id in ( select admissions.hadm_id from admissions where %s )%s", cond, w.and(e.at())), n)
	return d, true
}

func (g *gen) returned() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok || ev.stay.Patient.Stays[len(ev.stay.Patient.Stays)-1] == ev.stay {
		return draft{}, false
	}
	d := ask("count the number of patients who came back to the hospital [time_filter_within] after having been diagnosed with {diagnosis_name} [time_filter_global1].",
		"how many patients were admitted again [time_filter_within] after a diagnosis of {diagnosis_name} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	n := 3 * (1 + g.IntN(8))
	d.value("diagnosis_name", ev.name)
	d.fill("time_filter_within", fill{"within-n_month", fmt.Sprintf("within %d month", n)})
	d.sql = fmt.Sprintf("select count( distinct t1.p ) from ( select admissions.subject_id as p, %s as t from %s where %s ) as t1 join admissions on t1.p = admissions.subject_id "+
		"where admissions.admittime > t1.t and datetime(admissions.admittime) <= datetime(t1.t,'+%d month')", e.at(), g.d.joined(e), e.is(ev.name)+w.and(e.at()), n)
	return d, true
}
