package npowerai

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/schemas"
)

const printAnswer = "print(answer)\n"

// Reference implements datasets.Referencer. The right program computes the answer
// where the textbook calculation gives it, and else sets it.
func (Source) Reference(task schemas.Task) (datasets.Reference, error) {
	gold, err := goldOf(task)
	if err != nil {
		return datasets.Reference{}, fmt.Errorf("reference %s: %w", task.TaskID, err)
	}
	target := targetPower
	if task.AnswerType == schemas.AnswerInteger {
		target = targetSize
	}
	var given params
	d, known := designOf(task.Category)
	if known {
		given, known = d.read(task.Question, target)
	}
	ref := datasets.Reference{Right: task.Gold}
	if ref.Right == "" {
		ref.Right = setProgram(task, given)
	}
	body := strings.TrimSuffix(ref.Right, printAnswer)
	for _, slip := range slips(target, gold) {
		ref.Wrong = append(ref.Wrong, body+slip+"\n"+printAnswer)
	}
	ref.Explore = []string{
		"import scipy\nimport statsmodels\n\nprint(scipy.__version__, statsmodels.__version__)\n",
		"from scipy import stats\n\nfor alpha in (0.05, 0.01):\n    print(alpha, stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(1 - alpha))\n",
	}
	if known {
		ref.Explore = append(ref.Explore, "given = {\n"+listing(given)+"}\nfor name, value in given.items():\n    print(name, value)\n")
	}
	return ref, nil
}

func listing(p params) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "    %q: %s,\n", name, strconv.FormatFloat(p[name], 'f', -1, 64))
	}
	return b.String()
}

// setProgram sets the answer that the source gives. It prints the answer only:
// the public release judges all that is printed.
func setProgram(task schemas.Task, given params) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: the values that the question states\n", task.Category)
	b.WriteString("given = {\n" + listing(given) + "}\n\n")
	b.WriteString("answer = " + task.Answer + "\n" + printAnswer)
	return b.String()
}

// slips are last lines that turn the right answer into a wrong one: those of
// people who count both groups, report beta or per cent, or round too far.
func slips(target string, gold float64) []string {
	if target == targetSize {
		return []string{
			"answer = 2 * answer  # both groups",
			"answer = answer - 1",
			"answer = answer + 0.5",
			`answer = f"{answer} participants"`,
			"answer = [answer]",
		}
	}
	out := []string{
		"answer = 100 * answer  # in per cent",
		"answer = 0.95 * answer",
		`answer = f"power: {answer}"`,
		`answer = {"power": answer}`,
	}
	if !nearPower(1-gold, gold) {
		out = append(out, "answer = 1 - answer")
	}
	return out
}
