package questions

import (
	"iter"
	"testing"

	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/datasets/hospital"
)

// BenchmarkGold runs gold SQL on a hospital of full size, by template.
func BenchmarkGold(b *testing.B) {
	h := hospital.New(1, hospital.MaxPatients)
	for _, bm := range []struct {
		name   string
		schema ehrdb.Schema
		ask    iter.Seq2[string, string] // templates and queries
	}{
		{"mimic_iii", ehrdb.MIMICIII(), single(MIMIC(h, 1, Options{}))},
		{"eicu", ehrdb.EICU(), single(EICU(h, 1, Options{}))},
		{"dialogues", ehrdb.MIMICIII(), func(yield func(string, string) bool) {
			for d := range Dialogues(h, 1) {
				for _, query := range d.SQL {
					if !yield(d.Kind, query) {
						return
					}
				}
			}
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			db := database(b, h, bm.schema)
			var kinds []string
			queries, left := map[string][]string{}, 1500
			for kind, query := range bm.ask {
				if queries[kind] == nil {
					kinds = append(kinds, kind)
				}
				queries[kind] = append(queries[kind], query)
				if left--; left == 0 {
					break
				}
			}
			for _, kind := range kinds {
				b.Run(kind, func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						if _, err := db.Query(b.Context(), queries[kind][i%len(queries[kind])]); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// single is the template and the query of each question.
func single(questions iter.Seq[EHRSQL]) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for q := range questions {
			if !yield(q.Kind, q.Query) {
				return
			}
		}
	}
}
