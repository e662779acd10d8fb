package ehrshot

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/predictions"
	"github.com/medgym-data/medgym-data/schemas"
)

// fixtures are invented: the pickles are those of an empty dict, for nothing here
// loads them. new_lupus has no labels.
func fixtures() datasettest.Fixtures {
	files := map[string]string{}
	for _, split := range splits {
		files["clmbr_"+split+".pkl"] = "empty.pkl"
		for _, name := range []string{"guo_los", "lab_anemia", "one_label", "no_values"} {
			files[name+"/"+split+"_labels.csv"] = "labels.csv"
		}
	}
	files["guo_los/test_labels.csv"] = "los_labels.csv"
	files["lab_anemia/test_labels.csv"] = "anemia_labels.csv"
	files["one_label/test_labels.csv"] = "one_labels.csv"
	files["no_values/test_labels.csv"] = "no_values.csv"
	return datasettest.Fixtures{
		Files: files,
		// A row holds no label. TestLabelsStayOutside is about the files that do.
		AnswerFields: []string{"task_id"},
		Right:        rightForms,
		Synth:        datasets.SynthOptions{Train: 15, Test: 4},
		SynthSplits:  datasets.Counts{Train: 15, Test: 15},
	}
}

func TestSuite(t *testing.T) { datasettest.Run(t, New(), fixtures()) }

// rightForms are the labels themselves.
func rightForms(task schemas.Task) []string {
	key, err := predictions.Decode(task)
	if err != nil {
		return nil
	}
	var classes []string
	for _, label := range key.Labels {
		classes = append(classes, key.Classes[label])
	}
	return datasettest.Predictions(classes)
}
