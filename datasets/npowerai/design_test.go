package npowerai

import (
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		taskType, target, question string
		want                       params // nil: not read
	}{
		{"One-sample t-test", targetPower, "with a known mean of 120 kg in all. It expects a mean of 100.9 and a standard deviation of 7.3 kg here, one-sided. What is the power with 37 subjects at a significance level of 0.01?",
			params{"mu0": 120, "mu1": 100.9, "sd": 7.3, "n": 37, "alpha": 0.01, "sides": 1}},
		{"Paired t-test", targetSize, "It is to change by 3 kg. The standard deviation of the paired differences is 9. How many for at least 80% power?",
			params{"diff": 3, "sd": 9, "goal": 0.8, "alpha": 0.05, "sides": 2}},
		{"Paired t-test", targetSize, "It is to change by 3 kg. The standard deviation of the paired differences is 9.", nil},
		{"Paired t-test", targetPower, "It is to change by some kg. The standard deviation of the paired differences is 9. What power with 20 pairs?", nil},
		{"Cox proportional-hazards model", targetPower, "patients fail with probability 0.3 in the treated group and 0.5 in the control group, which is a hazard ratio of 0.51. What power with 100 subjects?",
			params{"pe": 0.3, "pc": 0.5, "hr": 0.51, "n": 100, "alpha": 0.05, "sides": 2}},
	} {
		d, ok := designOf(c.taskType)
		if !ok {
			t.Fatal(c.taskType)
		}
		got, ok := d.read(c.question, c.target)
		if ok != (c.want != nil) || ok && !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.question, got, ok, c.want)
		}
	}
	if _, ok := designOf("Log-rank test"); ok {
		t.Error("an unknown design is known")
	}
}

// TestSize: the size found reaches the power asked for, and one less does not.
func TestSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, d := range designs {
		found := 0
		for found < 5 {
			p, ok := d.read(inventQuestion(r, d, targetSize), targetSize)
			if !ok {
				t.Fatalf("%s: an invented question is not read", d.taskType)
			}
			n, ok := d.size(p)
			if !ok || n <= d.least {
				continue
			}
			found++
			if d.power(p, float64(n)) < p["goal"] || d.power(p, float64(n-1)) >= p["goal"] {
				t.Errorf("%s: %d is not the smallest size for %v", d.taskType, n, p)
			}
		}
	}
	d, _ := designOf("Paired t-test")
	if n, ok := d.size(params{"diff": 0, "sd": 1, "alpha": 0.05, "sides": 2, "goal": 0.8}); ok {
		t.Errorf("no effect at all needs %d pairs", n)
	}
}

// TestHugeEffect: power is 1, not NaN, and the program asks no distribution for a
// lower tail, for which scipy has none there.
func TestHugeEffect(t *testing.T) {
	p := params{"mu0": 120, "mu1": 100.95, "sd": 7.3, "n": 37, "alpha": 0.05, "sides": 2, "diff": 19.05, "sd1": 7.3, "sd2": 7.3}
	for _, d := range designs[:3] {
		if power := d.power(p, 37); math.Abs(power-1) > 1e-9 {
			t.Errorf("%s: power %v, want 1", d.taskType, power)
		}
		if program := d.source(p, targetPower); strings.Contains(program, "nct.cdf") {
			t.Errorf("%s: the program asks for a lower tail\n%s", d.taskType, program)
		}
	}
}

// FuzzRead: what is read of a question are finite numbers, of which power is a
// probability wherever the design is possible.
func FuzzRead(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, d := range designs {
		f.Add(inventQuestion(r, d, targetSize))
		f.Add(inventQuestion(r, d, targetPower))
	}
	f.Fuzz(func(t *testing.T, question string) {
		for _, d := range designs {
			for _, target := range []string{targetSize, targetPower} {
				p, ok := d.read(question, target)
				for name, x := range p {
					if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
						t.Fatalf("%s: %s is %v", d.taskType, name, x)
					}
				}
				if n := p["n"]; ok && target == targetPower && n >= float64(d.least) && n < 1e4 && p["alpha"] > 0 && p["alpha"] < 1 {
					if power := d.power(p, n); power < -1e-9 || power > 1+1e-9 {
						t.Fatalf("%s: power %v of %v", d.taskType, power, p)
					}
				}
			}
		}
	})
}
