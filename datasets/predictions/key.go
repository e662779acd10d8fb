// Package predictions is what the sources of machine learning share: labels of test
// rows that stay outside the sandbox, the list of rows that goes in without them, and
// the judgement of predictions. docs/decisions/0011-predictions.md says why it is so.
package predictions

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

// Key is what a grader knows of a task: the label of every test row.
type Key struct {
	Classes  []string // the labels that occur, in their canonical form: 0, 1, 8192, text
	Labels   []int    // of each row, by its number in Classes
	Subjects []int    // the patient of each row, numbered as they first come
	Baseline Baseline // published; nil for none
}

// boolean says whether labels are truth values: all are 0 or 1.
func (k Key) boolean() bool {
	return !slices.ContainsFunc(k.Classes, func(class string) bool { return class != "0" && class != "1" })
}

// Baseline is how a published model fared, by the release's names of measures.
type Baseline map[string]float64

// The measures of a Baseline that are read.
const (
	BaselineAccuracy = "ACC"
	BaselineF1       = "F1" // of label 1 where there are two labels, else the mean over labels
)

// keyJSON is a Key in Task.Answer. Labels are written in as few letters each as the
// number of classes needs, subjects as runs of rows: "3 1 2@0" is three rows of a
// patient, one of another, two more of the first. So 100,000 rows take some 100 KB,
// nearly all of which compresses away.
type keyJSON struct {
	Rows     int      `json:"rows"`
	Classes  []string `json:"classes"`
	Labels   string   `json:"labels"`
	Subjects string   `json:"subjects"`
	Baseline Baseline `json:"baseline,omitempty"`
}

// digits are the letters of labels.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// width is the number of letters that each of n classes needs.
func width(n int) int {
	letters := 1
	for most := len(digits); most < n; most *= len(digits) {
		letters++
	}
	return letters
}

// Encode is the canonical JSON of Task.Answer.
func (k Key) Encode() (string, error) {
	letters := width(len(k.Classes))
	labels := make([]byte, letters*len(k.Labels))
	for row, label := range k.Labels {
		for at := letters*(row+1) - 1; at >= letters*row; at-- {
			labels[at] = digits[label%len(digits)]
			label /= len(digits)
		}
	}
	return datasets.Canonical(keyJSON{len(k.Labels), k.Classes, string(labels), runs(k.Subjects), k.Baseline})
}

// runs writes subjects by runs of equal ones.
func runs(subjects []int) string {
	var b strings.Builder
	seen := 0
	for from := 0; from < len(subjects); {
		to := from + 1
		for to < len(subjects) && subjects[to] == subjects[from] {
			to++
		}
		if from > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(to - from))
		if subjects[from] < seen {
			b.WriteString("@" + strconv.Itoa(subjects[from]))
		}
		seen = max(seen, subjects[from]+1)
		from = to
	}
	return b.String()
}

// Decode reads the Key of a task.
func Decode(task schemas.Task) (Key, error) {
	k, err := decode(task.Answer)
	if err != nil {
		return Key{}, fmt.Errorf("task %s: the answer holds no labels of this kind: %w", task.TaskID, err)
	}
	return k, nil
}

func decode(text string) (Key, error) {
	var raw keyJSON
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return Key{}, errors.New("not JSON of labels") // the cause may quote them
	}
	k := Key{Classes: raw.Classes, Baseline: raw.Baseline}
	letters := width(len(k.Classes))
	if len(k.Classes) == 0 || raw.Rows <= 0 || len(raw.Labels) != letters*raw.Rows {
		return Key{}, errors.New("the labels are not as many as the rows")
	}
	for row := range raw.Rows {
		label := 0
		for _, c := range []byte(raw.Labels[letters*row : letters*(row+1)]) {
			label = label*len(digits) + strings.IndexByte(digits, c)
		}
		if label < 0 || label >= len(k.Classes) {
			return Key{}, errors.New("a label is of no class")
		}
		k.Labels = append(k.Labels, label)
	}
	var err error
	k.Subjects, err = readRuns(raw.Subjects, raw.Rows)
	return k, err
}

func readRuns(text string, rows int) ([]int, error) {
	subjects := make([]int, 0, rows)
	seen := 0
	for run := range strings.FieldsSeq(text) {
		count, at, again := strings.Cut(run, "@")
		n, err := strconv.Atoi(count)
		subject := seen
		if again && err == nil {
			subject, err = strconv.Atoi(at)
		}
		if err != nil || n <= 0 || n > rows-len(subjects) || subject < 0 || subject > seen || again && subject == seen {
			return nil, errors.New("the patients are not as many as the rows")
		}
		for range n {
			subjects = append(subjects, subject)
		}
		seen = max(seen, subject+1)
	}
	if len(subjects) != rows {
		return nil, errors.New("the patients are not as many as the rows")
	}
	return subjects, nil
}

// newKey numbers labels in their order: integers by value, then text.
func newKey(labels, subjects []string) Key {
	k := Key{Labels: make([]int, len(labels)), Subjects: make([]int, len(labels))}
	classes := map[string]int{}
	for _, label := range labels {
		classes[label] = 0
	}
	k.Classes = slices.SortedFunc(maps.Keys(classes), compareLabels)
	for i, class := range k.Classes {
		classes[class] = i
	}
	patients := map[string]int{}
	for row, label := range labels {
		k.Labels[row] = classes[label]
		patient, ok := patients[subjects[row]]
		if !ok {
			patient = len(patients)
			patients[subjects[row]] = patient
		}
		k.Subjects[row] = patient
	}
	return k
}

func compareLabels(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	switch {
	case errX == nil && errY == nil && x != y:
		if x < y {
			return -1
		}
		return 1
	case (errX == nil) != (errY == nil):
		if errX == nil {
			return -1
		}
		return 1
	}
	return strings.Compare(a, b)
}
