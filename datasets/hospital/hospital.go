// Package hospital makes up a hospital: patients, their stays, and what was found,
// given and measured in them. The synthetic downloads of the sources that stand on
// MIMIC-III and eICU are written of it, so that all of them tell of the same people.
//
// Nothing in it comes from a real source. Public vocabulary is used as such (ICD-9
// codes, generic drug names, names of lab tests, item numbers); titles, patients and
// values are our own. A stay follows from what the patient has: a diabetic gets
// insulin and glucose tests, one with sepsis has cultures, fever and antibiotics.
//
// The same seed and number of patients give the same hospital. A patient depends on
// the seed and the patient's own number only, so a larger hospital begins with the
// patients of a smaller one.
//
// Times are those of the database that ehrdb.Build makes of the files, both without
// a Shift and with ehrdb.EHRSQLShift at CohortSeed: identifiers are chosen so that
// the shift moves nobody. With the shift, what is later than Now is hidden, and about
// a tenth of the patients are still in hospital. (DropOutliers takes the longest
// stays away, and with a first stay the reason why its patient did not move: queries
// about the few patients concerned may come out empty.)
package hospital

import (
	"io"
	"time"
)

// CohortSeed is the ehrdb.Cohort.Seed for which the times hold under a shift.
const CohortSeed = 0

// MaxPatients is the most that PatientsFor asks for: as many as EHRSQL's databases
// have, so that a cohort of that size holds everyone.
const MaxPatients = 1000

// Now is the present of the hospital, the default of ehrdb.Clock.
func Now() time.Time { return time.Date(2105, 12, 31, 23, 59, 0, 0, time.UTC) }

// Hospital is what New made. Its fields are for reading.
type Hospital struct {
	Seed   uint64
	People []*Patient
}

// Patient is a person. Text is as in MIMIC-III's files; databases lower it.
type Patient struct {
	Subject   int64  // MIMIC-III's subject_id
	UniquePID string // eICU's
	Name      string // made up; first and last name. TREQS's databases have names
	Gender    string // M, F
	Born      time.Time
	Died      time.Time // zero while alive
	Ethnicity string
	Language  string
	Religion  string
	Marital   string
	Height    float64 // cm
	Allergies []string
	Stays     []*Stay // in order of time

	age, stayYear int // at and of the first stay
}

// Stay is a hospital admission. Every one has at least one intensive care stay.
type Stay struct {
	Patient   *Patient
	Hadm      int64 // MIMIC-III's hadm_id
	Visit     int64 // eICU's patienthealthsystemstayid
	Admit     time.Time
	Discharge time.Time // may be later than Now
	Type      string    // EMERGENCY, ELECTIVE, URGENT
	From, To  string    // admission and discharge location
	Insurance string
	Complaint string // the diagnosis at admission, free text
	Expired   bool
	Weight    float64 // kg, at admission

	Diagnoses  []Coded
	Procedures []Coded
	Units      []*Unit
	Transfers  []Transfer
	Labs       []Lab
	Drugs      []Drug
	Vitals     []Vital
	Fluids     []Fluid
	Cultures   []Culture
	Allergies  []string
}

// Coded is a diagnosis or a procedure.
type Coded struct {
	Code string // ICD-9 without its dot
	At   time.Time
}

// Unit is an intensive care stay.
type Unit struct {
	ID          int64 // icustay_id, and eICU's patientunitstayid
	First, Last string
	FirstWard   int64
	LastWard    int64
	In, Out     time.Time
}

// Transfer is a stretch in one ward. Unit is nil outside intensive care.
type Transfer struct {
	Event    string // admit, transfer, discharge
	Unit     *Unit
	Careunit string
	Ward     int64
	In, Out  time.Time
}

// Lab is one lab value.
type Lab struct {
	Item  int64 // itemid; see LabItem
	At    time.Time
	Value float64
}

// Drug is a prescription.
type Drug struct {
	Name, Type, Formulary string
	Dose                  string // a whole number
	DoseUnit, Route       string
	Start, End            time.Time // MIMIC-III knows their days only
	Unit                  *Unit
}

// Vital is a set of vital signs, measured together in a unit. What was not measured
// is NaN.
type Vital struct {
	Unit                                                        *Unit
	At                                                          time.Time
	Temperature, SaO2, Heart, Breath, Systolic, Diastolic, Mean float64
}

// Fluid is what went in or out, in ml.
type Fluid struct {
	Unit  *Unit
	Item  int64 // itemid; see FluidItem
	At    time.Time
	Value float64
}

// Culture is a microbiology test. Organism is empty where nothing grew.
type Culture struct {
	Specimen, Organism string
	At                 time.Time
}

// Create makes a file of a download. The file must be closed by who asked for it.
type Create func(name string) (io.WriteCloser, error)

// New makes a hospital of so many patients; at least one.
func New(seed uint64, patients int) *Hospital {
	h := &Hospital{Seed: seed}
	m := newMaker(seed)
	for i := range max(patients, 1) {
		h.People = append(h.People, m.patient(i))
	}
	return h
}

// PatientsFor is how many patients a download of so many rows wants: few for a
// handful of rows, so that it is written and built in no time, at most MaxPatients.
func PatientsFor(rows int) int { return min(max(rows/10, 24), MaxPatients) }
