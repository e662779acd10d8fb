package npowerai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/datasets"
)

// Synthesize implements datasets.Synthesizer: invented studies of all six
// designs, with answers computed by the textbook power of each.
func (Source) Synthesize(ctx context.Context, opts datasets.SynthOptions, create func(name string) (io.WriteCloser, error)) error {
	seen := map[string]bool{}
	for i, file := range []struct {
		name string
		rows int
	}{{trainFile, opts.Train}, {testFile, opts.Test}} {
		if file.rows == 0 && file.name == trainFile {
			continue
		}
		w, err := create(file.name)
		if err != nil {
			return err
		}
		err = writeRows(ctx, w, rand.New(rand.NewPCG(opts.Seed, uint64(i))), file.rows, seen)
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
	}
	return nil
}

// synthRow has the source's fields in the source's order.
type synthRow struct {
	TaskType string  `json:"task_type"`
	TaskID   int64   `json:"task_id"`
	Target   string  `json:"estimate_target"`
	Question string  `json:"question"`
	Answer   float64 `json:"answer"`
}

func writeRows(ctx context.Context, w io.Writer, r *rand.Rand, rows int, seen map[string]bool) error {
	for i := 0; i < rows; {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, ok := invent(r, designs[i%len(designs)])
		if !ok || seen[row.Question] {
			continue // another draw
		}
		seen[row.Question] = true
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		i++
	}
	return nil
}

// invent draws a study and computes its answer from the question's own text, as
// a reader would; false where the draw gives no useful question.
func invent(r *rand.Rand, d design) (synthRow, bool) {
	target := []string{targetSize, targetPower}[r.IntN(2)]
	row := synthRow{TaskType: d.taskType, TaskID: d.id, Target: target, Question: inventQuestion(r, d, target)}
	p, ok := d.read(row.Question, target)
	if !ok {
		return row, false
	}
	if target == targetSize {
		n, ok := d.size(p)
		row.Answer = float64(n)
		return row, ok && n > d.least && n < 20_000
	}
	row.Answer = d.power(p, p["n"])
	return row, row.Answer > 0.06 && row.Answer < 0.9999
}

// measures are what studies measure, with the range of plausible means and
// standard deviations.
var measures = []struct {
	name, unit       string
	mean, spread, sd float64
}{
	{"fasting glucose", "mg/dL", 110, 25, 18},
	{"systolic blood pressure", "mm Hg", 128, 15, 12},
	{"LDL cholesterol", "mg/dL", 125, 25, 30},
	{"body weight", "kg", 82, 12, 14},
	{"forced expiratory volume", "dL", 29, 6, 6},
	{"haemoglobin", "g/L", 132, 15, 13},
	{"serum ferritin", "ng/mL", 95, 30, 40},
	{"resting heart rate", "beats per minute", 72, 9, 10},
}

var places = []string{"A district hospital", "A university clinic", "A primary care network", "A rehabilitation centre", "A trial unit"}

func inventQuestion(r *rand.Rand, d design, target string) string {
	m := measures[r.IntN(len(measures))]
	one := func(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }
	around := func(center, spread float64) float64 { return center + spread*(2*r.Float64()-1) }
	sd, shift := around(m.sd, m.sd/4), m.sd*(0.25+0.6*r.Float64())
	sides := []string{"two-sided", "one-sided"}[r.IntN(2)]
	alpha := []string{"0.05", "0.01", "0.025"}[r.IntN(3)]
	place := places[r.IntN(len(places))]

	var text string
	counted, kind := "patients", "subjects"
	switch d.id {
	case 1:
		mu := around(m.mean, m.spread)
		text = fmt.Sprintf("%s compares the %s of its patients with a known mean of %s %s in the general population. It expects a mean of %s and a standard deviation of %s %s among its patients, and plans a %s one-sample t-test.",
			place, m.name, one(mu), m.unit, one(mu-shift), one(sd), m.unit, sides)
	case 2:
		text = fmt.Sprintf("%s compares two treatments in two groups of equal size. Their mean %s is expected to differ by %s %s at the end, with standard deviations of %s and %s. A %s two-sample t-test is planned, whose pooled variance is the mean of the two variances.",
			place, m.name, one(shift), m.unit, one(sd), one(around(m.sd, m.sd/3)), sides)
		counted, kind = "patients in each group", "subjects in each group"
	case 3:
		text = fmt.Sprintf("%s measures the %s of every patient before and after a treatment, and expects it to change by %s %s on average. The standard deviation of the paired differences is %s. A %s paired t-test is planned.",
			place, m.name, one(shift), m.unit, one(sd), sides)
		counted, kind = "pairs of measurements", "pairs"
	case 4:
		mu := around(m.mean, m.spread)
		step := func() string { return one(mu + shift*(r.Float64()-0.5)) }
		text = fmt.Sprintf("%s compares the %s of four groups of equal size, one for each of four diets. It assumes means of %s, %s, %s and %s, in %s, and a common standard deviation of %s. The groups are compared by a one-way analysis of variance.",
			place, m.name, step(), step(), step(), step(), m.unit, one(sd))
		counted, kind = "patients in each group", "subjects in each group"
	case 5:
		text = fmt.Sprintf("%s grades the severity of a symptom in five classes, in two groups of equal size. The assumed proportions of the classes in the first group are %s, those of the second %s. The groups are compared by a chi-square test of independence.",
			place, proportions(r), proportions(r))
		counted, kind = "patients in both groups together", "subjects in both groups together"
	case 6:
		hr := math.Round((0.4+0.45*r.Float64())*100) / 100
		pc := math.Round((0.3+0.4*r.Float64())*100) / 100
		pe := math.Round((1-math.Pow(1-pc, hr))*1000) / 1000
		text = fmt.Sprintf("%s compares the time to relapse in two groups of equal size. By the end of the follow-up patients fail with probability %v in the treated group and %v in the control group, which is to say a hazard ratio of %v. A two-sided log-rank test (the score test of a Cox model) is planned; use Freedman's formula.",
			place, pe, pc, hr)
		counted, kind = "patients in each group", "subjects in each group"
	}
	if target == targetSize {
		return fmt.Sprintf("%s What is the smallest number of %s that gives at least %d%% power at a significance level of %s?", text, counted, []int{80, 85, 90}[r.IntN(3)], alpha)
	}
	return fmt.Sprintf("%s What is the power with %d %s at a significance level of %s?", text, 8+r.IntN(120), kind, alpha)
}

// proportions are five that add up to one, in hundredths.
func proportions(r *rand.Rand) string {
	parts := []int{10, 10, 10, 10, 10}
	for range 50 {
		parts[r.IntN(len(parts))]++
	}
	f := func(i int) string { return strconv.FormatFloat(float64(parts[i])/100, 'f', 2, 64) }
	return fmt.Sprintf("%s, %s, %s, %s and %s", f(0), f(1), f(2), f(3), f(4))
}
