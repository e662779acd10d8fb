package questions

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// TestCapacity counts how many distinct questions a hospital of a twentieth of
// the papers' sizes has: twice what the source needs.
func TestCapacity(t *testing.T) {
	for _, tt := range []struct {
		name string
		rows int
		ask  func(h *hospital.Hospital, want int) int
	}{
		{"mimic_iii", 10440, func(h *hospital.Hospital, want int) int {
			n := 0
			for range MIMIC(h, 1, Options{}) {
				if n++; n == want {
					break
				}
			}
			return n
		}},
		{"eicu", 6824, func(h *hospital.Hospital, want int) int {
			n := 0
			for range EICU(h, 1, Options{}) {
				if n++; n == want {
					break
				}
			}
			return n
		}},
		{"treqs", 9984, func(h *hospital.Hospital, want int) int {
			n := 0
			for range MIMICSQL(h, 1) {
				if n++; n == want {
					break
				}
			}
			return n
		}},
		{"ehr_seqsql", 26863, func(h *hospital.Hospital, want int) int {
			n := 0
			for d := range Dialogues(h, 1) {
				if n += len(d.SQL); n >= want {
					break
				}
			}
			return n
		}},
		{"ehrcon", 4205, func(h *hospital.Hospital, _ int) int { return len(h.Chart(hospital.NoteOptions{Wrong: 0.3}).Entities) }},
	} {
		rows := tt.rows / 20
		patients := hospital.PatientsFor(rows)
		if n := tt.ask(hospital.New(1, patients), 2*rows); n < 2*rows {
			t.Errorf("%s: %d distinct questions of %d patients, want %d", tt.name, n, patients, 2*rows)
		}
	}
}
