package questions

import (
	"fmt"
	"strings"
)

// What was measured.

func (g *gen) valueOf(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "what was the [time_filter_exact1] value of {"+e.slot+"} of patient {patient_id} [time_filter_global1]?",
		"give the {"+e.slot+"} of patient {patient_id} that was measured [time_filter_exact1] [time_filter_global1].",
		"what did the [time_filter_exact1] measurement of {"+e.slot+"} of patient {patient_id} [time_filter_global1] show?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value(e.slot, ev.name)
	d.sql = fmt.Sprintf("select %s from %s where %s order by %s %s limit 1", e.number(ev.name), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.at(), order)
	return d, true
}

func (g *gen) aggregate() (fill, string) {
	f := choose(g, [2]string{"minimum", "min"}, [2]string{"maximum", "max"}, [2]string{"average", "avg"})
	return fill{"agg_function", f[0]}, f[1]
}

func (g *gen) extreme(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "what was the [agg_function] {"+e.slot+"} of patient {patient_id} [time_filter_global1]?",
		"calculate the [agg_function] {"+e.slot+"} of patient {patient_id} [time_filter_global1].",
		"tell me the [agg_function] value of {"+e.slot+"} in patient {patient_id} [time_filter_global1].")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	f, function := g.aggregate()
	d.value(e.slot, ev.name)
	d.fill("agg_function", f)
	d.sql = fmt.Sprintf("select %s(%s) from %s where %s", function, e.number(ev.name), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)))
	return d, true
}

func (g *gen) whenExtreme(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "when was the [time_filter_exact1] time that the {"+e.slot+"} of patient {patient_id} was at its [sort] [time_filter_global1]?",
		"at what time did patient {patient_id} have the [sort] {"+e.slot+"} for the [time_filter_exact1] time [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	by := choose(g, [2]string{"max", "desc"}, [2]string{"min", "asc"})
	d.value(e.slot, ev.name)
	d.fill("sort", fill{"sort", by[0]})
	d.sql = fmt.Sprintf("select %s from %s where %s order by %s %s, %s %s limit 1", e.at(), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.number(ev.name), by[1], e.at(), order)
	return d, true
}

// two are the first and last value of a visit, as sub-queries.
func (g *gen) two(e entity, ev event, w when) (later, earlier string) {
	value := func(order string) string {
		return fmt.Sprintf("( select %s from %s where %s order by %s %s limit 1 )", e.number(ev.name), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.at(), order)
	}
	return value("desc"), value("asc")
}

func (g *gen) change(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "by how much did the {"+e.slot+"} of patient {patient_id} change from the [time_filter_exact2] value [time_filter_global2] to the [time_filter_exact1] value [time_filter_global1]?",
		"what is the difference between the [time_filter_exact1] {"+e.slot+"} [time_filter_global1] and the [time_filter_exact2] one [time_filter_global2] of patient {patient_id}?")
	if !ok || !g.varies(ev, kind) {
		return d, false
	}
	w := g.visit(ev.stay)
	later, earlier := g.two(e, ev, w)
	d.value(e.slot, ev.name)
	for i := 1; i <= 2; i++ {
		d.fill(fmt.Sprintf("time_filter_global%d", i), w.fill)
	}
	d.fill("time_filter_exact1", fill{"exact-last", "last"})
	d.fill("time_filter_exact2", fill{"exact-first", "first"})
	d.sql = fmt.Sprintf("select %s - %s", later, earlier)
	return d, true
}

// varies says that first and last value of the stay differ.
func (g *gen) varies(ev event, kind string) bool {
	var values []float64
	for _, other := range g.events(ev.stay, kind) {
		if other.name == ev.name {
			values = append(values, other.value)
		}
	}
	return len(values) > 1 && values[0] != values[len(values)-1]
}

func (g *gen) compare(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "is the {"+e.slot+"} of patient {patient_id} that was measured [time_filter_exact1] [time_filter_global1] [comparison] than the [time_filter_exact2] one?",
		"was the [time_filter_exact1] {"+e.slot+"} of patient {patient_id} [time_filter_global1] [comparison] than the [time_filter_exact2] one?")
	if !ok || !g.varies(ev, kind) {
		return d, false
	}
	var first, last float64
	for i, other := range g.sameName(ev, kind) {
		if last = other.value; i == 0 {
			first = other.value
		}
	}
	// Four times in five the answer is yes.
	greater := last > first != (g.IntN(5) == 0)
	word, op := "less", "<"
	if greater {
		word, op = "greater", ">"
	}
	w := d.during(g.visit(ev.stay))
	later, earlier := g.two(e, ev, w)
	d.value(e.slot, ev.name)
	d.fill("time_filter_exact1", fill{"exact-last", "last"})
	d.fill("time_filter_exact2", fill{"exact-first", "first"})
	d.fill("comparison", fill{"comparison", word})
	d.sql = fmt.Sprintf("select %s %s %s", later, op, earlier)
	return d, true
}

func (g *gen) sameName(ev event, kind string) []event {
	var out []event
	for _, other := range g.events(ev.stay, kind) {
		if other.name == ev.name {
			out = append(out, other)
		}
	}
	return out
}

// series lists one value a day, month or year.
func (g *gen) series(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "list the [unit_average] [agg_function] {"+e.slot+"} of patient {patient_id} [time_filter_global1].",
		"show the [agg_function] {"+e.slot+"} of patient {patient_id} by its [unit_average] values [time_filter_global1].",
		"what are the [unit_average] [agg_function] values of {"+e.slot+"} of patient {patient_id} [time_filter_global1]?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	f, function := g.aggregate()
	unit := choose(g, [2]string{"daily", "%Y-%m-%d"}, [2]string{"daily", "%Y-%m-%d"}, [2]string{"monthly", "%Y-%m"}, [2]string{"yearly", "%Y"})
	d.value(e.slot, ev.name)
	d.fill("agg_function", f)
	d.fill("unit_average", fill{"unit_average", unit[0]})
	d.sql = fmt.Sprintf("select %s(%s) from %s where %s group by strftime('%s',%s)", function, e.number(ev.name), e.table,
		g.rows(e, ev.stay.Patient, w, e.is(ev.name)), unit[1], e.at())
	return d, true
}

// courseOf lists times and values: two columns.
func (g *gen) courseOf(kind string) (draft, bool) {
	e := g.d.entities[kind]
	_, ev, d, ok := g.of(kind, "list times and values of {"+e.slot+"} of patient {patient_id} [time_filter_global1].",
		"show how {"+e.slot+"} went in patient {patient_id} [time_filter_global1]: each time with its value.")
	if !ok {
		return d, false
	}
	w := g.visit(ev.stay)
	if w.tag == "" {
		w = g.time(ev.at)
	}
	d.during(w)
	d.value(e.slot, ev.name)
	d.sql = fmt.Sprintf("select %s, %s from %s where %s order by %s asc", e.at(), e.number(ev.name), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name)), e.at())
	return d, true
}

func (g *gen) total(kind string, named bool) (draft, bool) {
	e := g.d.entities[kind]
	of := ""
	if named {
		of = " of {" + e.slot + "}"
	}
	_, ev, d, ok := g.of(kind, "what was the total volume of "+e.noun+of+" of patient {patient_id} [time_filter_global1]?",
		"sum up the "+e.noun+of+" of patient {patient_id} [time_filter_global1].",
		"how many ml of "+e.noun+of+" did patient {patient_id} have [time_filter_global1] in all?")
	if !ok {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	is := strings.TrimPrefix(e.only, " and ")
	if named {
		d.value(e.slot, ev.name)
		is = e.is(ev.name)
	}
	d.sql = fmt.Sprintf("select sum(%s) from %s where %s", e.number(ev.name), e.table, g.rows(e, ev.stay.Patient, w, is))
	return d, true
}

func (g *gen) balance() (draft, bool) {
	_, ev, d, ok := g.of("intake", "what is the difference between the total intake and the total output of patient {patient_id} [time_filter_global1]?",
		"calculate the fluid balance of patient {patient_id} [time_filter_global1]: total intake less total output.")
	if !ok || len(g.events(ev.stay, "output")) == 0 {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	sum := func(kind string) string {
		e := g.d.entities[kind]
		return fmt.Sprintf("( select sum(%s) from %s where %s )", e.number(""), e.table, g.rows(e, ev.stay.Patient, w, e.only))
	}
	d.sql = fmt.Sprintf("select %s - %s", sum("intake"), sum("output"))
	return d, true
}

// bounds are the names that the benchmark gives the bounds of a sign.
var bounds = map[string]string{"temperature c (calc)": "temperature", "sao2": "sao2", "heart rate": "heart_rate", "respiratory rate": "respiration", "arterial bp [systolic]": "systolic_bp",
	"arterial bp [diastolic]": "diastolic_bp", "arterial bp mean": "mean_bp", "temperature": "temperature", "heartrate": "heart_rate", "respiration": "respiration",
	"systemicsystolic": "systolic_bp", "systemicdiastolic": "diastolic_bp", "systemicmean": "mean_bp"}

var ranges = map[string][2]float64{"temperature": {35.5, 38.1}, "sao2": {95, 100}, "heart_rate": {60, 100}, "respiration": {12, 18}, "systolic_bp": {90, 120}, "diastolic_bp": {60, 90}, "mean_bp": {60, 110}}

func (g *gen) abnormal() (draft, bool) {
	e, ev, d, ok := g.of("vital", "when was the [time_filter_exact1] time that the {vital_name} of patient {patient_id} was [comparison] than normal [time_filter_global1]?",
		"find the [time_filter_exact1] time at which patient {patient_id} had a {vital_name} [comparison] than what is normal [time_filter_global1].")
	if !ok {
		return d, false
	}
	name := bounds[ev.name]
	normal := ranges[name]
	word, cond := "", ""
	switch {
	case ev.value < normal[0]:
		word, cond = "less", fmt.Sprintf("%s < %s_lower", e.number(ev.name), name)
	case ev.value > normal[1]:
		word, cond = "greater", fmt.Sprintf("%s > %s_upper", e.number(ev.name), name)
	default:
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	order := d.exactly(g.exact())
	d.value("vital_name", ev.name)
	d.fill("comparison", fill{"comparison", word})
	d.sql = fmt.Sprintf("select %s from %s where %s order by %s %s limit 1", e.at(), e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name), cond), e.at(), order)
	return d, true
}

func (g *gen) timesAbnormal() (draft, bool) {
	e, ev, d, ok := g.of("vital", "how many times was the {vital_name} of patient {patient_id} normal [time_filter_global1]?",
		"count the measurements of {vital_name} of patient {patient_id} that were in the normal range [time_filter_global1].")
	if !ok {
		return d, false
	}
	name := bounds[ev.name]
	if normal := ranges[name]; ev.value < normal[0] || ev.value > normal[1] {
		return d, false
	}
	w := d.during(g.whenOf(ev.stay, ev.at))
	d.value("vital_name", ev.name)
	d.sql = fmt.Sprintf("select count(*) from %s where %s", e.table, g.rows(e, ev.stay.Patient, w, e.is(ev.name), fmt.Sprintf("%s between %s_lower and %s_upper", e.number(ev.name), name, name)))
	return d, true
}
