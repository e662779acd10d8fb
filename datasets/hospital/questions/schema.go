package questions

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// entity is a kind of event and where a database keeps it.
type entity struct {
	kind      string // diagnosis, procedure, drug, lab, culture, vital, intake, output
	noun      string // lab test
	slot      string // lab_name
	table     string
	key       string // column of the name, or of its code
	dict      string // table of names, empty where key is the name
	dictKey   string
	dictName  string
	only      string // condition on the table
	dictOnly  string // condition on the table of names
	time      string
	value     string
	id        string // primary key
	had, have string // "been diagnosed with {…}", "receive a {…} procedure"
	verbed    string // "was diagnosed with {…}"
	plural    string
	charged   bool
	byUnit    bool // by the intensive care stay
}

// event is one event of a stay, as the database has it.
type event struct {
	stay  *hospital.Stay
	name  string
	at    time.Time
	value float64
	route string
	germ  string
}

// schema is a database.
type schema struct {
	id       string
	entities map[string]entity
	people   string // table of visits
	person   string // column of the patient
	visit    string // column of the hospital visit
	stay     string // column of the visit that events link to
	admitted string
	left     string
	died     string // condition on the table of people that the patient died; empty where death has a time
	pid      func(*hospital.Patient) (text string, value any)
	events   func(s *hospital.Stay, kind string) []event
}

// is says that an event has a name.
func (e entity) is(name string) string {
	if e.dict == "" {
		if e.kind == "vital" {
			return e.table + "." + name + " is not null"
		}
		return fmt.Sprintf("%s.%s = %s", e.table, e.key, quote(name)) + e.only
	}
	op := "="
	if e.dictOnly != "" || e.kind == "lab" {
		op = "in"
	}
	return fmt.Sprintf("%s.%s %s ( select %s.%s from %s where %s.%s = %s%s )", e.table, e.key, op, e.dict, e.dictKey, e.dict, e.dict, e.dictName, quote(name), e.dictOnly)
}

// at is the time of an event, with its table.
func (e entity) at() string { return e.table + "." + e.time }

// number is the value of an event, with its table.
func (e entity) number(name string) string {
	if e.kind == "vital" && e.dict == "" {
		return e.table + "." + name
	}
	return e.table + "." + e.value
}

// names shows the names of the events that meet a condition.
func (e entity) names(cond string) string {
	if e.dict == "" {
		return fmt.Sprintf("select distinct %s.%s from %s where %s", e.table, e.key, e.table, cond)
	}
	return fmt.Sprintf("select %s.%s from %s where %s.%s in ( select %s.%s from %s where %s )", e.dict, e.dictName, e.dict, e.dict, e.dictKey, e.table, e.key, e.table, cond)
}

// name shows the name of the first or last event that meets a condition.
func (e entity) name(cond, order string) string {
	end := fmt.Sprintf(" order by %s %s limit 1", e.at(), order)
	if e.dict == "" {
		return fmt.Sprintf("select %s.%s from %s where %s%s", e.table, e.key, e.table, cond, end)
	}
	return e.names(cond + end)
}

// top shows the names of the most frequent events of a sub-query's rows, which are
// grouped by k.
func (e entity) top(rows string, n int) string {
	ranked := fmt.Sprintf("select t3.k from ( select t2.k, dense_rank() over ( order by count(*) desc ) as c1 from ( %s ) as t2 group by t2.k ) as t3 where t3.c1 <= %d", rows, n)
	if e.dict == "" {
		return ranked
	}
	return fmt.Sprintf("select %s.%s from %s where %s.%s in ( %s )", e.dict, e.dictName, e.dict, e.dict, e.dictKey, ranked)
}

// where begins a condition with all that holds for the table.
func (e entity) where(conds ...string) string {
	var all []string
	for _, cond := range conds {
		if cond = strings.TrimPrefix(cond, " and "); cond != "" {
			all = append(all, cond)
		}
	}
	if len(all) == 0 {
		return "1 = 1"
	}
	return strings.Join(all, " and ")
}

// of says that an event is of a patient, in the visits of the scope.
func (d *schema) of(e entity, p *hospital.Patient, scope string) string {
	id, _ := d.pid(p)
	stays := d.stays(id, scope)
	switch {
	case d.id == "eicu":
		return fmt.Sprintf("%s.patientunitstayid in ( select patient.patientunitstayid from patient where patient.patienthealthsystemstayid in ( %s ) )", e.table, stays)
	case e.byUnit:
		return fmt.Sprintf("%s.icustay_id in ( select icustays.icustay_id from icustays where icustays.hadm_id in ( %s ) )", e.table, stays)
	}
	return fmt.Sprintf("%s.hadm_id in ( %s )", e.table, stays)
}

// rows is a condition: the events of a patient that w bounds.
func (g *gen) rows(e entity, p *hospital.Patient, w when, is string, more ...string) string {
	return e.where(append([]string{is, g.d.of(e, p, w.scope)}, more...)...) + w.and(e.at())
}

// stays selects the visits of a patient.
func (d *schema) stays(patient, scope string) string {
	text := fmt.Sprintf("select %s.%s from %s where %s.%s = %s", d.people, d.visit, d.people, d.people, d.person, patient)
	return text + d.scope(scope)
}

func (d *schema) scope(scope string) string {
	switch scope {
	case "cur":
		return fmt.Sprintf(" and %s.%s is null", d.people, d.left)
	case "first":
		return fmt.Sprintf(" and %s.%s is not null order by %s.%s asc limit 1", d.people, d.left, d.people, d.admitted)
	case "last":
		return fmt.Sprintf(" and %s.%s is not null order by %s.%s desc limit 1", d.people, d.left, d.people, d.admitted)
	}
	return ""
}

// patients selects those who have events that meet a condition.
func (d *schema) patients(what string, e entity, cond string) string {
	return fmt.Sprintf("select %s from %s where %s.%s in ( select %s.%s from %s where %s )", what, d.people, d.people, d.stay, e.table, d.stay, e.table, cond)
}

// who is the column of the patient.
func (d *schema) who() string { return d.people + "." + d.person }

// joined is a table of events with the visits.
func (d *schema) joined(e entity) string {
	return fmt.Sprintf("%s join %s on %s.%s = %s.%s", e.table, d.people, e.table, d.stay, d.people, d.stay)
}

func mimicSchema() *schema {
	list := []entity{
		{kind: "diagnosis", noun: "diagnosis", plural: "diagnoses", slot: "diagnosis_name", table: "diagnoses_icd", key: "icd9_code", dict: "d_icd_diagnoses", dictKey: "icd9_code", dictName: "short_title",
			time: "charttime", id: "row_id", had: "been diagnosed with {}", verbed: "was diagnosed with {}", have: "had the diagnosis {}", charged: true},
		{kind: "procedure", noun: "procedure", plural: "procedures", slot: "procedure_name", table: "procedures_icd", key: "icd9_code", dict: "d_icd_procedures", dictKey: "icd9_code", dictName: "short_title",
			time: "charttime", id: "row_id", had: "undergone {}", verbed: "underwent {}", have: "had the procedure {}", charged: true},
		{kind: "drug", noun: "drug", plural: "drugs", slot: "drug_name", table: "prescriptions", key: "drug", time: "startdate", id: "row_id",
			had: "been prescribed {}", verbed: "was prescribed {}", have: "got a prescription of {}", charged: true},
		{kind: "lab", noun: "lab test", plural: "lab tests", slot: "lab_name", table: "labevents", key: "itemid", dict: "d_labitems", dictKey: "itemid", dictName: "label", time: "charttime", value: "valuenum", id: "row_id",
			had: "had a {} lab test", verbed: "had a {} lab test", have: "got a {} lab test", charged: true},
		{kind: "culture", noun: "specimen", plural: "specimens", slot: "culture_name", table: "microbiologyevents", key: "spec_type_desc", time: "charttime", id: "row_id",
			had: "had {} tested for germs", verbed: "had {} tested for germs", have: "gave {} to be tested for germs"},
		{kind: "vital", noun: "vital sign", plural: "vital signs", slot: "vital_name", table: "chartevents", key: "itemid", dict: "d_items", dictKey: "itemid", dictName: "label",
			dictOnly: " and d_items.linksto = 'chartevents'", time: "charttime", value: "valuenum", id: "row_id", byUnit: true,
			had: "had {} taken", verbed: "had {} taken", have: "had {} taken"},
		{kind: "intake", noun: "intake", plural: "intakes", slot: "intake_name", table: "inputevents_cv", key: "itemid", dict: "d_items", dictKey: "itemid", dictName: "label",
			dictOnly: " and d_items.linksto = 'inputevents_cv'", time: "charttime", value: "amount", id: "row_id", byUnit: true,
			had: "had an intake of {}", verbed: "had an intake of {}", have: "got {}"},
		{kind: "output", noun: "output", plural: "outputs", slot: "output_name", table: "outputevents", key: "itemid", dict: "d_items", dictKey: "itemid", dictName: "label",
			dictOnly: " and d_items.linksto = 'outputevents'", time: "charttime", value: "value", id: "row_id", byUnit: true,
			had: "had an output of {}", verbed: "had an output of {}", have: "put out {}"},
	}
	d := &schema{id: "mimic_iii", entities: map[string]entity{}, people: "admissions", person: "subject_id", visit: "hadm_id", stay: "hadm_id", admitted: "admittime", left: "dischtime",
		pid:    func(p *hospital.Patient) (string, any) { return fmt.Sprint(p.Subject), p.Subject },
		events: mimicEvents}
	for _, e := range list {
		d.entities[e.kind] = e
	}
	return d
}

func eicuSchema() *schema {
	list := []entity{
		{kind: "diagnosis", noun: "diagnosis", plural: "diagnoses", slot: "diagnosis_name", table: "diagnosis", key: "diagnosisname", time: "diagnosistime", id: "diagnosisid",
			had: "been diagnosed with {}", verbed: "was diagnosed with {}", have: "had the diagnosis {}", charged: true},
		{kind: "procedure", noun: "treatment", plural: "treatments", slot: "treatment_name", table: "treatment", key: "treatmentname", time: "treatmenttime", id: "treatmentid",
			had: "been treated with {}", verbed: "was treated with {}", have: "had the treatment {}", charged: true},
		{kind: "drug", noun: "drug", plural: "drugs", slot: "drug_name", table: "medication", key: "drugname", time: "drugstarttime", id: "medicationid",
			had: "been prescribed {}", verbed: "was prescribed {}", have: "got a prescription of {}", charged: true},
		{kind: "lab", noun: "lab test", plural: "lab tests", slot: "lab_name", table: "lab", key: "labname", time: "labresulttime", value: "labresult", id: "labid",
			had: "had a {} lab test", verbed: "had a {} lab test", have: "got a {} lab test", charged: true},
		{kind: "culture", noun: "culture site", plural: "culture sites", slot: "culture_name", table: "microlab", key: "culturesite", time: "culturetakentime", id: "microlabid",
			had: "had {} tested for germs", verbed: "had {} tested for germs", have: "gave {} to be tested for germs"},
		{kind: "vital", noun: "vital sign", plural: "vital signs", slot: "vital_name", table: "vitalperiodic", time: "observationtime", id: "vitalperiodicid",
			had: "had {} taken", verbed: "had {} taken", have: "had {} taken"},
		{kind: "intake", noun: "intake", plural: "intakes", slot: "intake_name", table: "intakeoutput", key: "celllabel", only: " and intakeoutput.cellpath like '%intake%'", time: "intakeoutputtime", value: "cellvaluenumeric", id: "intakeoutputid",
			had: "had an intake of {}", verbed: "had an intake of {}", have: "got {}"},
		{kind: "output", noun: "output", plural: "outputs", slot: "output_name", table: "intakeoutput", key: "celllabel", only: " and intakeoutput.cellpath like '%output%'", time: "intakeoutputtime", value: "cellvaluenumeric", id: "intakeoutputid",
			had: "had an output of {}", verbed: "had an output of {}", have: "put out {}"},
	}
	d := &schema{id: "eicu", entities: map[string]entity{}, people: "patient", person: "uniquepid", visit: "patienthealthsystemstayid", stay: "patientunitstayid", admitted: "hospitaladmittime", left: "hospitaldischargetime",
		died:   "patient.hospitaldischargestatus = 'expired'",
		pid:    func(p *hospital.Patient) (string, any) { return quote(p.UniquePID), p.UniquePID },
		events: eicuEvents}
	for _, e := range list {
		d.entities[e.kind] = e
	}
	return d
}

// day is midnight: MIMIC-III knows the days of prescriptions only.
func day(t time.Time) time.Time { return t.Truncate(24 * time.Hour) }

func mimicEvents(s *hospital.Stay, kind string) []event {
	var out []event
	switch kind {
	case "diagnosis":
		for _, d := range s.Diagnoses {
			out = append(out, event{stay: s, name: hospital.DiagnosisCoded(d.Code).Short, at: s.Admit})
		}
	case "procedure":
		for _, d := range s.Procedures {
			out = append(out, event{stay: s, name: hospital.ProcedureCoded(d.Code).Short, at: s.Discharge})
		}
	case "drug":
		for _, d := range s.Drugs {
			out = append(out, event{stay: s, name: d.Name, at: day(d.Start), route: d.Route})
		}
	case "lab":
		for _, l := range s.Labs {
			out = append(out, event{stay: s, name: hospital.LabNumbered(l.Item).Label, at: l.At, value: l.Value})
		}
	case "culture":
		for _, c := range s.Cultures {
			out = append(out, event{stay: s, name: c.Specimen, at: c.At, germ: c.Organism})
		}
	case "vital":
		out = vitals(s, func(v hospital.VitalItem) string { return v.Label })
	case "intake", "output":
		for _, f := range s.Fluids {
			if item := hospital.FluidNumbered(f.Item); item.In == (kind == "intake") {
				out = append(out, event{stay: s, name: item.Label, at: f.At, value: f.Value})
			}
		}
	}
	return seen(out)
}

func eicuEvents(s *hospital.Stay, kind string) []event {
	var out []event
	switch kind {
	case "diagnosis":
		for _, d := range s.Diagnoses {
			out = append(out, event{stay: s, name: hospital.PathName(hospital.DiagnosisCoded(d.Code).Path), at: d.At})
		}
	case "procedure":
		for _, d := range s.Procedures {
			out = append(out, event{stay: s, name: hospital.PathName(hospital.ProcedureCoded(d.Code).Path), at: d.At})
		}
	case "drug":
		for _, d := range s.Drugs {
			out = append(out, event{stay: s, name: hospital.DrugNamed(d.Name).EICU, at: d.Start, route: d.Route})
		}
	case "lab":
		for _, l := range s.Labs {
			out = append(out, event{stay: s, name: hospital.LabNumbered(l.Item).EICU, at: l.At, value: l.Value})
		}
	case "culture":
		for _, c := range s.Cultures {
			out = append(out, event{stay: s, name: hospital.SiteOf(c.Specimen), at: c.At, germ: c.Organism})
		}
	case "vital":
		out = vitals(s, func(v hospital.VitalItem) string { return v.EICU })
	case "intake", "output":
		for _, f := range s.Fluids {
			if item := hospital.FluidNumbered(f.Item); item.In == (kind == "intake") {
				out = append(out, event{stay: s, name: item.EICU, at: f.At, value: f.Value})
			}
		}
	}
	return seen(out)
}

func vitals(s *hospital.Stay, name func(hospital.VitalItem) string) []event {
	var out []event
	items := hospital.VitalItems()
	for _, v := range s.Vitals {
		for i, value := range []float64{v.Temperature, v.SaO2, v.Heart, v.Breath, v.Systolic, v.Diastolic, v.Mean} {
			if !math.IsNaN(value) {
				out = append(out, event{stay: s, name: name(items[i]), at: v.At, value: value})
			}
		}
	}
	return out
}

// seen leaves out what is still to come, and lowers names.
func seen(events []event) []event {
	kept := events[:0]
	for _, e := range events {
		if !e.at.After(hospital.Now()) {
			e.name, e.route, e.germ = strings.ToLower(e.name), strings.ToLower(e.route), strings.ToLower(e.germ)
			kept = append(kept, e)
		}
	}
	return kept
}
