package questions

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// gen asks about one database of a hospital.
type gen struct {
	*rand.Rand
	d     *schema
	stays []*hospital.Stay // that have begun
	cache map[*hospital.Stay]map[string][]event
}

func newGen(h *hospital.Hospital, d *schema, seed uint64) *gen {
	g := &gen{Rand: rand.New(rand.NewPCG(seed, h.Seed)), d: d, cache: map[*hospital.Stay]map[string][]event{}}
	for _, p := range h.People {
		for _, s := range p.Stays {
			if !s.Admit.After(hospital.Now()) {
				g.stays = append(g.stays, s)
			}
		}
	}
	return g
}

func choose[T any](g *gen, from ...T) T { return from[g.IntN(len(from))] }

// events are those of a stay that the database has.
func (g *gen) events(s *hospital.Stay, kind string) []event {
	if g.cache[s] == nil {
		g.cache[s] = map[string][]event{}
	}
	if _, known := g.cache[s][kind]; !known {
		g.cache[s][kind] = g.d.events(s, kind)
	}
	return g.cache[s][kind]
}

// event draws an event of a kind that happened, of any patient.
func (g *gen) event(kind string) (event, bool) {
	for range 50 {
		if list := g.events(choose(g, g.stays...), kind); len(list) > 0 {
			return choose(g, list...), true
		}
	}
	return event{}, false
}

// template makes questions of one kind. make says false when it finds nothing to ask.
type template struct {
	name       string
	weight     int
	department string
	importance string
	make       func(g *gen) (draft, bool)
}

// ask begins a draft: the template, then other ways to say it.
func ask(tag string, say ...string) draft {
	return draft{tag: tag, say: say, values: map[string]any{}, fills: map[string]fill{}}
}

func (d *draft) value(slot string, value any) { d.values[slot] = value }

func (d *draft) fill(name string, f fill) { d.fills[name] = f }

// during says when, and gives it back for the SQL.
func (d *draft) during(w when) when {
	d.fill("time_filter_global1", w.fill)
	return w
}

// exactly says that the first or the last is meant, and gives back the order.
func (d *draft) exactly(f fill, order string) string {
	d.fill("time_filter_exact1", f)
	return order
}

// patient sets the patient.
func (g *gen) patient(d *draft, p *hospital.Patient) {
	_, value := g.d.pid(p)
	d.value("patient_id", value)
}

// row makes a row of EHRSQL's of a draft.
func (g *gen) row(t template, d draft) EHRSQL {
	words := func(name string) string { return d.fills[name].words }
	row := EHRSQL{Kind: t.name, DBID: g.d.id, Query: d.sql, Value: d.values, QTag: d.tag, TTag: make([]string, 5), OTag: make([]string, 9),
		Department: department(t.department), Importance: t.importance, ParaType: "machine"}
	for name, f := range d.fills {
		if at, ok := timePlaces[name]; ok {
			row.TTag[at] = f.tag
		} else if at, ok := otherPlaces[name]; ok {
			row.OTag[at] = f.words
		}
	}
	row.Template = replace(d.tag, d.values, words)
	said := d.tag
	if n := g.IntN(len(d.say) + 1); n > 0 {
		said = d.say[n-1]
		if n%2 == 1 {
			row.ParaType = "human"
		}
	}
	row.Question = upper(replace(said, d.values, words))
	keep := map[string]any{}
	for slot := range d.values {
		keep[slot] = "{" + slot + "}"
	}
	row.Tag = replace(d.tag, keep, func(name string) string {
		f, ok := d.fills[name]
		label := f.tag
		if _, isTime := timePlaces[name]; !isTime {
			label = f.words
		}
		if !ok || label == "" {
			label = "null"
		}
		return "[" + name + ":" + label + "]"
	})
	row.QTag = d.tag
	row.ID = hash(row.DBID, row.Question, row.Query)[:24]
	return row
}

// department writes a list as the files do: a Python literal as text.
func department(names string) string {
	return "['" + strings.ReplaceAll(names, " ", "', '") + "']"
}

// stream draws templates by weight for as long as there is something new. Wordings
// of one query count as rows of their own, but a query comes at most three times.
func stream(g *gen, templates []template, impossible float64) iter.Seq[EHRSQL] {
	return func(yield func(EHRSQL) bool) {
		total := 0
		for _, t := range templates {
			total += t.weight
		}
		seen, queries := map[string]bool{}, map[string]int{}
		for misses := 0; misses < 5000; {
			var row EHRSQL
			if g.Float64() < impossible {
				row = g.impossible()
			} else {
				t := weighted(g, templates, total)
				d, ok := t.make(g)
				for tries := 0; !ok && tries < 40; tries++ { // most look for something rare
					d, ok = t.make(g)
				}
				if !ok {
					misses++
					continue
				}
				row = g.row(t, d)
			}
			if seen[row.ID] || !row.IsImpossible && queries[row.Query] == 3 {
				misses++
				continue
			}
			seen[row.ID], misses = true, 0
			queries[row.Query]++
			if !yield(row) {
				return
			}
		}
	}
}

func weighted(g *gen, templates []template, total int) template {
	left := g.IntN(total)
	for _, t := range templates {
		if left -= t.weight; left < 0 {
			return t
		}
	}
	return templates[len(templates)-1]
}

// impossible asks for what no table has.
func (g *gen) impossible() EHRSQL {
	s := choose(g, g.stays...)
	_, patient := g.d.pid(s.Patient)
	name := strings.ToLower(s.Complaint)
	drug, ok := g.event("drug")
	if !ok {
		drug.name = "aspirin"
	}
	texts := [][2]string{
		{"side effects", fmt.Sprintf("what side effects does %s have?", drug.name)},
		{"doctor", fmt.Sprintf("which doctor looks after patient %v?", patient)},
		{"appointment", fmt.Sprintf("when does patient %v have to come back for a check?", patient)},
		{"family", fmt.Sprintf("does patient %v have relatives who can be reached by telephone?", patient)},
		{"cause", fmt.Sprintf("what is the cause of %s?", name)},
		{"meal", fmt.Sprintf("what did patient %v eat for breakfast?", patient)},
		{"bed", fmt.Sprintf("who is in the bed next to patient %v?", patient)},
		{"stock", fmt.Sprintf("how many packs of %s are left in the pharmacy?", drug.name)},
		{"pain", fmt.Sprintf("how strong is the pain of patient %v on a scale of ten?", patient)},
		{"guideline", fmt.Sprintf("what does the guideline say about the treatment of %s?", name)},
		{"consent", fmt.Sprintf("did patient %v sign the consent for surgery?", patient)},
		{"interaction", fmt.Sprintf("can %s be taken together with grapefruit juice?", drug.name)},
		{"visitors", fmt.Sprintf("how many visitors came to see patient %v yesterday?", patient)},
		{"smoking", fmt.Sprintf("how many cigarettes a day does patient %v smoke?", patient)},
	}
	t := texts[g.IntN(len(texts))]
	row := EHRSQL{Kind: "impossible", DBID: g.d.id, Question: upper(t[1]), Template: t[0], Query: "null", Department: []string{"nursing"}, ParaType: choose(g, "human", "machine"), IsImpossible: true}
	row.ID = hash(row.DBID, row.Question)[:24]
	return row
}

// MIMIC asks about the tables of ehrdb.MIMICIII.
func MIMIC(h *hospital.Hospital, seed uint64, opts Options) iter.Seq[EHRSQL] {
	return func(yield func(EHRSQL) bool) {
		stream(newGen(h, mimicSchema(), seed), append(shared(), mimicOnly()...), opts.Impossible)(yield)
	}
}

// EICU asks about the tables of ehrdb.EICU.
func EICU(h *hospital.Hospital, seed uint64, opts Options) iter.Seq[EHRSQL] {
	return func(yield func(EHRSQL) bool) {
		stream(newGen(h, eicuSchema(), seed), append(shared(), eicuOnly()...), opts.Impossible)(yield)
	}
}
