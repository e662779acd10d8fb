package ehrdb

import (
	"strconv"
	"strings"
	"time"
)

// MIMICIII is the schema of EHRSQL's MIMIC-III database: 17 tables.
func MIMICIII() Schema {
	patient := ref(integer("subject_id"), "patients(subject_id)")
	subject, stay := integer("subject_id"), ref(integer("hadm_id"), "admissions(hadm_id)")
	unit, item := integer("icustay_id"), ref(integer("itemid"), "d_items(itemid)")
	return Schema{ID: "mimic_iii", plan: planMIMIC, Tables: []Table{
		{"patients", []Column{key("row_id"), unique(integer("subject_id")), text("gender"), moment("dob"), null(moment("dod"))}, nil},
		{"admissions", []Column{key("row_id"), patient, unique(integer("hadm_id")), moment("admittime"), null(moment("dischtime")),
			text("admission_type"), text("admission_location"), null(text("discharge_location")), text("insurance"),
			null(text("language")), null(text("marital_status")), text("ethnicity"), integer("age")}, indexes(on("subject_id"))},
		{"d_icd_diagnoses", []Column{key("row_id"), unique(text("icd9_code")), text("short_title"), text("long_title")}, indexes(on("short_title"))},
		{"d_icd_procedures", []Column{key("row_id"), unique(text("icd9_code")), text("short_title"), text("long_title")}, indexes(on("short_title"))},
		{"d_labitems", []Column{key("row_id"), unique(integer("itemid")), text("label")}, indexes(on("label"))},
		{"d_items", []Column{key("row_id"), unique(integer("itemid")), text("label"), text("linksto")}, indexes(on("label"))},
		{"diagnoses_icd", []Column{key("row_id"), subject, stay, ref(text("icd9_code"), "d_icd_diagnoses(icd9_code)"), moment("charttime")},
			indexes(on("hadm_id"), on("icd9_code"))},
		{"procedures_icd", []Column{key("row_id"), subject, stay, ref(text("icd9_code"), "d_icd_procedures(icd9_code)"), moment("charttime")},
			indexes(on("hadm_id"), on("icd9_code"))},
		{"labevents", []Column{key("row_id"), subject, stay, ref(integer("itemid"), "d_labitems(itemid)"), null(moment("charttime")),
			null(decimal("valuenum")), null(text("valueuom"))}, indexes(on("hadm_id", "itemid"), on("itemid"))},
		{"prescriptions", []Column{key("row_id"), subject, stay, moment("startdate"), null(moment("enddate")), text("drug"),
			text("dose_val_rx"), text("dose_unit_rx"), text("route")}, indexes(on("hadm_id"), on("drug"))},
		{"cost", []Column{key("row_id"), subject, stay, text("event_type"), integer("event_id"), moment("chargetime"), decimal("cost")},
			indexes(on("hadm_id"), on("event_type", "event_id"))},
		{"chartevents", []Column{key("row_id"), subject, stay, unit, item, moment("charttime"), null(decimal("valuenum")), null(text("valueuom"))},
			indexes(on("icustay_id", "itemid"), on("hadm_id"), on("itemid"))},
		{"inputevents_cv", []Column{key("row_id"), subject, stay, unit, moment("charttime"), item, null(decimal("amount"))},
			indexes(on("icustay_id"), on("hadm_id"), on("itemid"))},
		{"outputevents", []Column{key("row_id"), subject, stay, unit, moment("charttime"), item, null(decimal("value"))},
			indexes(on("icustay_id"), on("hadm_id"), on("itemid"))},
		{"microbiologyevents", []Column{key("row_id"), subject, stay, moment("charttime"), null(text("spec_type_desc")), null(text("org_name"))},
			indexes(on("hadm_id"))},
		{"icustays", []Column{key("row_id"), subject, stay, integer("icustay_id"), text("first_careunit"), text("last_careunit"),
			integer("first_wardid"), integer("last_wardid"), moment("intime"), null(moment("outtime"))}, indexes(on("hadm_id"), on("icustay_id"))},
		{"transfers", []Column{key("row_id"), subject, stay, null(integer("icustay_id")), text("eventtype"), null(text("careunit")),
			null(integer("wardid")), moment("intime"), null(moment("outtime"))}, indexes(on("hadm_id"), on("icustay_id"))},
	}}
}

// vitalItems are the items of chartevents that the benchmark asks about:
// temperature, oxygen saturation, heart and respiratory rate, systolic, diastolic
// and mean arterial pressure, weight and height at admission.
var vitalItems = set[int64]{677: true, 834: true, 211: true, 618: true, 51: true, 8368: true, 52: true, 762: true, 920: true}

type mimicPatient struct {
	subject  int64
	gender   nullable[string]
	dob, dod nullable[time.Time]
	earliest time.Time     // first admission in the files
	offset   time.Duration // the shift
}

type mimicAdmission struct {
	subject, hadm int64
	admit, disch  nullable[time.Time] // as in the file
	place         nullable[string]
	rest          []any
	age           int64
}

type mimicBuilder struct {
	*builder
	patients map[int64]*mimicPatient
	stays    map[int64]*mimicAdmission // of the cohort
}

func planMIMIC(b *builder) error {
	m := &mimicBuilder{builder: b, patients: map[int64]*mimicPatient{}, stays: map[int64]*mimicAdmission{}}
	if err := b.need("patients", "admissions"); err != nil {
		return err
	}
	for _, step := range []func() error{m.people, m.diagnoses, m.procedures, m.labs, m.prescriptions, m.bedside, m.microbiology, m.units} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// at shifts a time of a patient and hides it when it is still to come.
func (m *mimicBuilder) at(subject int64, t nullable[time.Time]) nullable[time.Time] {
	if p := m.patients[subject]; t.ok && p != nil {
		t.v = t.v.Add(p.offset)
	}
	return m.opts.Clock.seen(t)
}

func (m *mimicBuilder) people() error {
	var order []*mimicPatient
	if err := m.load("patients", []string{"subject_id", "gender", "dob", "dod"}, func(r *record) error {
		p := &mimicPatient{gender: r.text("gender"), dob: r.time("dob"), dod: r.time("dod")}
		id := r.integer("subject_id")
		if !id.ok {
			return m.skip("patients", "null_subject_id")
		}
		if m.patients[id.v] != nil {
			return m.skip("patients", "duplicate")
		}
		p.subject = id.v
		m.patients[id.v] = p
		order = append(order, p)
		return nil
	}); err != nil {
		return err
	}
	admissions, err := m.admissions()
	if err != nil {
		return err
	}
	cohort := m.choose(admissions)
	for _, p := range order {
		if !cohort[strconv.FormatInt(p.subject, 10)] {
			if err := m.skip("patients", "not_in_cohort"); err != nil {
				return err
			}
			continue
		}
		if _, err := m.put(nil, "patients", m.next("patients"), p.subject, p.gender.arg(), stamp(m.at(p.subject, p.dob)), stamp(m.at(p.subject, p.dod))); err != nil {
			return err
		}
		m.report.Patients++
	}
	for _, a := range admissions {
		if !cohort[strconv.FormatInt(a.subject, 10)] {
			if err := m.skip("admissions", "not_in_cohort"); err != nil {
				return err
			}
			continue
		}
		if !m.at(a.subject, a.admit).ok {
			if err := m.skip("admissions", "after_clock"); err != nil {
				return err
			}
			continue
		}
		left := m.at(a.subject, a.disch)
		if !left.ok {
			a.place = nullable[string]{}
		}
		values := []any{m.next("admissions"), a.subject, a.hadm, stamp(m.at(a.subject, a.admit)), stamp(left), a.rest[0], a.rest[1], a.place.arg()}
		kept, err := m.put(nil, "admissions", append(append(values, a.rest[2:]...), a.age)...)
		if err != nil {
			return err
		}
		if kept {
			m.stays[a.hadm] = a
		}
	}
	return nil
}

// admissions reads the admissions that may be in the database, and sets the first
// admission and the shift of each patient.
func (m *mimicBuilder) admissions() ([]*mimicAdmission, error) {
	var all []*mimicAdmission
	seen := set[int64]{}
	texts := []string{"admission_type", "admission_location", "insurance", "language", "marital_status", "ethnicity"}
	columns := append([]string{"subject_id", "hadm_id", "admittime", "dischtime", "discharge_location"}, texts...)
	if err := m.load("admissions", columns, func(r *record) error {
		subject, hadm := r.integer("subject_id"), r.integer("hadm_id")
		a := &mimicAdmission{subject: subject.v, hadm: hadm.v, admit: r.time("admittime"), disch: r.time("dischtime"), place: r.text("discharge_location")}
		p := m.patients[subject.v]
		switch {
		case !subject.ok || p == nil || !p.dob.ok:
			return m.skip("admissions", "unknown_patient")
		case !hadm.ok:
			return m.skip("admissions", "null_hadm_id")
		case seen[hadm.v]:
			return m.skip("admissions", "duplicate")
		case !a.admit.ok:
			return m.skip("admissions", "null_admittime")
		}
		seen[hadm.v] = true
		// Years of 365.25 days. Patients above 89 were born 300 years ago in the files.
		a.age = int64(float64(days(a.admit.v, p.dob.v)) / 365.25)
		if m.opts.Cohort.DropOutliers && (a.age <= 10 || a.age >= 90) {
			return m.skip("admissions", "age_outlier")
		}
		for _, name := range texts {
			a.rest = append(a.rest, r.text(name).arg())
		}
		all = append(all, a)
		return nil
	}); err != nil {
		return nil, err
	}
	if m.opts.Cohort.DropOutliers {
		var err error
		if all, err = m.dropLong(all); err != nil {
			return nil, err
		}
	}
	for _, a := range all {
		p := m.patients[a.subject]
		if p.earliest.IsZero() || a.admit.v.Before(p.earliest) {
			p.earliest = a.admit.v
		}
	}
	if shift := m.opts.Clock.Shift; shift.on() {
		for _, a := range all {
			p := m.patients[a.subject]
			years := shift.year(m.opts.Cohort.Seed, strconv.FormatInt(p.subject, 10)) - p.earliest.Year()
			p.offset = time.Duration(years) * 365 * 24 * time.Hour
		}
	}
	return all, nil
}

// dropLong leaves out the longest twentieth of the stays.
func (m *mimicBuilder) dropLong(all []*mimicAdmission) ([]*mimicAdmission, error) {
	var lengths []float64
	for _, a := range all {
		if a.disch.ok {
			lengths = append(lengths, float64(days(a.disch.v, a.admit.v)))
		}
	}
	limit := percentile95(lengths)
	var kept []*mimicAdmission
	for _, a := range all {
		if a.disch.ok && float64(days(a.disch.v, a.admit.v)) >= limit {
			if err := m.skip("admissions", "stay_outlier"); err != nil {
				return nil, err
			}
			continue
		}
		kept = append(kept, a)
	}
	return kept, nil
}

// days is whole days from b to a, rounded down. Not by time.Duration, which ends at
// 292 years: the oldest patients are 300.
func days(a, b time.Time) int64 {
	seconds := a.Unix() - b.Unix()
	if seconds < 0 {
		return -((-seconds + 86399) / 86400)
	}
	return seconds / 86400
}

func (m *mimicBuilder) choose(admissions []*mimicAdmission) map[string]bool {
	var ids []string
	current := map[string]bool{}
	for _, a := range admissions {
		if !m.at(a.subject, a.admit).ok {
			continue // still to come
		}
		id := strconv.FormatInt(a.subject, 10)
		ids = append(ids, id)
		if !m.at(a.subject, a.disch).ok {
			current[id] = true
		}
	}
	return m.opts.Cohort.choose(ids, current)
}

// stay finds the admission of an event, or says why the event is left out.
func (m *mimicBuilder) stay(r *record) (*mimicAdmission, string) {
	hadm := r.integer("hadm_id")
	if !hadm.ok {
		return nil, "null_hadm_id"
	}
	if a := m.stays[hadm.v]; a != nil {
		return a, ""
	}
	return nil, "not_in_cohort"
}

// when is the time of an event, or why it is left out.
func (m *mimicBuilder) when(a *mimicAdmission, t nullable[time.Time]) (any, string) {
	if !t.ok {
		return nil, "null_time"
	}
	t = m.at(a.subject, t)
	switch {
	case !t.ok:
		return nil, "after_clock"
	case m.opts.Clock.early(t.v):
		return nil, "before_first_year"
	}
	return stamp(t), ""
}

// event is what most tables of events have in common.
func (m *mimicBuilder) event(table string, columns []string, at func(*record, *mimicAdmission) nullable[time.Time],
	put func(r *record, a *mimicAdmission, at any) error) error {
	return m.load(table, append(columns, "hadm_id"), func(r *record) error {
		a, why := m.stay(r)
		if why != "" {
			return m.skip(table, why)
		}
		t, why := m.when(a, at(r, a))
		if why != "" {
			return m.skip(table, why)
		}
		return put(r, a, t)
	})
}

// charge puts an event that costs something.
func (m *mimicBuilder) charge(r *record, table, item string, a *mimicAdmission, at any, values ...any) error {
	id := m.next(table)
	kept, err := m.put(r, table, append([]any{id, a.subject, a.hadm}, values...)...)
	if err != nil || !kept {
		return err
	}
	return m.cost(table, item, a.subject, a.hadm, id, at)
}

// codes loads a dictionary of ICD-9 codes.
func (m *mimicBuilder) codes(table string) (set[string], error) {
	if _, ok := m.files[table]; !ok {
		return nil, nil
	}
	codes := set[string]{}
	err := m.load(table, []string{"icd9_code", "short_title", "long_title"}, func(r *record) error {
		code := r.text("icd9_code")
		if codes[code.v] {
			return m.skip(table, "duplicate")
		}
		kept, err := m.put(r, table, m.next(table), code.arg(), r.text("short_title").arg(), r.text("long_title").arg())
		if kept {
			codes[code.v] = true
		}
		return err
	})
	return codes, err
}

// items loads a dictionary of items; links says which of d_items are wanted.
func (m *mimicBuilder) items(table string, columns []string, links func(*record) (any, bool)) (set[int64], error) {
	if _, ok := m.files[table]; !ok {
		return nil, nil
	}
	items := set[int64]{}
	err := m.load(table, append([]string{"itemid", "label"}, columns...), func(r *record) error {
		id := r.integer("itemid")
		if items[id.v] {
			return m.skip(table, "duplicate")
		}
		values := []any{m.next(table), id.arg(), r.text("label").arg()}
		if links != nil {
			link, wanted := links(r)
			if !wanted {
				return m.skip(table, "other_linksto")
			}
			values = append(values, link)
		}
		kept, err := m.put(r, table, values...)
		if kept {
			items[id.v] = true
		}
		return err
	})
	return items, err
}

// diagnoses have no time of their own: the admission's start, as in the benchmark.
func (m *mimicBuilder) diagnoses() error {
	codes, err := m.codes("d_icd_diagnoses")
	if err != nil {
		return err
	}
	if err := m.make("cost"); err != nil {
		return err
	}
	return m.icd("diagnoses_icd", codes, func(_ *record, a *mimicAdmission) nullable[time.Time] { return a.admit })
}

// procedures have none either: the admission's end.
func (m *mimicBuilder) procedures() error {
	codes, err := m.codes("d_icd_procedures")
	if err != nil {
		return err
	}
	return m.icd("procedures_icd", codes, func(_ *record, a *mimicAdmission) nullable[time.Time] { return a.disch })
}

func (m *mimicBuilder) icd(table string, codes set[string], at func(*record, *mimicAdmission) nullable[time.Time]) error {
	return m.event(table, []string{"icd9_code"}, at, func(r *record, a *mimicAdmission, t any) error {
		code := r.text("icd9_code")
		if code.ok && !codes.has(code.v) {
			return m.skip(table, "unknown_code")
		}
		return m.charge(r, table, code.v, a, t, code.arg(), t)
	})
}

func chartTime(r *record, _ *mimicAdmission) nullable[time.Time] { return r.time("charttime") }

func (m *mimicBuilder) labs() error {
	items, err := m.items("d_labitems", nil, nil)
	if err != nil {
		return err
	}
	const table = "labevents"
	return m.event(table, []string{"itemid", "charttime", "valuenum", "valueuom"}, chartTime, func(r *record, a *mimicAdmission, t any) error {
		item, value, unit := r.integer("itemid"), r.number("valuenum"), r.text("valueuom")
		switch {
		case r.err == nil && (!value.ok || !unit.ok):
			return m.skip(table, "null_value")
		case item.ok && !items.has(item.v):
			return m.skip(table, "unknown_item")
		}
		return m.charge(r, table, strconv.FormatInt(item.v, 10), a, t, item.arg(), t, value.arg(), unit.arg())
	})
}

// prescriptions are read twice: a drug's most frequent unit is that of all rows.
func (m *mimicBuilder) prescriptions() error {
	const table = "prescriptions"
	columns := []string{"startdate", "enddate", "drug", "dose_val_rx", "dose_unit_rx", "route"}
	path, ok := m.files[table]
	if !ok {
		return nil
	}
	whole := func(r *record) (string, bool) {
		dose := strings.ReplaceAll(r.text("dose_val_rx").v, ",", "")
		v, err := strconv.ParseUint(dose, 10, 63)
		return strconv.FormatUint(v, 10), err == nil && r.text("drug").ok && r.text("dose_unit_rx").ok && r.text("route").ok &&
			r.text("startdate").ok && r.text("enddate").ok
	}
	units := map[string]map[string]int{}
	if err := m.each(table, path, columns, func(r *record) error {
		if _, ok := whole(r); ok {
			drug, unit := r.text("drug").v, r.text("dose_unit_rx").v
			if units[drug] == nil {
				units[drug] = map[string]int{}
			}
			units[drug][unit]++
		}
		return nil
	}); err != nil {
		return err
	}
	usual := map[string]string{}
	for drug, counts := range units {
		best := ""
		for unit, n := range counts {
			if n > counts[best] || n == counts[best] && unit < best {
				best = unit
			}
		}
		usual[drug] = best
	}
	start := func(r *record, _ *mimicAdmission) nullable[time.Time] { return r.time("startdate") }
	return m.event(table, columns, start, func(r *record, a *mimicAdmission, t any) error {
		dose, ok := whole(r)
		drug, unit := r.text("drug"), r.text("dose_unit_rx")
		switch {
		case !ok:
			return m.skip(table, "no_whole_dose")
		case usual[drug.v] != unit.v:
			return m.skip(table, "unusual_unit")
		}
		return m.charge(r, table, drug.v, a, t, t, stamp(m.at(a.subject, r.time("enddate"))), drug.v, dose, unit.v, r.text("route").arg())
	})
}

// bedside loads d_items and what refers to it.
func (m *mimicBuilder) bedside() error {
	items, err := m.items("d_items", []string{"linksto"}, func(r *record) (any, bool) {
		link := r.text("linksto")
		return link.arg(), link.v == "inputevents_cv" || link.v == "outputevents" || link.v == "chartevents"
	})
	if err != nil {
		return err
	}
	const charts = "chartevents"
	if err := m.load(charts, []string{"hadm_id", "icustay_id", "itemid", "charttime", "valuenum", "valueuom"}, func(r *record) error {
		// The item first: it decides on nearly all of 330 million rows.
		item := r.integer("itemid")
		if item.ok && (!m.opts.AllChartItems && !vitalItems[item.v] || m.opts.AllChartItems && !items.has(item.v)) {
			return m.skip(charts, "other_item")
		}
		a, why := m.stay(r)
		if why != "" {
			return m.skip(charts, why)
		}
		value, unit := r.number("valuenum"), r.text("valueuom")
		if r.err == nil && (!value.ok || !unit.ok) {
			return m.skip(charts, "null_value")
		}
		t, why := m.when(a, r.time("charttime"))
		if why != "" {
			return m.skip(charts, why)
		}
		_, err := m.put(r, charts, m.next(charts), a.subject, a.hadm, r.integer("icustay_id").arg(), item.arg(), t, value.arg(), unit.arg())
		return err
	}); err != nil {
		return err
	}
	if err := m.volumes("inputevents_cv", "amount", "amountuom", items); err != nil {
		return err
	}
	return m.volumes("outputevents", "value", "valueuom", items)
}

// volumes loads what went in or out, in ml.
func (m *mimicBuilder) volumes(table, amount, unit string, items set[int64]) error {
	return m.event(table, []string{"icustay_id", "itemid", "charttime", amount, unit}, chartTime, func(r *record, a *mimicAdmission, t any) error {
		item, value := r.integer("itemid"), r.number(amount)
		switch {
		case r.text(unit).v != "ml":
			return m.skip(table, "not_ml")
		case r.err == nil && !value.ok:
			return m.skip(table, "null_value")
		case item.ok && !items.has(item.v):
			return m.skip(table, "unknown_item")
		}
		_, err := m.put(r, table, m.next(table), a.subject, a.hadm, r.integer("icustay_id").arg(), t, item.arg(), value.arg())
		return err
	})
}

func (m *mimicBuilder) microbiology() error {
	const table = "microbiologyevents"
	at := func(r *record, _ *mimicAdmission) nullable[time.Time] {
		if t := r.time("charttime"); t.ok {
			return t
		}
		return r.time("chartdate")
	}
	return m.event(table, []string{"charttime", "chartdate", "spec_type_desc", "org_name"}, at, func(r *record, a *mimicAdmission, t any) error {
		_, err := m.put(r, table, m.next(table), a.subject, a.hadm, t, r.text("spec_type_desc").arg(), r.text("org_name").arg())
		return err
	})
}

// units loads the intensive care stays and the transfers between wards.
func (m *mimicBuilder) units() error {
	for _, t := range []struct {
		table            string
		integers, others []string
	}{
		{"icustays", []string{"icustay_id", "first_wardid", "last_wardid"}, []string{"first_careunit", "last_careunit"}},
		{"transfers", []string{"icustay_id", "curr_wardid"}, []string{"eventtype", "curr_careunit"}},
	} {
		columns := append(append([]string{"hadm_id", "intime", "outtime"}, t.integers...), t.others...)
		if err := m.load(t.table, columns, func(r *record) error {
			a, why := m.stay(r)
			if why != "" {
				return m.skip(t.table, why)
			}
			in := r.time("intime")
			if seen := m.at(a.subject, in); in.ok && !seen.ok {
				return m.skip(t.table, "after_clock")
			}
			values := []any{m.next(t.table), a.subject, a.hadm, r.integer("icustay_id").arg(), r.text(t.others[0]).arg(), r.text(t.others[1]).arg()}
			for _, ward := range t.integers[1:] {
				values = append(values, r.integer(ward).arg())
			}
			values = append(values, stamp(m.at(a.subject, in)), stamp(m.at(a.subject, r.time("outtime"))))
			_, err := m.put(r, t.table, values...)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
