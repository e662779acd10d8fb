package mimicextract

import (
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/predictions"
	"github.com/medgym-data/medgym-data/schemas"
)

// fixtures are invented: the pickles are those of an empty dict, for nothing here
// loads them. The labels of vasopressor lack their column, mort_hosp has no files.
func fixtures() datasettest.Fixtures {
	files := map[string]string{}
	for _, split := range splits {
		files["stays/X_lab_"+split+".pkl"] = "empty.pkl"
		files["windows/X_lab_"+split+".pkl"] = "empty.pkl"
		files["windows/X_static_"+split+".pkl"] = "empty.pkl"
		for folder, names := range map[string][]string{"stays": {"mort_icu", "los_7"}, "windows": {"ventilation", "vasopressor"}} {
			for _, name := range names {
				files[folder+"/"+split+"_"+name+"_labels.csv"] = name + ".csv"
			}
		}
	}
	return datasettest.Fixtures{
		Files: files,
		// A row holds no label, but what there is to reach. TestLabelsStayOutside is
		// about the files that hold labels.
		AnswerFields: []string{"performance"},
		Right:        rightForms,
		Synth:        datasets.SynthOptions{Train: 12, Test: 6},
		SynthSplits:  datasets.Counts{Train: 3, Test: 3},
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
