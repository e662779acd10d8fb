package grading

import (
	"math"
	"math/big"
	"testing"
)

func bigInt(n int) *big.Int { return big.NewInt(int64(n)) }

func TestNear(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		a, b, relative float64
		want           bool
	}{
		{1, 1, 0, true}, {1, 1 + 1e-6, 1e-6, true}, {1, 1 + 1.1e-6, 1e-6, false}, {1, 1 - 9.9e-7, 1e-6, true}, {1, 1 - 1.1e-6, 1e-6, false}, {0, 0, 0, true}, {0, math.Copysign(0, -1), 0, true},
		{0, 1e-300, 1e-6, false}, {0, 5e-324, .5, false}, {5e-324, 5e-324, 0, true}, {1e308, -1e308, 1e-6, false}, {math.MaxFloat64, math.MaxFloat64 * (1 - 1e-7), 1e-6, true},
		{nan, nan, 1, false}, {nan, 0, 1, false}, {inf, inf, 1, false}, {inf, math.MaxFloat64, 1, false}, {-1, 1, 1e-6, false},
	} {
		if Near(test.a, test.b, test.relative) != test.want || Near(test.b, test.a, test.relative) != test.want {
			t.Errorf("%v and %v to %v: not %v", test.a, test.b, test.relative, test.want)
		}
	}
}

func TestWithin(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, test := range []struct {
		x, lower, upper float64
		want            bool
	}{
		{5, 4.75, 5.25, true}, {4.75, 4.75, 5.25, true}, {5.25, 4.75, 5.25, true}, {5.2500001, 4.75, 5.25, false}, {4.7499999, 4.75, 5.25, false}, {0.1 + 0.2, 0.3, 0.3, true},
		{1e9 + .9, 1e9, 1e9, true}, {1e9 + 1.1, 1e9, 1e9, false}, {-5, -5.25, -4.75, true}, {5, 5.25, 4.75, false}, {0, 0, 0, true}, {1e-8, 0, 0, false}, {-1e-8, 0, 0, false},
		{nan, 0, 1, false}, {inf, 0, inf, false}, {-inf, -inf, 0, false}, {5, nan, 6, false}, {5, 4, nan, false}, {5, -inf, inf, true}, {5, inf, inf, false},
	} {
		if Within(test.x, test.lower, test.upper) != test.want {
			t.Errorf("%v in [%v, %v]: not %v", test.x, test.lower, test.upper, test.want)
		}
	}
}
