package questions

import (
	"fmt"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// Who had what, for how long, at what cost, and with what end.

func (g *gen) labAbove() (draft, bool) {
	e := g.d.entities["lab"]
	ev, ok := g.event("lab")
	if !ok {
		return draft{}, false
	}
	d := ask("count the number of patients with a {lab_name} [comparison] than {lab_value} [time_filter_global1].",
		"how many patients had a {lab_name} that was [comparison] than {lab_value} [time_filter_global1]?")
	word, op, limit := "greater", ">=", ev.value
	if g.IntN(2) == 0 {
		word, op = "less", "<="
	}
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value("lab_name", ev.name)
	d.value("lab_value", limit)
	d.fill("comparison", fill{"comparison", word})
	d.tag = strings.Replace(d.tag, "than {", "than or equal to {", 1)
	for i := range d.say {
		d.say[i] = strings.Replace(d.say[i], "than {", "than or equal to {", 1)
	}
	d.sql = g.d.patients("count( distinct "+g.d.who()+" )", e, e.is(ev.name)+fmt.Sprintf(" and %s %s %v", e.number(ev.name), op, limit)+w.and(e.at()))
	return d, true
}

func (g *gen) twoDiagnoses() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	other := choose(g, g.events(ev.stay, "diagnosis")...)
	if other.name == ev.name {
		return draft{}, false
	}
	d := ask("count the number of patients who were diagnosed with both {diagnosis_name1} and {diagnosis_name2} [time_filter_global1].",
		"how many patients had {diagnosis_name1} as well as {diagnosis_name2} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value("diagnosis_name1", ev.name)
	d.value("diagnosis_name2", other.name)
	who := func(name string) string { return g.d.patients(g.d.who(), e, e.is(name)+w.and(e.at())) }
	d.sql = fmt.Sprintf("select count(*) from ( %s intersect %s )", who(ev.name), who(other.name))
	return d, true
}

// moment is the beginning of a stay, as the database calls it.
func (g *gen) stayOf(tag string, say ...string) (*hospital.Stay, draft) {
	s := choose(g, g.stays...)
	d := ask(tag, say...)
	g.patient(&d, s.Patient)
	return s, d
}

func (g *gen) visits() (draft, bool) {
	s, d := g.stayOf("count the hospital visits of patient {patient_id} [time_filter_global1].", "how often was patient {patient_id} admitted to hospital [time_filter_global1]?",
		"how many times has patient {patient_id} come to the hospital [time_filter_global1]?")
	w := d.during(g.maybe(g.time(s.Admit)))
	id, _ := g.d.pid(s.Patient)
	d.sql = fmt.Sprintf("select count( distinct %s.%s ) from %s where %s = %s%s", g.d.people, g.d.visit, g.d.people, g.d.who(), id, w.and(g.d.people+"."+g.d.admitted))
	return d, true
}

func (g *gen) current() (draft, bool) {
	ev, ok := g.event("diagnosis")
	if !ok || !ev.stay.Current() {
		return draft{}, false
	}
	e := g.d.entities["diagnosis"]
	d := ask("count the number of current patients who were diagnosed with {diagnosis_name}.", "how many of those who are in hospital now have {diagnosis_name}?")
	d.value("diagnosis_name", ev.name)
	d.sql = g.d.patients("count( distinct "+g.d.who()+" )", e, e.is(ev.name)) + g.d.scope("cur")
	return d, true
}

func (g *gen) daysIn() (draft, bool) {
	s, d := g.stayOf("how many days did the [time_filter_exact1] hospital visit of patient {patient_id} last [time_filter_global1]?",
		"what was the length in days of the [time_filter_exact1] hospital visit of patient {patient_id} [time_filter_global1]?")
	if s.Current() {
		return d, false
	}
	w := d.during(g.maybe(g.time(s.Admit)))
	order := d.exactly(g.exact())
	id, _ := g.d.pid(s.Patient)
	in, out := g.d.people+"."+g.d.admitted, g.d.people+"."+g.d.left
	d.sql = fmt.Sprintf("select strftime('%%J',%s) - strftime('%%J',%s) from %s where %s = %s and %s is not null%s order by %s %s limit 1", out, in, g.d.people, g.d.who(), id, out, w.and(in), in, order)
	return d, true
}

func (g *gen) meanDays() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	d := ask("what is the [agg_function] length in days of hospital visits with the diagnosis {diagnosis_name} [time_filter_global1]?",
		"for how many days, [agg_function] over all visits, were patients with {diagnosis_name} in hospital [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	f, function := g.aggregate()
	d.value("diagnosis_name", ev.name)
	d.fill("agg_function", f)
	in, out := g.d.people+"."+g.d.admitted, g.d.people+"."+g.d.left
	d.sql = g.d.patients(fmt.Sprintf("%s( strftime('%%J',%s) - strftime('%%J',%s) )", function, out, in), e, e.is(ev.name)+w.and(e.at())) + " and " + out + " is not null"
	return d, true
}

func (g *gen) survival(kind string) (draft, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return draft{}, false
	}
	years := 1 + g.IntN(4)
	if hospital.Now().Sub(ev.at) < time.Duration(years)*366*24*time.Hour {
		return draft{}, false
	}
	period := numbers[years] + " year"
	d := ask("what is the [n_survival_period] survival rate of patients who "+many(with(e.verbed, e.slot))+"?",
		"what percentage of patients who "+many(with(e.verbed, e.slot))+" lived [n_survival_period] longer?",
		"calculate the [n_survival_period] survival rate after patients "+many(with(e.verbed, e.slot))+".")
	d.value(e.slot, ev.name)
	d.fill("n_survival_period", fill{"n_survival_period", period})
	first := fmt.Sprintf("select %s as p, min(%s) as t from %s where %s group by %s", g.d.who(), e.at(), g.d.joined(e), e.is(ev.name), g.d.who())
	old := fmt.Sprintf("where strftime('%%J',current_time) - strftime('%%J',t1.t) > %d * 365", years)
	if g.d.id == "eicu" {
		d.sql = fmt.Sprintf("select sum( case when t2.died is null then 1 when strftime('%%J',t2.died) - strftime('%%J',t1.t) > %d * 365 then 1 else 0 end ) * 100.0 / count(*) from ( %s ) as t1 "+
			"left join ( select patient.uniquepid as p, max(patient.hospitaldischargetime) as died from patient where %s group by patient.uniquepid ) as t2 on t1.p = t2.p %s", years, first, g.d.died, old)
	} else {
		d.sql = fmt.Sprintf("select sum( case when patients.dod is null then 1 when strftime('%%J',patients.dod) - strftime('%%J',t1.t) > %d * 365 then 1 else 0 end ) * 100.0 / count(*) from ( %s ) as t1 "+
			"join patients on t1.p = patients.subject_id %s", years, first, old)
	}
	return d, true
}

func (g *gen) patientCost() (draft, bool) {
	ev, ok := g.event("lab")
	if !ok {
		return draft{}, false
	}
	d := ask("what is the total cost of the hospital care of patient {patient_id} [time_filter_global1]?", "how much did the care of patient {patient_id} cost [time_filter_global1] in all?",
		"sum up the hospital costs of patient {patient_id} [time_filter_global1].")
	g.patient(&d, ev.stay.Patient)
	w := d.during(g.whenOf(ev.stay, ev.at))
	id, _ := g.d.pid(ev.stay.Patient)
	d.sql = fmt.Sprintf("select sum(cost.cost) from cost where cost.%s in ( %s )%s", g.d.visit, g.d.stays(id, w.scope), w.and("cost.chargetime"))
	return d, true
}

func (g *gen) diagnosisCost() (draft, bool) {
	e := g.d.entities["diagnosis"]
	ev, ok := g.event("diagnosis")
	if !ok {
		return draft{}, false
	}
	d := ask("what is the [agg_function] total cost of hospital visits with the diagnosis {diagnosis_name} [time_filter_global1]?",
		"how much does a hospital visit with {diagnosis_name} cost in all: what is the [agg_function] [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	f, function := g.aggregate()
	d.value("diagnosis_name", ev.name)
	d.fill("agg_function", f)
	d.sql = fmt.Sprintf("select %s(t1.c) from ( select sum(cost.cost) as c from cost where cost.%s in ( %s ) group by cost.%s ) as t1", function, g.d.visit,
		g.d.patients("distinct "+g.d.people+"."+g.d.visit, e, e.is(ev.name)+w.and(e.at())), g.d.visit)
	return d, true
}

func (g *gen) sameTime() (draft, bool) {
	e, ev, d, ok := g.of("drug", "when was the [time_filter_exact1] time that patient {patient_id} was prescribed {drug_name1} and {drug_name2} [time_filter_within] [time_filter_global1]?",
		"at what time did patient {patient_id} [time_filter_exact1] get {drug_name1} and {drug_name2} [time_filter_within] [time_filter_global1]?")
	if !ok {
		return d, false
	}
	var others []string
	for _, other := range g.events(ev.stay, "drug") {
		if other.at.Equal(ev.at) && other.name != ev.name {
			others = append(others, other.name)
		}
	}
	if len(others) == 0 {
		return d, false
	}
	second := choose(g, others...)
	w := d.during(g.visit(ev.stay))
	order := d.exactly(g.exact())
	d.value("drug_name1", ev.name)
	d.value("drug_name2", second)
	d.fill("time_filter_within", fill{"within-same", "at the same time"})
	part := func(name string) string {
		return fmt.Sprintf("select %s as t from %s where %s", e.at(), e.table, g.rows(e, ev.stay.Patient, w, e.is(name)))
	}
	d.sql = fmt.Sprintf("select t1.t from ( %s ) as t1 join ( %s ) as t2 on datetime(t1.t) = datetime(t2.t) order by t1.t %s limit 1", part(ev.name), part(second), order)
	return d, true
}

func (g *gen) routeColumn() string {
	if g.d.id == "eicu" {
		return "medication.routeadmin"
	}
	return "prescriptions.route"
}

func (g *gen) route() (draft, bool) {
	e, ev, d, ok := g.of("drug", "by which routes did patient {patient_id} get {drug_name} [time_filter_global1]?", "how was {drug_name} given to patient {patient_id} [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.value("drug_name", ev.name)
	d.sql = fmt.Sprintf("select distinct %s from %s where %s", g.routeColumn(), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)))
	return d, true
}

func (g *gen) germColumn() string {
	if g.d.id == "eicu" {
		return "microlab.organism"
	}
	return "microbiologyevents.org_name"
}

func (g *gen) germ() (draft, bool) {
	e, ev, d, ok := g.of("culture", "what grew in the [time_filter_exact1] {culture_name} culture of patient {patient_id} [time_filter_global1]?",
		"which organism was found in the {culture_name} culture of patient {patient_id} that was taken [time_filter_exact1] [time_filter_global1]?")
	if !ok || ev.germ == "" {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value("culture_name", ev.name)
	d.sql = fmt.Sprintf("select %s from %s where %s order by %s %s limit 1", g.germColumn(), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name), g.germColumn()+" is not null"), e.at(), order)
	return d, true
}

func (g *gen) patientsGerm() (draft, bool) {
	e := g.d.entities["culture"]
	ev, ok := g.event("culture")
	if !ok || ev.germ == "" {
		return draft{}, false
	}
	d := ask("count the number of patients in whose cultures {organism_name} grew [time_filter_global1].", "in how many patients was {organism_name} found [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value("organism_name", ev.germ)
	d.sql = g.d.patients("count( distinct "+g.d.who()+" )", e, g.germColumn()+" = "+quote(ev.germ)+w.and(e.at()))
	return d, true
}
