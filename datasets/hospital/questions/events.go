package questions

import (
	"fmt"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// What is asked of both databases. A template is made for each kind of event that it
// suits.

func with(pattern, slot string) string { return strings.ReplaceAll(pattern, "{}", "{"+slot+"}") }

// many is a verb phrase of one patient, said of several.
func many(phrase string) string { return strings.Replace(phrase, "was ", "were ", 1) }

var numbers = []string{"", "one", "two", "three", "four", "five"}

func (g *gen) rank() (fill, int) {
	n := 3 + g.IntN(3)
	return fill{"n_rank", numbers[n]}, n
}

func shared() []template {
	var all []template
	add := func(name string, weight int, department, importance string, make func(g *gen) (draft, bool)) {
		all = append(all, template{name, weight, department, importance, make})
	}
	for _, kind := range []string{"diagnosis", "procedure", "drug", "lab", "culture"} {
		add("has_"+kind, 2, "nursing", "high", func(g *gen) (draft, bool) { return g.has(kind) })
		add("when_"+kind, 3, "physician nursing", "high", func(g *gen) (draft, bool) { return g.whenEvent(kind) })
		add("list_"+kind, 2, "physician", "medium", func(g *gen) (draft, bool) { return g.list(kind) })
		add("patients_"+kind, 3, "physician", "medium", func(g *gen) (draft, bool) { return g.patientsWith(kind) })
		add("top_"+kind, 1, "infection_control", "n/a", func(g *gen) (draft, bool) { return g.topEvents(kind) })
		add("since_"+kind, 2, "nursing", "medium", func(g *gen) (draft, bool) { return g.since(kind) })
		add("kinds_"+kind, 1, "insurance_review", "low", func(g *gen) (draft, bool) { return g.kinds(kind) })
		if kind != "culture" {
			add("cost_"+kind, 1, "insurance_review", "medium", func(g *gen) (draft, bool) { return g.cost(kind) })
		}
		if kind != "diagnosis" {
			add("top_"+kind+"_after", 1, "physician", "n/a", func(g *gen) (draft, bool) { return g.topAfter(kind) })
			add("times_"+kind, 2, "insurance_review", "low", func(g *gen) (draft, bool) { return g.times(kind) })
			add("patients_"+kind+"_after", 1, "physician", "n/a", func(g *gen) (draft, bool) { return g.patientsAfter(kind) })
		}
	}
	for _, kind := range []string{"lab", "vital"} {
		add("value_"+kind, 4, "nursing", "high", func(g *gen) (draft, bool) { return g.valueOf(kind) })
		add("extreme_"+kind, 3, "physician", "medium", func(g *gen) (draft, bool) { return g.extreme(kind) })
		add("when_extreme_"+kind, 2, "physician nursing", "n/a", func(g *gen) (draft, bool) { return g.whenExtreme(kind) })
		add("change_"+kind, 2, "physician", "high", func(g *gen) (draft, bool) { return g.change(kind) })
		add("compare_"+kind, 1, "physician", "high", func(g *gen) (draft, bool) { return g.compare(kind) })
		add("series_"+kind, 2, "physician infection_control", "medium", func(g *gen) (draft, bool) { return g.series(kind) })
		add("course_"+kind, 1, "physician", "medium", func(g *gen) (draft, bool) { return g.courseOf(kind) })
	}
	for _, kind := range []string{"intake", "output"} {
		add("total_"+kind, 3, "nursing", "high", func(g *gen) (draft, bool) { return g.total(kind, true) })
		add("total_all_"+kind, 2, "nursing", "n/a", func(g *gen) (draft, bool) { return g.total(kind, false) })
		add("daily_"+kind, 2, "nursing", "medium", func(g *gen) (draft, bool) { return g.series(kind) })
		add("when_"+kind, 2, "nursing", "high", func(g *gen) (draft, bool) { return g.whenEvent(kind) })
		add("name_"+kind, 1, "nursing", "high", func(g *gen) (draft, bool) { return g.nameEvent(kind) })
	}
	for _, kind := range []string{"drug", "culture"} {
		add("name_"+kind, 2, "nursing", "high", func(g *gen) (draft, bool) { return g.nameEvent(kind) })
	}
	add("balance", 2, "physician nursing", "medium", (*gen).balance)
	add("abnormal_vital", 2, "physician", "high", (*gen).abnormal)
	add("times_abnormal_vital", 1, "nursing", "medium", (*gen).timesAbnormal)
	add("patients_lab_above", 2, "physician", "medium", (*gen).labAbove)
	add("patients_two_diagnoses", 2, "physician", "n/a", (*gen).twoDiagnoses)
	add("visits", 2, "insurance_review", "low", (*gen).visits)
	add("patients_current", 1, "other", "n/a", (*gen).current)
	add("days_in_hospital", 2, "insurance_review", "high", (*gen).daysIn)
	add("mean_days_diagnosis", 1, "insurance_review", "n/a", (*gen).meanDays)
	add("survival_diagnosis", 2, "physician", "medium", func(g *gen) (draft, bool) { return g.survival("diagnosis") })
	add("survival_drug", 1, "physician", "medium", func(g *gen) (draft, bool) { return g.survival("drug") })
	add("patient_cost", 2, "insurance_review", "high", (*gen).patientCost)
	add("visit_cost_diagnosis", 1, "insurance_review", "medium", (*gen).diagnosisCost)
	add("same_time_drugs", 1, "physician", "n/a", (*gen).sameTime)
	add("route_drug", 1, "nursing", "medium", (*gen).route)
	add("germ", 2, "infection_control", "high", (*gen).germ)
	add("patients_germ", 1, "infection_control", "medium", (*gen).patientsGerm)
	return all
}

// of begins a question about an event of a patient.
func (g *gen) of(kind string, tag string, say ...string) (entity, event, draft, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return e, ev, draft{}, false
	}
	d := ask(tag, say...)
	g.patient(&d, ev.stay.Patient)
	return e, ev, d, true
}

func (g *gen) has(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "has patient {patient_id} "+with(e.had, e.slot)+" [time_filter_global1]?",
		"is there any record that patient {patient_id} has "+with(e.had, e.slot)+" [time_filter_global1]?",
		"check whether patient {patient_id} has "+with(e.had, e.slot)+" [time_filter_global1].")
	if !ok {
		return d, false
	}
	name := ev.name
	if g.IntN(8) == 0 {
		if other, ok := g.event(kind); ok {
			name = other.name // often no
		}
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.value(e.slot, name)
	d.sql = fmt.Sprintf("select count(*)>0 from %s where %s", e.table, g.rows(e, ev.stay.Patient, w, e.is(name)))
	return d, true
}

func (g *gen) whenEvent(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "when was the [time_filter_exact1] time that patient {patient_id} "+with(e.verbed, e.slot)+" [time_filter_global1]?",
		"at what time was it that patient {patient_id} [time_filter_exact1] "+with(e.verbed, e.slot)+" [time_filter_global1]?",
		"give the [time_filter_exact1] time at which patient {patient_id} "+with(e.verbed, e.slot)+" [time_filter_global1].")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value(e.slot, ev.name)
	d.sql = fmt.Sprintf("select %s from %s where %s order by %s %s limit 1", e.at(), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.at(), order)
	return d, true
}

func (g *gen) list(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "list the "+e.plural+" of patient {patient_id} [time_filter_global1].",
		"which "+e.plural+" does patient {patient_id} have on record [time_filter_global1]?",
		"show me all "+e.plural+" that patient {patient_id} had [time_filter_global1].")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.sql = e.names(g.rows(e, ev.stay.Patient, w, ""))
	return d, true
}

func (g *gen) nameEvent(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "what was the name of the [time_filter_exact1] "+e.noun+" of patient {patient_id} [time_filter_global1]?",
		"name the [time_filter_exact1] "+e.noun+" that patient {patient_id} had [time_filter_global1].",
		"which "+e.noun+" came [time_filter_exact1] for patient {patient_id} [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.visit(ev.stay))
	order := d.exactly(g.exact())
	if w.tag == "" || !g.single(ev.stay, kind, order) {
		return d, false
	}
	d.sql = e.name(g.rows(e, ev.stay.Patient, w, "", e.only), order)
	return d, true
}

// single says that no two names share the first or last time of a stay, so that the
// question for the name has one answer.
func (g *gen) single(s *hospital.Stay, kind, order string) bool {
	var at time.Time
	names := map[string]bool{}
	for _, e := range g.events(s, kind) {
		if len(names) == 0 || order == "asc" && e.at.Before(at) || order == "desc" && e.at.After(at) {
			at = e.at
			clear(names)
		}
		if e.at.Equal(at) {
			names[e.name] = true
		}
	}
	return len(names) == 1
}

func (g *gen) patientsWith(kind string) (draft, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return draft{}, false
	}
	d := ask("count the number of patients who "+many(with(e.verbed, e.slot))+" [time_filter_global1].",
		"how many patients "+with(e.have, e.slot)+" [time_filter_global1]?",
		"give the number of patients who have "+with(e.had, e.slot)+" [time_filter_global1].")
	w := d.during(g.maybe(g.wide(ev.at)))
	d.value(e.slot, ev.name)
	d.sql = g.d.patients("count( distinct "+g.d.who()+" )", e, e.is(ev.name)+w.and(e.at()))
	return d, true
}

func (g *gen) topEvents(kind string) (draft, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return draft{}, false
	}
	d := ask("what are the top [n_rank] most frequent "+e.plural+" [time_filter_global1]?",
		"list the [n_rank] "+e.plural+" that occur most often [time_filter_global1].",
		"which [n_rank] "+e.plural+" were the most common [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(ev.at)))
	rank, n := g.rank()
	d.fill("n_rank", rank)
	d.sql = e.top(fmt.Sprintf("select %s.%s as k from %s where %s", e.table, e.key, e.table, e.where(w.and(e.at()))), n)
	return d, true
}

func (g *gen) since(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "how many [unit_count] have passed since patient {patient_id} [time_filter_exact1] "+with(e.verbed, e.slot)+" [time_filter_global1]?",
		"count the [unit_count] since the [time_filter_exact1] time that patient {patient_id} "+with(e.verbed, e.slot)+" [time_filter_global1].")
	if !ok {
		return d, false
	}
	w := d.during(g.visit(ev.stay))
	unit := choose(g, fill{"unit_count", "days"}, fill{"unit_count", "hours"})
	factor := map[string]int{"days": 1, "hours": 24}[unit.words]
	order := d.exactly(g.exact())
	d.value(e.slot, ev.name)
	d.fill("unit_count", unit)
	d.sql = fmt.Sprintf("select %d * ( strftime('%%J',current_time) - strftime('%%J',%s) ) from %s where %s order by %s %s limit 1", factor, e.at(), e.table,
		g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.at(), order)
	return d, true
}

func (g *gen) kinds(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "how many different "+e.plural+" did patient {patient_id} have [time_filter_global1]?",
		"count the distinct "+e.plural+" of patient {patient_id} [time_filter_global1].")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.sql = fmt.Sprintf("select count( distinct %s.%s ) from %s where %s", e.table, e.key, e.table, g.rows(e, ev.stay.Patient, w, ""))
	return d, true
}

func (g *gen) times(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "count the number of times that patient {patient_id} "+with(e.verbed, e.slot)+" [time_filter_global1].",
		"how often has patient {patient_id} "+with(e.had, e.slot)+" [time_filter_global1]?",
		"how many times did it happen that patient {patient_id} "+with(e.verbed, e.slot)+" [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.value(e.slot, ev.name)
	d.sql = fmt.Sprintf("select count(*) from %s where %s", e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)))
	return d, true
}

func (g *gen) cost(kind string) (draft, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return draft{}, false
	}
	event, id := "event_type", "event_id"
	if g.d.id == "eicu" {
		event, id = "eventtype", "eventid"
	}
	d := ask("what is the cost of the "+e.noun+" {"+e.slot+"}?", "how much does the "+e.noun+" {"+e.slot+"} cost?", "tell me the price of the "+e.noun+" {"+e.slot+"}.")
	d.value(e.slot, ev.name)
	d.sql = fmt.Sprintf("select distinct cost.cost from cost where cost.%s = '%s' and cost.%s in ( select %s.%s from %s where %s )", event, e.table, id, e.table, e.id, e.table, e.is(ev.name))
	return d, true
}

// period bounds one event after another.
func (g *gen) period() (fill, func(first, then, joined string) string) {
	switch g.IntN(3) {
	case 0:
		return fill{"within-hosp", "within the same hospital visit"}, func(_, _, joined string) string { return " and " + joined }
	case 1:
		n := 1 + g.IntN(3)
		return fill{"within-n_month", fmt.Sprintf("within %d month", n)}, func(first, then, _ string) string {
			return fmt.Sprintf(" and datetime(%s) between datetime(%s) and datetime(%s,'+%d month')", then, first, first, n)
		}
	}
	return fill{"within-month", "within the same month"}, func(first, then, _ string) string {
		return fmt.Sprintf(" and datetime(%s,'start of month') = datetime(%s,'start of month')", first, then)
	}
}

// pair joins what patients had after something else.
func (g *gen) pair(first entity, firstName string, then entity, thenName, what string, w when) (string, fill) {
	f, bound := g.period()
	part := func(e entity, name, columns string) string {
		cond := ""
		if name != "" {
			cond = e.is(name)
		}
		return fmt.Sprintf("select %s as p, %s.%s as v, %s as t%s from %s where %s", g.d.who(), g.d.people, g.d.visit, e.at(), columns, g.d.joined(e), e.where(cond, w.and(e.at())))
	}
	return fmt.Sprintf("select %s from ( %s ) as t1 join ( %s ) as t0 on t1.p = t0.p where t1.t < t0.t%s", what, part(first, firstName, ""), part(then, thenName, ", "+then.table+"."+then.key+" as k"),
		bound("t1.t", "t0.t", "t1.v = t0.v")), f
}

func (g *gen) topAfter(kind string) (draft, bool) {
	e := g.d.entities[kind]
	first := g.d.entities["diagnosis"]
	ev, ok := g.event(first.kind)
	if !ok {
		return draft{}, false
	}
	d := ask("what are the top [n_rank] most frequent "+e.plural+" that patients had [time_filter_within] after they "+many(with(first.verbed, first.slot))+" [time_filter_global1]?",
		"list the [n_rank] most common "+e.plural+" of patients [time_filter_within] after they "+many(with(first.verbed, first.slot))+" [time_filter_global1].")
	w := d.during(g.maybe(g.wide(ev.at)))
	rank, n := g.rank()
	rows, f := g.pair(first, ev.name, e, "", "t0.k", w)
	d.value(first.slot, ev.name)
	d.fill("n_rank", rank)
	d.fill("time_filter_within", f)
	d.sql = e.top(rows, n)
	return d, true
}

func (g *gen) patientsAfter(kind string) (draft, bool) {
	e, first := g.d.entities[kind], g.d.entities["diagnosis"]
	ev, ok := g.event(kind)
	if !ok {
		return draft{}, false
	}
	before := g.events(ev.stay, "diagnosis")
	if len(before) == 0 {
		return draft{}, false
	}
	cause := choose(g, before...)
	d := ask("count the number of patients who "+many(with(e.verbed, e.slot))+" [time_filter_within] after they were diagnosed with {diagnosis_name} [time_filter_global1].",
		"how many patients "+with(e.have, e.slot)+" [time_filter_within] after a diagnosis of {diagnosis_name} [time_filter_global1]?")
	w := d.during(g.maybe(g.wide(cause.at)))
	rows, f := g.pair(first, cause.name, e, ev.name, "count( distinct t1.p )", w)
	d.value("diagnosis_name", cause.name)
	d.value(e.slot, ev.name)
	d.fill("time_filter_within", f)
	d.sql = rows
	return d, true
}
