package npowerai

import "math"

// The distributions that power analysis needs. Noncentral chi-square and F are
// Poisson mixtures of central ones; noncentral t is integrated over the
// distribution of the standard deviation. Relative errors are below 1e-7 where a
// power is above 1e-6.

func normCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

func normQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// studentPower is P(T > t) for a noncentral t of df degrees of freedom and
// noncentrality delta: the mean of Φ(delta - t s) over s, where df s² is
// chi-square with df degrees of freedom. Simpson's rule.
func studentPower(t, df, delta float64) float64 {
	width := 10 / math.Sqrt(2*df)
	low, high := math.Max(0, 1-width), 1+width
	lgamma, _ := math.Lgamma(df / 2)
	density := func(s float64) float64 {
		if s == 0 {
			if df == 1 {
				return math.Sqrt(2 / math.Pi)
			}
			return 0
		}
		return math.Exp(math.Ln2 + df/2*math.Log(df/2) - lgamma + (df-1)*math.Log(s) - df*s*s/2)
	}
	const steps = 2000
	h := (high - low) / steps
	var sum float64
	for i := 0; i <= steps; i++ {
		weight := 2.0
		switch {
		case i == 0 || i == steps:
			weight = 1
		case i%2 == 1:
			weight = 4
		}
		s := low + float64(i)*h
		sum += weight * density(s) * normCDF(delta-t*s)
	}
	return math.Min(sum*h/3, 1)
}

// studentQuantile is the t of which P(T <= t) = p, for p above 1/2.
func studentQuantile(p, df float64) float64 {
	return solveRising(func(t float64) float64 { return 1 - betaRegular(df/(df+t*t), df/2, 0.5)/2 }, p)
}

func chiSquareQuantile(p, df float64) float64 {
	return solveRising(func(x float64) float64 { return gammaRegular(df/2, x/2) }, p)
}

func fQuantile(p, df1, df2 float64) float64 {
	return solveRising(func(x float64) float64 { return betaRegular(df1*x/(df1*x+df2), df1/2, df2/2) }, p)
}

// solveRising finds the x above 0 at which a rising function reaches target.
func solveRising(f func(float64) float64, target float64) float64 {
	low, high := 0.0, 1.0
	for f(high) < target && high < 1e12 {
		high *= 2
	}
	for range 200 {
		mid := (low + high) / 2
		if f(mid) < target {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// chiSquarePower is P(X > x) for a noncentral chi-square.
func chiSquarePower(x, df, lambda float64) float64 {
	return poissonMixture(lambda/2, func(j float64) float64 { return 1 - gammaRegular(df/2+j, x/2) })
}

// fPower is P(X > x) for a noncentral F.
func fPower(x, df1, df2, lambda float64) float64 {
	u := df1 * x / (df1*x + df2)
	return poissonMixture(lambda/2, func(j float64) float64 { return 1 - betaRegular(u, df1/2+j, df2/2) })
}

// poissonMixture is the mean of term over a Poisson variable, summed over the 40
// standard deviations around its mean that hold all the weight a float64 sees. A
// very large mean, at which every power is 1, is taken as if it were a constant.
func poissonMixture(mean float64, term func(j float64) float64) float64 {
	if mean == 0 || !(mean < 1e6) {
		return term(mean)
	}
	reach := 20*math.Sqrt(mean) + 40
	var sum float64
	for j := math.Floor(math.Max(0, mean-reach)); j <= mean+reach; j++ {
		lgamma, _ := math.Lgamma(j + 1)
		if weight := math.Exp(j*math.Log(mean) - mean - lgamma); weight > 0 {
			sum += weight * term(j)
		}
	}
	return math.Min(sum, 1)
}

// gammaRegular is the regularized lower incomplete gamma function P(a, x): its
// series below a+1, the continued fraction of its complement above
// (Abramowitz and Stegun 6.5.29, 6.5.31).
func gammaRegular(a, x float64) float64 {
	if x <= 0 {
		return 0
	}
	lgamma, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(x) - x - lgamma)
	if x < a+1 {
		term, sum := 1/a, 1/a
		for n := a + 1; term > sum*1e-17; n++ {
			term *= x / n
			sum += term
		}
		return front * sum
	}
	upper := continued(func(i float64) (num, den float64) {
		if i == 0 {
			return 1, x + 1 - a
		}
		return -i * (i - a), x + 2*i + 1 - a
	})
	return 1 - front*upper
}

// betaRegular is the regularized incomplete beta function I_x(a, b), by its
// continued fraction (Abramowitz and Stegun 26.5.8).
func betaRegular(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - betaRegular(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(a*math.Log(x)+b*math.Log1p(-x)+lab-la-lb) / a
	return front * continued(func(i float64) (num, den float64) {
		m := math.Floor(i / 2)
		switch {
		case i == 0:
			return 1, 1
		case math.Mod(i, 2) == 0:
			return m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), 1
		default:
			return -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)), 1
		}
	})
}

// continued evaluates num0/(den0 + num1/(den1 + ...)) from the front, by Lentz's
// method.
func continued(part func(i float64) (num, den float64)) float64 {
	const tiny = 1e-300
	nonzero := func(x float64) float64 {
		if math.Abs(x) < tiny {
			return tiny
		}
		return x
	}
	value, c, d := tiny, tiny, 0.0
	for i := 0.0; i < 100_000; i++ {
		num, den := part(i)
		d = 1 / nonzero(den+num*d)
		c = nonzero(den + num/c)
		delta := c * d
		value *= delta
		if math.Abs(delta-1) < 1e-16 {
			break
		}
	}
	return value
}
