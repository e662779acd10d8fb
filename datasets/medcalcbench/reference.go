package medcalcbench

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

const printAnswer = "print(answer)\n"

// Reference implements datasets.Referencer. The right program is the task's gold
// where it has one; else it states what the note gives and sets the answer. Wrong
// programs read an input wrongly or spoil the result; the answer of each has been
// through the grader, which refuses it.
func (Source) Reference(task schemas.Task) (datasets.Reference, error) {
	gold, err := goldOf(task)
	if err != nil {
		return datasets.Reference{}, fmt.Errorf("reference %s: %w", task.TaskID, err)
	}
	given := measurements(task.Context)
	ref := datasets.Reference{Right: task.Gold, Explore: explore(task, given)}
	if ref.Right == "" {
		ref.Right = setProgram(task, gold, given)
	}
	var wrong []attempt
	if task.Gold != "" {
		answer, err := evaluate(task.Gold)
		if err != nil {
			return datasets.Reference{}, fmt.Errorf("reference %s: the gold program: %w", task.TaskID, err)
		}
		if x, err := strconv.ParseFloat(answer, 64); err == nil {
			gold.number = x // the slips start from what the program computes
		}
		wrong = misreadings(task.Gold, answer)
	}
	body := strings.TrimSuffix(ref.Right, printAnswer)
	for _, s := range slips(task.AnswerType, gold) {
		wrong = append(wrong, attempt{body + s.line + "\n" + printAnswer, s.value})
	}
	for _, w := range wrong {
		reason, err := strict(task, submission(w.answer))
		if err != nil {
			return datasets.Reference{}, fmt.Errorf("reference %s: %w", task.TaskID, err)
		}
		if reason != grading.ReasonCorrect && len(ref.Wrong) < maxWrong {
			ref.Wrong = append(ref.Wrong, w.program)
		}
	}
	return ref, nil
}

// attempt is a program with the answer it gives, in the plain codec.
type attempt struct{ program, answer string }

// maxWrong is the number of wrong programs of a task. There are more slips than
// that, because not every slip is wrong for every answer.
const (
	maxWrong    = 5
	maxMisreads = 3
)

// inputLine is a line of a gold program that sets an input to a literal.
var inputLine = regexp.MustCompile(`^([a-z0-9_]+) = (True|False|"Male"|"Female"|\d[\d.]*|date\((\d+), (\d+), (\d+)\)|\(?(\d[\d.]*) [-*/] [^#"]*?)(  # .*)?$`)

// misreadings are a gold program with one of its inputs read wrongly: a unit left
// as it was, a finding or the sex turned round, day and month exchanged, a decimal
// point slipped. Those that change nothing or cannot run are left out.
func misreadings(gold, right string) []attempt {
	var out []attempt
	lines := strings.Split(gold, "\n")
	for i, line := range lines {
		m := inputLine.FindStringSubmatch(line)
		if m == nil || m[1] == "answer" || len(out) == maxMisreads {
			continue
		}
		lines[i] = m[1] + " = " + misread(m)
		program := strings.Join(lines, "\n")
		lines[i] = line
		if answer, err := evaluate(program); err == nil && answer != right {
			out = append(out, attempt{program, answer})
		}
	}
	return out
}

// misread is the wrong right-hand side for a match of inputLine.
func misread(m []string) string {
	turned := map[string]string{"True": "False", "False": "True", `"Male"`: `"Female"`, `"Female"`: `"Male"`}
	switch {
	case turned[m[2]] != "":
		return turned[m[2]]
	case m[3] != "": // a date: year, month, day
		return "date(" + m[3] + ", " + m[5] + ", " + m[4] + ")"
	case m[6] != "": // a number that is brought to another unit
		return m[6]
	case strings.Contains(m[2], "."):
		return natural(strings.Replace(m[2], ".", "", 1))
	}
	return m[2] + "0"
}

// slip is a last line that spoils the right answer, and the value it makes of it
// in the plain codec.
type slip struct{ line, value string }

// slips are those of people who leave a unit unconverted, count a point too many,
// exchange day and month or weeks and days, or hand in words.
func slips(kind schemas.AnswerType, gold goldAnswer) []slip {
	switch kind {
	case schemas.AnswerNumber:
		n := gold.number
		return []slip{
			{"answer = 10 * answer  # from dL to L", float(10 * n)},
			{"answer = 1.12 * answer", float(1.12 * n)},
			{`answer = f"{answer:.2f} in the unit asked for"`, quote(strconv.FormatFloat(n, 'f', 2, 64) + " in the unit asked for")},
			{"answer = -answer", float(-n)},
			{"answer = answer / 1000  # from m to k", float(n / 1000)},
			{"answer = answer + 1", float(n + 1)},
			{"answer = [answer]", "[" + float(n) + "]"},
		}
	case schemas.AnswerInteger:
		n := gold.integer
		return []slip{
			{"answer = answer + 1", strconv.FormatInt(n+1, 10)},
			{"answer = answer - 1", strconv.FormatInt(n-1, 10)},
			{`answer = f"{answer} points"`, quote(strconv.FormatInt(n, 10) + " points")},
			{"answer = answer + 0.5", float(float64(n) + 0.5)},
			{"answer = [answer]", "[" + strconv.FormatInt(n, 10) + "]"},
		}
	case schemas.AnswerDate:
		day := time.Date(gold.day.Year, gold.day.Month, gold.day.Day, 0, 0, 0, 0, time.UTC)
		date := func(days int) string {
			return `{"$":"date","v":` + quote(day.AddDate(0, 0, days).Format(time.DateOnly)) + `}`
		}
		return []slip{
			{"answer = date.fromordinal(answer.toordinal() + 1)", date(1)},
			{"answer = date.fromordinal(answer.toordinal() - 7)", date(-7)},
			{`answer = answer.strftime("%d/%m/%Y")`, quote(day.Format("02/01/2006"))},
			{`answer = answer.strftime("%m/%d/%y")`, quote(day.Format("01/02/06"))},
			{`answer = f"around {answer}"`, quote("around " + day.Format(time.DateOnly))},
			{"answer = [answer]", "[" + date(0) + "]"},
		}
	case schemas.AnswerDuration:
		w, d := gold.span.Weeks, gold.span.Days
		pair := func(w, d int) string { return fmt.Sprintf(`{"$":"tuple","v":[%d,%d]}`, w, d) }
		return []slip{
			{"answer = (answer[1], answer[0])", pair(d, w)},
			{"answer = (answer[0], answer[1] + 1)  # the first day counted too", pair(w, d+1)},
			{"answer = (answer[0] + 1, answer[1])", pair(w+1, d)},
			{"answer = 7 * answer[0] + answer[1]  # in days", strconv.Itoa(7*w + d)},
			{`answer = f"{answer[0]} weeks"`, quote(strconv.Itoa(w) + " weeks")},
		}
	}
	return nil
}

// float is a float in the plain codec: never without a point or an exponent.
func float(x float64) string { return strconv.FormatFloat(x, 'e', -1, 64) }

func quote(text string) string { return strconv.Quote(text) }

// measurement is a number of the note with its unit, as written.
type measurement struct{ number, unit string }

// measured reads numbers that stand before a unit of medicine. What it misses is
// missing from the reference's listing only.
var measured = regexp.MustCompile(`(\d+(?:\.\d+)?)[ -]?(years?|months?|weeks?|days?|kg/m\^?2|kg|cm|mm ?Hg|mmHg|mm|mg/dL|g/dL|g/L|[µμ]mol/L|mmol/L|mEq/L|IU/L|U/L|ng/mL|mg|[µμ]g|°C|°F|bpm|beats per minute|breaths per minute|/min|msec|%)`)

// maxMeasurements keeps the listing of a long note short.
const maxMeasurements = 24

func measurements(note string) []measurement {
	var out []measurement
	seen := map[measurement]bool{}
	for _, m := range measured.FindAllStringSubmatch(note, -1) {
		q := measurement{m[1], m[2]}
		if !seen[q] && len(out) < maxMeasurements {
			seen[q] = true
			out = append(out, q)
		}
	}
	return out
}

func listing(given []measurement) string {
	var b strings.Builder
	b.WriteString("given = [\n")
	for _, q := range given {
		fmt.Fprintf(&b, "    (%s, %q),\n", natural(q.number), q.unit)
	}
	b.WriteString("]\n")
	return b.String()
}

// natural is a numeral that Python reads: 007 is none.
func natural(text string) string {
	if trimmed := strings.TrimLeft(text, "0"); trimmed != "" && trimmed[0] != '.' {
		return trimmed
	}
	return "0" + strings.TrimLeft(text, "0")
}

func explore(task schemas.Task, given []measurement) []string {
	return []string{
		"# What the note measures\n" + listing(given) + "for value, unit in given:\n    print(value, unit)\n",
		fmt.Sprintf("calculator = %q\nprint(\"to compute:\", calculator)\n", task.Category),
	}
}

// setProgram states what the note measures and sets the answer of the source. It
// prints the answer only: the public release judges all that is printed.
func setProgram(task schemas.Task, gold goldAnswer, given []measurement) string {
	value := task.Answer
	switch task.AnswerType {
	case schemas.AnswerDate:
		value = fmt.Sprintf("date(%d, %d, %d)", gold.day.Year, int(gold.day.Month), gold.day.Day)
	case schemas.AnswerDuration:
		value = fmt.Sprintf("(%d, %d)", gold.span.Weeks, gold.span.Days)
	}
	body := "# What the note measures\n" + listing(given) + "\nanswer = " + value + "\n" + printAnswer
	return "# " + task.Category + "\n" + imports(body) + body
}
