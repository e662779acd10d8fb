package questions

import (
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// eicuOnly is what is asked of eICU alone.
func eicuOnly() []template {
	var all []template
	add := func(name string, weight int, department, importance string, make func(g *gen) (draft, bool)) {
		all = append(all, template{name, weight, department, importance, make})
	}
	for _, c := range [][2]string{{"gender", "gender"}, {"ethnicity", "ethnicity"}, {"age", "age"}, {"hospitaladmitsource", "source of admission"}, {"hospitaldischargestatus", "status at discharge"},
		{"admissionweight", "weight at admission"}, {"admissionheight", "height at admission"}, {"dischargeweight", "weight at discharge"}, {"wardid", "ward"}, {"hospitaladmittime", "time of admission"}, {"hospitaldischargetime", "time of discharge"}, {"unitadmittime", "time of admission to the unit"}} {
		add(c[0], 1, "nursing", "high", func(g *gen) (draft, bool) { return g.unitAttribute(c[0], c[1]) })
	}
	for _, kind := range []string{"diagnosis", "procedure"} {
		add("name_"+kind, 2, "nursing", "high", func(g *gen) (draft, bool) { return g.nameEvent(kind) })
	}
	add("allergies", 2, "nursing", "high", (*gen).allergies)
	add("patients_allergy", 1, "physician", "medium", (*gen).patientsAllergy)
	add("patients_source", 1, "other", "low", (*gen).patientsSource)
	add("days_in_unit", 2, "insurance_review", "high", (*gen).unitDays)
	add("dosage", 2, "nursing", "high", (*gen).dosage)
	add("medications", 2, "nursing", "medium", (*gen).medications)
	add("lost_weight", 1, "nursing", "medium", (*gen).lostWeight)
	add("deaths", 1, "physician", "n/a", (*gen).deathsOf)
	return all
}

func (g *gen) unitAttribute(column, words string) (draft, bool) {
	s, d := g.stayOf("what was the "+words+" of patient {patient_id} at the [time_filter_exact1] unit stay [time_filter_global1]?",
		"tell me the "+words+" of patient {patient_id} for the [time_filter_exact1] unit stay [time_filter_global1].",
		"look up the "+words+" of patient {patient_id}, [time_filter_exact1] unit stay [time_filter_global1].")
	if strings.Contains(column, "discharge") && s.Current() {
		return d, false
	}
	w := d.during(g.whenOf(s, s.Units[0].In))
	order := d.exactly(g.exact())
	over := ""
	if strings.Contains(column, "discharge") {
		over = fmt.Sprintf(" and patient.%s is not null", column)
	}
	d.sql = fmt.Sprintf("select patient.%s from patient where patient.patienthealthsystemstayid in ( %s )%s%s order by patient.unitadmittime %s limit 1", column,
		g.d.stays(quote(s.Patient.UniquePID), w.scope), over, w.and("patient.unitadmittime"), order)
	return d, true
}

var allergyTable = entity{table: "allergy", time: "allergytime"}

func (g *gen) allergies() (draft, bool) {
	s, d := g.stayOf("what is patient {patient_id} allergic to [time_filter_global1]?", "list the allergies of patient {patient_id} [time_filter_global1].", "which allergies are on record for patient {patient_id} [time_filter_global1]?")
	if len(s.Allergies) == 0 {
		return d, false
	}
	w := d.during(g.whenOf(s, s.Units[0].In))
	d.sql = "select distinct allergy.allergyname from allergy where " + g.d.of(allergyTable, s.Patient, w.scope) + w.and("allergy.allergytime")
	return d, true
}

func (g *gen) patientsAllergy() (draft, bool) {
	s := choose(g, g.stays...)
	d := ask("count the number of patients who are allergic to {allergy_name} [time_filter_global1].", "how many patients have an allergy to {allergy_name} [time_filter_global1]?")
	if len(s.Allergies) == 0 {
		return d, false
	}
	w := d.during(g.maybe(g.wide(s.Units[0].In)))
	name := choose(g, s.Allergies...)
	d.value("allergy_name", name)
	d.sql = g.d.patients("count( distinct patient.uniquepid )", allergyTable, "allergy.allergyname = "+quote(name)+w.and("allergy.allergytime"))
	return d, true
}

func (g *gen) patientsSource() (draft, bool) {
	s := choose(g, g.stays...)
	d := ask("count the number of patients who were admitted via {admission_route} [time_filter_global1].", "how many patients came via {admission_route} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(s.Admit)))
	route := strings.ToLower(hospital.SourceOf(s.From))
	d.value("admission_route", route)
	d.sql = "select count( distinct patient.uniquepid ) from patient where patient.hospitaladmitsource = " + quote(route) + w.and("patient.hospitaladmittime")
	return d, true
}

func (g *gen) unitDays() (draft, bool) {
	s, d := g.stayOf("how many days did the [time_filter_exact1] unit stay of patient {patient_id} last [time_filter_global1]?", "what was the length in days of the [time_filter_exact1] unit stay of patient {patient_id} [time_filter_global1]?")
	u := choose(g, s.Units...)
	if u.Out.After(hospital.Now()) {
		return d, false
	}
	w := d.during(g.whenOf(s, u.In))
	order := d.exactly(g.exact())
	d.sql = fmt.Sprintf("select strftime('%%J',patient.unitdischargetime) - strftime('%%J',patient.unitadmittime) from patient where patient.patienthealthsystemstayid in ( %s ) and patient.unitdischargetime is not null%s order by patient.unitadmittime %s limit 1",
		g.d.stays(quote(s.Patient.UniquePID), w.scope), w.and("patient.unitadmittime"), order)
	return d, true
}

func (g *gen) dosage() (draft, bool) {
	e, ev, d, ok := g.of("drug", "what was the dosage of {drug_name} that patient {patient_id} was [time_filter_exact1] prescribed [time_filter_global1]?", "how much {drug_name} was patient {patient_id} [time_filter_exact1] prescribed [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value("drug_name", ev.name)
	d.sql = fmt.Sprintf("select medication.dosage from medication where %s order by medication.drugstarttime %s limit 1", g.rows(e, ev.stay.Patient, w, e.is(ev.name)), order)
	return d, true
}

// medications are rows of three columns.
func (g *gen) medications() (draft, bool) {
	e, ev, d, ok := g.of("drug", "list drug, dosage and route of the prescriptions of patient {patient_id} [time_filter_global1].", "which drugs, in which dosage and by which route, was patient {patient_id} prescribed [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.sql = "select distinct medication.drugname, medication.dosage, medication.routeadmin from medication where " + g.rows(e, ev.stay.Patient, w, "")
	return d, true
}

func (g *gen) lostWeight() (draft, bool) {
	s, d := g.stayOf("how much weight did patient {patient_id} lose in the [time_filter_exact1] unit stay [time_filter_global1]?", "by how many kg did the weight of patient {patient_id} fall in the [time_filter_exact1] unit stay [time_filter_global1]?")
	if s.Current() {
		return d, false
	}
	w := d.during(g.whenOf(s, s.Units[0].In))
	order := d.exactly(g.exact())
	d.sql = fmt.Sprintf("select patient.admissionweight - patient.dischargeweight from patient where patient.patienthealthsystemstayid in ( %s ) and patient.dischargeweight is not null%s order by patient.unitadmittime %s limit 1",
		g.d.stays(quote(s.Patient.UniquePID), w.scope), w.and("patient.unitadmittime"), order)
	return d, true
}

func (g *gen) deathsOf() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok || !ev.stay.Expired {
		return draft{}, false
	}
	d := ask("count the number of patients with {diagnosis_name} who died in hospital [time_filter_global1].", "how many of those who had {diagnosis_name} did not leave the hospital alive [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value("diagnosis_name", ev.name)
	d.sql = g.d.patients("count( distinct patient.uniquepid )", e, e.is(ev.name)+w.and(e.at())) + " and patient.hospitaldischargestatus = 'expired'"
	return d, true
}
