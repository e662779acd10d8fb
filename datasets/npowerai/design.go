package npowerai

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// params are the numbers of a question, by name.
type params map[string]float64

// design is one of the six study designs. Power is its textbook power at n
// subjects: a group for the two-sample, ANOVA and Cox designs, pairs for the
// paired one, all subjects for chi-square. A two-sided test counts both tails.
type design struct {
	taskType string
	id       int64 // task_id of the source
	least    int   // the smallest n at which there is a test
	forms    []*regexp.Regexp
	power    func(p params, n float64) float64
	program  string // the same in Python, a function power(n)
}

// The patterns read the parameters, by the wording around them, of the source's
// questions and of the synthetic ones. A question that no pattern reads has no
// computed gold, which is all that depends on them.
var designs = []design{
	{
		taskType: "One-sample t-test", id: 1, least: 2,
		forms: compile(
			`general is (?P<mu0>N)\..*sample to be (?P<mu1>N) with a standard deviation of (?P<sd>N)\.`,
			`known mean of (?P<mu0>N) .* mean of (?P<mu1>N) and a standard deviation of (?P<sd>N) `,
		),
		power: func(p params, n float64) float64 {
			return studentTails(p, n-1, math.Abs(p["mu1"]-p["mu0"])/p["sd"]*math.Sqrt(n))
		},
		program: `def power(n):
    df = n - 1
    noncentrality = abs(mu1 - mu0) / sd * math.sqrt(n)
` + tails,
	},
	{
		taskType: "Two independent samples t-test", id: 2, least: 2,
		forms: compile(
			`group will be (?P<diff>N) .*diet A to be (?P<sd1>N) and .* diet B to be (?P<sd2>N)\.`,
			`differ by (?P<diff>N) .* standard deviations of (?P<sd1>N) and (?P<sd2>N)\.`,
		),
		power: func(p params, n float64) float64 {
			pooled := math.Sqrt((p["sd1"]*p["sd1"] + p["sd2"]*p["sd2"]) / 2)
			return studentTails(p, 2*n-2, p["diff"]/pooled*math.Sqrt(n/2))
		},
		program: `def power(n):
    df = 2 * n - 2
    pooled = math.sqrt((sd1 ** 2 + sd2 ** 2) / 2)
    noncentrality = diff / pooled * math.sqrt(n / 2)
` + tails,
	},
	{
		taskType: "Paired t-test", id: 3, least: 2,
		forms: compile(
			`cholesterol levels (?P<diff>N) units with a standard deviation of (?P<sd>N)\.`,
			`change by (?P<diff>N) .* differences is (?P<sd>N)\.`,
		),
		power: func(p params, n float64) float64 {
			return studentTails(p, n-1, p["diff"]/p["sd"]*math.Sqrt(n))
		},
		program: `def power(n):
    df = n - 1
    noncentrality = diff / sd * math.sqrt(n)
` + tails,
	},
	{
		taskType: "One-way ANOVA", id: 4, least: 2,
		forms: compile(
			`each group will be (?P<m1>N), (?P<m2>N), (?P<m3>N), and (?P<m4>N), .*national value of (?P<sd>N)\.`,
			`means of (?P<m1>N), (?P<m2>N), (?P<m3>N) and (?P<m4>N), .* common standard deviation of (?P<sd>N)\.`,
		),
		power: func(p params, n float64) float64 {
			means := []float64{p["m1"], p["m2"], p["m3"], p["m4"]}
			k, grand := float64(len(means)), 0.0
			for _, m := range means {
				grand += m / k
			}
			var squares float64
			for _, m := range means {
				squares += (m - grand) * (m - grand)
			}
			df2 := k * (n - 1)
			return fPower(fQuantile(1-p["alpha"], k-1, df2), k-1, df2, n*squares/(p["sd"]*p["sd"]))
		},
		program: `means = [m1, m2, m3, m4]


def power(n):
    k = len(means)
    grand = sum(means) / k
    noncentrality = n * sum((m - grand) ** 2 for m in means) / sd ** 2
    critical = stats.f.ppf(1 - alpha, k - 1, k * (n - 1))
    return stats.ncf.sf(critical, k - 1, k * (n - 1), noncentrality)
`,
	},
	{
		taskType: "Chi-square test of independence", id: 5, least: 2,
		forms: compile(
			`severity group will be (?P<a1>N), (?P<a2>N), (?P<a3>N), (?P<a4>N), and (?P<a5>N) in females, and will be (?P<b1>N), (?P<b2>N), (?P<b3>N), (?P<b4>N), and (?P<b5>N) in males`,
			`first group are (?P<a1>N), (?P<a2>N), (?P<a3>N), (?P<a4>N) and (?P<a5>N), those of the second (?P<b1>N), (?P<b2>N), (?P<b3>N), (?P<b4>N) and (?P<b5>N)\.`,
		),
		power: func(p params, n float64) float64 {
			var w2, total float64
			for i := 1; i <= 5; i++ {
				total += p[fmt.Sprint("a", i)] + p[fmt.Sprint("b", i)]
			}
			for i := 1; i <= 5; i++ {
				a, b := p[fmt.Sprint("a", i)]/total, p[fmt.Sprint("b", i)]/total
				w2 += (a - b) * (a - b) / (a + b)
			}
			return chiSquarePower(chiSquareQuantile(1-p["alpha"], 4), 4, n*w2)
		},
		program: `first = [a1, a2, a3, a4, a5]
second = [b1, b2, b3, b4, b5]


def power(n):
    # Cell proportions over both groups, half of the subjects in each.
    total = sum(first) + sum(second)
    w2 = sum((a - b) ** 2 / (a + b) / total for a, b in zip(first, second))
    df = len(first) - 1
    return stats.ncx2.sf(stats.chi2.ppf(1 - alpha, df), df, n * w2)
`,
	},
	{
		taskType: "Cox proportional-hazards model", id: 6, least: 1,
		forms: compile(
			`groups E and C are (?P<pe>N) and (?P<pc>N), respectively\. .* assumed to be (?P<hr>N)\.`,
			`fail with probability (?P<pe>N) in the treated group and (?P<pc>N) in the control group, .* hazard ratio of (?P<hr>N)\.`,
		),
		// Freedman 1982: the events of both groups carry the information.
		power: func(p params, n float64) float64 {
			shift := math.Sqrt(n*(p["pe"]+p["pc"])) * math.Abs(p["hr"]-1) / (p["hr"] + 1)
			return normCDF(shift - normQuantile(1-p["alpha"]/2))
		},
		program: `def power(n):
    shift = math.sqrt(n * (pe + pc)) * abs(hr - 1) / (hr + 1)
    return stats.norm.cdf(shift - stats.norm.ppf(1 - alpha / 2))
`,
	},
}

// tails is the end of the Python of the t-test designs. The lower tail is asked
// for as the upper one of the mirrored distribution: scipy 1.17 gives NaN for the
// lower one where its noncentrality is large.
const tails = `    critical = stats.t.ppf(1 - alpha / sides, df)
    result = stats.nct.sf(critical, df, noncentrality)
    if sides == 2:
        result += stats.nct.sf(critical, df, -noncentrality)
    return result
`

func studentTails(p params, df, delta float64) float64 {
	critical := studentQuantile(1-p["alpha"]/p["sides"], df)
	power := studentPower(critical, df, delta)
	if p["sides"] == 2 {
		power += 1 - studentPower(-critical, df, delta)
	}
	return power
}

// What all designs have in common.
var (
	alphaForm = regexp.MustCompile(`(?i)significance level of (?P<alpha>\d*\.\d+)`)
	goalForm  = regexp.MustCompile(`(?P<goal>\d+)% (?:of )?power|power of (?P<goal2>\d+)%`)
	sizeForm  = regexp.MustCompile(`recruited (?P<n>\d+) participants|has (?P<n2>\d+) patients|sample of (?P<n3>\d+) |group of (?P<n4>\d+) students|having (?P<n5>\d+) person|with (?P<n6>\d+) (?:subjects|pairs)`)
)

func compile(forms ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(forms))
	for i, form := range forms {
		out[i] = regexp.MustCompile(`(?s)` + strings.ReplaceAll(form, "N)", `\d+(?:\.\d+)?)`))
	}
	return out
}

func designOf(taskType string) (design, bool) {
	i := slices.IndexFunc(designs, func(d design) bool { return d.taskType == taskType })
	if i < 0 {
		return design{}, false
	}
	return designs[i], true
}

// read finds the parameters of a question; false where one is not found.
func (d design) read(question, target string) (params, bool) {
	p := params{"alpha": 0.05, "sides": 2} // where nothing is said, as the source does
	found := false
	for _, form := range d.forms {
		if p.match(form, question) {
			found = true
			break
		}
	}
	if !found {
		return nil, false
	}
	p.match(alphaForm, question)
	if strings.Contains(question, "one-sided") {
		p["sides"] = 1
	}
	if target == targetSize {
		return p, p.match(goalForm, question)
	}
	return p, p.match(sizeForm, question)
}

// match adds the named groups; a digit at the end tells alternatives apart where
// the name without it is goal or n.
func (p params) match(form *regexp.Regexp, text string) bool {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	for i, name := range form.SubexpNames() {
		if name == "" || m[i] == "" {
			continue
		}
		if base := strings.TrimRight(name, "0123456789"); base == "goal" || base == "n" {
			name = base
		}
		f, err := strconv.ParseFloat(m[i], 64)
		if err != nil {
			return false
		}
		p[name] = f
	}
	if goal, ok := p["goal"]; ok && goal > 1 {
		p["goal"] = goal / 100
	}
	return true
}

// maxSize bounds the search for a sample size.
const maxSize = 1 << 24

// size is the smallest n that reaches the power asked for; false beyond maxSize.
func (d design) size(p params) (int, bool) {
	low, high := d.least, d.least
	for d.power(p, float64(high)) < p["goal"] {
		if high > maxSize {
			return 0, false
		}
		low, high = high+1, high*2
	}
	for low < high {
		mid := (low + high) / 2
		if d.power(p, float64(mid)) < p["goal"] {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, true
}

// source is a Python program that computes the answer from the parameters.
func (d design) source(p params, target string) string {
	var b strings.Builder
	b.WriteString("import math\n\nfrom scipy import stats\n\n")
	for _, name := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s = %s\n", name, strconv.FormatFloat(p[name], 'f', -1, 64))
	}
	b.WriteString("\n\n" + d.program + "\n\n")
	if target == targetPower {
		b.WriteString("answer = float(power(n))\nprint(answer)\n")
		return b.String()
	}
	fmt.Fprintf(&b, `low = high = %d
while power(high) < goal:
    low, high = high + 1, high * 2
while low < high:
    middle = (low + high) // 2
    if power(middle) < goal:
        low = middle + 1
    else:
        high = middle
answer = low
print(answer)
`, d.least)
	return b.String()
}
