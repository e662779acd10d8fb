package npowerai

import (
	"math"
	"testing"
)

// The values are scipy 1.17's: ppf of the central and sf of the noncentral
// distribution, at 5 % (two-sided for Student's t).
func TestDistributions(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.IsNaN(got) || math.Abs(got-want) > 1e-7*math.Max(want, 1e-6) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	near("normal quantile", normQuantile(0.975), 1.959963984540054)
	for _, c := range []struct{ df, delta, critical, upper, lower float64 }{
		{1, 0.5, 12.706204736174694, 0.043694440428869843, 0.012401816402774532},
		{4, 2, 2.7764451051977934, 0.3358109303638076, 0.00015417354735982404},
		{36, 3.2, 2.0280940009804502, 0.8756653040052123, 1.9037633268068586e-07},
		{36, 15.87, 2.0280940009804502, 1, 0}, // where scipy's own lower tail is NaN
		{198, 1, 1.9720174778363146, 0.16732030668848794, 0.0015626605475796908},
		{9, 0, 2.262157162798205, 0.025, 0.025},
	} {
		near("Student's quantile", studentQuantile(0.975, c.df), c.critical)
		near("upper tail of t", studentPower(c.critical, c.df, c.delta), c.upper)
		near("lower tail of t", studentPower(c.critical, c.df, -c.delta), c.lower)
	}
	for _, c := range []struct{ df, lambda, critical, power float64 }{
		{4, 0, 9.487729036781154, 0.05}, {4, 3.5, 9.487729036781154, 0.28191984917485846},
		{4, 12, 9.487729036781154, 0.8024260628362555}, {4, 250, 9.487729036781154, 1},
	} {
		near("chi-square quantile", chiSquareQuantile(0.95, c.df), c.critical)
		near("power of chi-square", chiSquarePower(c.critical, c.df, c.lambda), c.power)
	}
	for _, c := range []struct{ df1, df2, lambda, critical, power float64 }{
		{3, 4, 2, 6.591382116425578, 0.10739918941000809}, {3, 36, 11.2, 2.866265550940181, 0.7631337417295705},
		{3, 400, 40, 2.627214285732791, 0.9999053086977389},
	} {
		near("F quantile", fQuantile(0.95, c.df1, c.df2), c.critical)
		near("power of F", fPower(c.critical, c.df1, c.df2, c.lambda), c.power)
	}
}
