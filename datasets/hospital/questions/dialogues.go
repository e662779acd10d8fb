package questions

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// talk is a dialogue in the making: turns of words and SQL.
type talk struct {
	seed   string
	turns  [][2]string
	values map[string]any
}

func (t *talk) turn(words, sql string) { t.turns = append(t.turns, [2]string{words, sql}) }

// subject is how a dialogue makes its turns. Held-out ones are the test side of the
// compositional split: their turns occur in others, in another order.
type subject struct {
	name       string
	weight     int
	department string
	heldOut    bool
	make       func(g *gen) (talk, bool)
}

// thread is what the dialogues about one patient's events share.
type thread struct {
	e       entity
	ev      event
	patient string
	all     string // condition: of the patient
	is      string
}

func (g *gen) thread(kind string) (thread, bool) {
	e := g.d.entities[kind]
	ev, ok := g.event(kind)
	if !ok {
		return thread{}, false
	}
	id, _ := g.d.pid(ev.stay.Patient)
	return thread{e: e, ev: ev, patient: id, all: g.d.of(e, ev.stay.Patient, ""), is: e.is(ev.name)}, true
}

func (t thread) rows(what, cond string) string {
	return fmt.Sprintf("select %s from %s where %s", what, t.e.table, cond)
}

func (t thread) talk(seed string) talk {
	var id any
	_, id = mimicSchema().pid(t.ev.stay.Patient)
	return talk{seed: seed, values: map[string]any{"patient_id": id, t.e.slot: t.ev.name}}
}

func subjects() []subject {
	var all []subject
	add := func(name string, weight int, department string, heldOut bool, make func(g *gen) (talk, bool)) {
		all = append(all, subject{name, weight, department, heldOut, make})
	}
	for _, kind := range []string{"diagnosis", "procedure", "drug", "lab", "culture"} {
		add("time_of_"+kind, 3, "nursing", false, func(g *gen) (talk, bool) { return g.timeTalk(kind) })
		add("count_of_"+kind, 3, "insurance_review", kind == "culture", func(g *gen) (talk, bool) { return g.countTalk(kind) })
		add("patients_with_"+kind, 3, "physician", false, func(g *gen) (talk, bool) { return g.patientsTalk(kind) })
		add("visit_"+kind, 2, "nursing", kind == "drug", func(g *gen) (talk, bool) { return g.visitTalk(kind) })
	}
	for _, kind := range []string{"lab", "vital", "intake", "output"} {
		add("values_of_"+kind, 4, "physician nursing", false, func(g *gen) (talk, bool) { return g.valuesTalk(kind) })
		add("extreme_of_"+kind, 3, "physician", kind == "vital", func(g *gen) (talk, bool) { return g.extremeTalk(kind) })
	}
	add("change_of_lab", 3, "physician", true, (*gen).changeTalk)
	add("dose_of_drug", 2, "nursing", false, (*gen).doseTalk)
	add("cost_of_patient", 2, "insurance_review", false, (*gen).costTalk)
	add("two_diagnoses", 2, "physician", true, (*gen).bothTalk)
	add("units", 2, "nursing", false, (*gen).unitsTalk)
	add("visits", 2, "insurance_review", false, (*gen).visitsTalk)
	return all
}

// bound is a time bound for a turn: its words, and what it adds to a condition.
func (g *gen) bound(ev event, column string) (words, cond string) {
	w := g.wide(ev.at)
	return w.words, w.and(column)
}

func (g *gen) timeTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	exact, order := g.exact()
	happened := with(t.e.verbed, t.e.slot)
	k := t.talk("when was the " + exact.words + " time that patient {patient_id} " + happened + " " + words + "?")
	k.turn(choose(g, "At what times was it that patient {patient_id} "+happened+"?", "List when patient {patient_id} "+happened+"."), t.rows(t.e.at(), t.all+" and "+t.is))
	k.turn(choose(g, "Keep only those "+words+".", "Among those, which were "+words+"?"), t.rows(t.e.at(), t.all+" and "+t.is+bound))
	k.turn(choose(g, "Which of them was the "+exact.words+"?", "Give me the "+exact.words+" of those times."), t.rows(t.e.at(), t.all+" and "+t.is+bound)+fmt.Sprintf(" order by %s %s limit 1", t.e.at(), order))
	return k, true
}

func (g *gen) countTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	happened := with(t.e.verbed, t.e.slot)
	k := t.talk("how many times was it that patient {patient_id} " + happened + " " + words + "?")
	if kind != "culture" {
		k.turn(choose(g, "Which "+t.e.plural+" are on record for patient {patient_id}?", "Show the "+t.e.plural+" of patient {patient_id}."), t.e.names(t.all))
	}
	k.turn(choose(g, "How many of these records say that the patient "+happened+"?", "Count the records in which that patient "+happened+"."), t.rows("count(*)", t.all+" and "+t.is))
	k.turn(choose(g, "And how many among them fall into the time "+words+"?", "How many are left if only those "+words+" count?"), t.rows("count(*)", t.all+" and "+t.is+bound))
	if other, ok := g.other(t, kind); ok {
		k.seed += " And how often was it " + other + "?"
		k.values["other_name"] = other
		k.turn("What about {other_name} instead?", t.rows("count(*)", t.all+" and "+t.e.is(other)))
	}
	return k, true
}

// other is another name of the same patient's events.
func (g *gen) other(t thread, kind string) (string, bool) {
	list := g.events(t.ev.stay, kind)
	if other := choose(g, list...); other.name != t.ev.name && g.IntN(2) == 0 {
		return other.name, true
	}
	return "", false
}

func (g *gen) patientsTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	gender := strings.ToLower(t.ev.stay.Patient.Gender)
	happened := many(with(t.e.verbed, t.e.slot))
	k := talk{seed: "how many patients of gender {gender} " + with(t.e.have, t.e.slot) + " " + words + "?", values: map[string]any{t.e.slot: t.ev.name, "gender": gender}}
	who := func(cond string) string { return g.d.patients(g.d.who(), t.e, cond) }
	k.turn(choose(g, "How many patients are there who "+happened+"?", "Count the patients who "+happened+"."), g.d.patients("count( distinct "+g.d.who()+" )", t.e, t.is))
	k.turn(choose(g, "How many of those "+words+"?", "Limit it to the time "+words+": how many patients?"), g.d.patients("count( distinct "+g.d.who()+" )", t.e, t.is+bound))
	k.turn(choose(g, "How many of them have the gender {gender}?", "Among those, count the ones of gender {gender}."),
		fmt.Sprintf("select count(*) from patients where patients.gender = '%s' and patients.subject_id in ( %s )", gender, who(t.is+bound)))
	return k, true
}

func (g *gen) visitTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	w := g.visit(t.ev.stay)
	if w.scope == "" {
		return talk{}, false
	}
	of := g.d.of(t.e, t.ev.stay.Patient, w.scope)
	exact, order := g.exact()
	one := g.single(t.ev.stay, kind, order)
	k := t.talk("what was the " + exact.words + " " + t.e.noun + " of patient {patient_id} " + w.words + "?")
	if !one {
		k.seed = "how many different " + t.e.plural + " did patient {patient_id} have " + w.words + "?"
	}
	delete(k.values, t.e.slot)
	k.turn(choose(g, "When did the hospital visits of patient {patient_id} begin?", "List the admission times of patient {patient_id}."), "select admissions.admittime from admissions where admissions.subject_id = "+t.patient)
	k.turn(choose(g, "Which "+t.e.plural+" did this patient have "+w.words+"?", "Show the "+t.e.plural+" of the same patient "+w.words+"."), t.e.names(of))
	if one {
		k.turn(choose(g, "Which of them was the "+exact.words+"?", "Give only the "+exact.words+" among them."), t.e.name(of, order))
	} else {
		k.turn(choose(g, "How many of them are different?", "Count the different ones among them."), t.rows("count( distinct "+t.e.table+"."+t.e.key+" )", of))
	}
	return k, true
}

func (g *gen) valuesTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	exact, order := g.exact()
	k := t.talk("what was the " + exact.words + " {" + t.e.slot + "} of patient {patient_id} " + words + "?")
	value := t.e.number(t.ev.name)
	k.turn(choose(g, "List all values of {"+t.e.slot+"} of patient {patient_id}.", "Which values of {"+t.e.slot+"} are on record for patient {patient_id}?"), t.rows(value, t.all+" and "+t.is))
	k.turn(choose(g, "Keep only those "+words+".", "Restrict this to the time "+words+"."), t.rows(value, t.all+" and "+t.is+bound))
	k.turn(choose(g, "What is the "+exact.words+" of these values?", "Which one of them came "+exact.words+"?"), t.rows(value, t.all+" and "+t.is+bound)+fmt.Sprintf(" order by %s %s limit 1", t.e.at(), order))
	if g.IntN(2) == 0 {
		back, wise := "first", "asc"
		if order == "asc" {
			back, wise = "last", "desc"
		}
		k.seed = "what were the " + exact.words + " and the " + back + " {" + t.e.slot + "} of patient {patient_id} " + words + "?"
		k.turn("And the "+back+" one instead?", t.rows(value, t.all+" and "+t.is+bound)+fmt.Sprintf(" order by %s %s limit 1", t.e.at(), wise))
	}
	return k, true
}

func (g *gen) extremeTalk(kind string) (talk, bool) {
	t, ok := g.thread(kind)
	if !ok {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	f, function := g.aggregate()
	k := t.talk("what was the " + f.words + " {" + t.e.slot + "} of patient {patient_id} " + words + "?")
	value := t.e.number(t.ev.name)
	k.turn(choose(g, "How many values of {"+t.e.slot+"} does patient {patient_id} have?", "Count the values of {"+t.e.slot+"} of patient {patient_id}."), t.rows("count(*)", t.all+" and "+t.is))
	k.turn(choose(g, "How many of them were measured "+words+"?", "Narrow it down to the time "+words+": how many?"), t.rows("count(*)", t.all+" and "+t.is+bound))
	k.turn(choose(g, "What is the "+f.words+" of these values?", "Calculate the "+f.words+" of those."), t.rows(function+"("+value+")", t.all+" and "+t.is+bound))
	return k, true
}

func (g *gen) changeTalk() (talk, bool) {
	t, ok := g.thread("lab")
	if !ok || !g.varies(t.ev, "lab") {
		return talk{}, false
	}
	w := g.visit(t.ev.stay)
	if w.scope == "" {
		return talk{}, false
	}
	later, earlier := g.two(t.e, t.ev, w)
	bare := func(sub string) string { return strings.TrimSuffix(strings.TrimPrefix(sub, "( "), " )") }
	k := t.talk("by how much did the {lab_name} of patient {patient_id} change " + w.words + "?")
	k.turn("What was the first {lab_name} of patient {patient_id} "+w.words+"?", bare(earlier))
	k.turn("What about the last one instead?", bare(later))
	k.turn("What is the difference between these two, the last less the first?", "select "+later+" - "+earlier)
	return k, true
}

func (g *gen) doseTalk() (talk, bool) {
	t, ok := g.thread("drug")
	if !ok {
		return talk{}, false
	}
	exact, order := g.exact()
	k := t.talk("what was the dose of {drug_name} that patient {patient_id} was " + exact.words + " prescribed, and by which route?")
	cond := t.all + " and " + t.is
	last := fmt.Sprintf(" order by prescriptions.startdate %s, prescriptions.row_id %s limit 1", order, order)
	k.turn("Was patient {patient_id} ever prescribed {drug_name}?", t.rows("count(*)>0", cond))
	k.turn("When did these prescriptions start?", t.rows("prescriptions.startdate", cond))
	k.turn("What was the dose of the "+exact.words+" of them?", t.rows("prescriptions.dose_val_rx", cond)+last)
	k.turn("And what was its route?", t.rows("prescriptions.route", cond)+last)
	return k, true
}

func (g *gen) costTalk() (talk, bool) {
	t, ok := g.thread("diagnosis")
	if !ok {
		return talk{}, false
	}
	w := g.visit(t.ev.stay)
	if w.scope == "" {
		return talk{}, false
	}
	k := t.talk("how much of the cost of patient {patient_id} " + w.words + " was for lab tests?")
	delete(k.values, t.e.slot)
	k.turn("What has the hospital care of patient {patient_id} cost in all?", "select sum(cost.cost) from cost where cost.hadm_id in ( "+g.d.stays(t.patient, "")+" )")
	only := "select sum(cost.cost) from cost where cost.hadm_id in ( " + g.d.stays(t.patient, w.scope) + " )"
	k.turn("How much of it only "+w.words+"?", only)
	k.turn("How much of that was for lab tests?", only+" and cost.event_type = 'labevents'")
	if g.IntN(2) == 0 {
		k.seed += " How much was for drugs?"
		k.turn("What about drugs instead?", only+" and cost.event_type = 'prescriptions'")
	}
	return k, true
}

func (g *gen) bothTalk() (talk, bool) {
	t, ok := g.thread("diagnosis")
	if !ok {
		return talk{}, false
	}
	second := choose(g, g.events(t.ev.stay, "diagnosis")...)
	if second.name == t.ev.name {
		return talk{}, false
	}
	words, bound := g.bound(t.ev, t.e.at())
	k := talk{seed: "how many patients had both {diagnosis_name1} and {diagnosis_name2} " + words + "?", values: map[string]any{"diagnosis_name1": t.ev.name, "diagnosis_name2": second.name}}
	who := func(what, name string) string { return g.d.patients(what, t.e, t.e.is(name)+bound) }
	k.turn("How many patients were diagnosed with {diagnosis_name1} "+words+"?", who("count( distinct admissions.subject_id )", t.ev.name))
	k.turn("What about {diagnosis_name2} instead?", who("count( distinct admissions.subject_id )", second.name))
	k.turn("How many had both of these?", fmt.Sprintf("select count(*) from ( %s intersect %s )", who("admissions.subject_id", t.ev.name), who("admissions.subject_id", second.name)))
	return k, true
}

func (g *gen) unitsTalk() (talk, bool) {
	s := choose(g, g.stays...)
	w := g.visit(s)
	if w.scope == "" {
		return talk{}, false
	}
	exact, order := g.exact()
	k := talk{seed: "in which careunit was patient {patient_id} " + exact.words + " " + w.words + "?", values: map[string]any{"patient_id": s.Patient.Subject}}
	of := "transfers.hadm_id in ( " + g.d.stays(fmt.Sprint(s.Patient.Subject), w.scope) + " )"
	k.turn("Through which wards did patient {patient_id} go "+w.words+"?", "select transfers.wardid from transfers where "+of+" and transfers.wardid is not null")
	k.turn("In which careunits was this?", "select distinct transfers.careunit from transfers where "+of+" and transfers.careunit is not null")
	k.turn("Which of them came "+exact.words+"?", "select transfers.careunit from transfers where "+of+" and transfers.careunit is not null order by transfers.intime "+order+" limit 1")
	return k, true
}

func (g *gen) visitsTalk() (talk, bool) {
	s := choose(g, g.stays...)
	words, bound := g.bound(event{at: s.Admit}, "admissions.admittime")
	k := talk{seed: "how many times was patient {patient_id} admitted " + words + ", and what was the first admission type?", values: map[string]any{"patient_id": s.Patient.Subject}}
	from := fmt.Sprintf(" from admissions where admissions.subject_id = %d", s.Patient.Subject)
	k.turn("When was patient {patient_id} admitted to hospital?", "select admissions.admittime"+from)
	k.turn("How many of those admissions were "+words+"?", "select count( distinct admissions.hadm_id )"+from+bound)
	k.turn("What was the type of the first of them?", "select admissions.admission_type"+from+bound+" order by admissions.admittime asc limit 1")
	return k, true
}

// dialogue makes a row of a talk.
func dialogue(s subject, k talk) Dialogue {
	none := func(string) string { return "" }
	d := Dialogue{Kind: s.name, SeedQuestion: replace(k.seed, k.values, none), Value: k.values, CompositionalSplit: "train", Department: department(s.department), Importance: "medium"}
	if s.heldOut {
		d.CompositionalSplit = "test"
	}
	for _, turn := range k.turns {
		said := replace(turn[0], k.values, none)
		d.Question = append(d.Question, said)
		d.QuestionTemplate = append(d.QuestionTemplate, strings.ToLower(tidy(turn[0])))
		d.SQL = append(d.SQL, turn[1])
	}
	d.ID = hash(append([]string{d.SeedQuestion}, d.SQL...)...)[:24]
	return d
}

// Dialogues asks in the manner of EHR-SeqSQL.
func Dialogues(h *hospital.Hospital, seed uint64) iter.Seq[Dialogue] {
	return func(yield func(Dialogue) bool) {
		g := newGen(h, mimicSchema(), seed)
		g.Rand = rand.New(rand.NewPCG(seed, h.Seed+2))
		kinds, total := subjects(), 0
		for _, s := range kinds {
			total += s.weight
		}
		seen := map[string]bool{}
		for misses := 0; misses < 5000; {
			left, s := g.IntN(total), kinds[0]
			for _, s = range kinds {
				if left -= s.weight; left < 0 {
					break
				}
			}
			k, ok := s.make(g)
			if !ok || seen[replace(k.seed, k.values, func(string) string { return "" })] {
				misses++
				continue
			}
			d := dialogue(s, k)
			seen[d.SeedQuestion], misses = true, 0
			if !yield(d) {
				return
			}
		}
	}
}
