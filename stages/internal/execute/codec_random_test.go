package execute_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/datasettest"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/stages/internal/execute"
	"github.com/medgym-data/medgym-data/stages/internal/runtest"
)

// draw makes random values in the plain codec. With exact, only those that
// grading.Print writes to the letter.
type draw struct {
	*rand.Rand
	exact bool
}

func (d draw) text() string {
	runes := make([]rune, d.IntN(6))
	for i := range runes {
		switch d.IntN(4) {
		case 0:
			runes[i] = rune(d.IntN(0x100))
		case 1:
			runes[i] = []rune("'\"\\\n\t\r\x00\x7f\u00a0\u00ad\u200b\u2028\ufeff\U0001f600\U000e0001\u0378\ue000")[d.IntN(17)]
		default:
			runes[i] = rune('a' + d.IntN(26))
		}
	}
	data, err := json.Marshal(string(runes))
	if err != nil {
		panic(err)
	}
	return string(data)
}

func (d draw) float() string {
	f := math.Float64frombits(d.Uint64())
	switch d.IntN(4) {
	case 0:
		f = float64(d.IntN(2000)-1000) / 8
	case 1:
		f = d.NormFloat64() * math.Pow10(d.IntN(40)-20)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) || d.IntN(10) == 0 {
		return `{"$":"float","v":"` + []string{"nan", "inf", "-inf"}[d.IntN(3)] + `"}`
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

func (d draw) scalar() string {
	switch d.IntN(10) {
	case 0:
		return "null"
	case 1:
		return strconv.FormatBool(d.IntN(2) == 0)
	case 2:
		return strconv.Itoa(d.IntN(100) - 50)
	case 3:
		return fmt.Sprintf(`{"$":"int","v":"-%d%018d"}`, d.IntN(9)+1, d.Int64N(1e18))
	case 4, 5:
		return d.float()
	case 6:
		data := make([]byte, d.IntN(5))
		for i := range data {
			data[i] = byte(d.Uint32())
		}
		return `{"$":"bytes","v":"` + base64.StdEncoding.EncodeToString(data) + `"}`
	case 7:
		return fmt.Sprintf(`{"$":"decimal","v":"%d.%d"}`, d.IntN(100), d.IntN(100))
	}
	return d.text()
}

func (d draw) list(depth int) string {
	items := make([]string, d.IntN(4))
	for i := range items {
		items[i] = d.value(depth + 1)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (d draw) value(depth int) string {
	if depth > 4 {
		return d.scalar()
	}
	kinds := 12
	if d.exact {
		kinds = 6
	}
	switch n := 2 + d.IntN(3); d.IntN(kinds) {
	case 0:
		return d.list(depth)
	case 1:
		return `{"$":"tuple","v":` + d.list(depth) + "}"
	case 2:
		var pairs []string
		for i := range n {
			key := []string{strconv.Itoa(i + 2), `"k` + strconv.Itoa(i) + `"`, strconv.Itoa(i) + ".25", `{"$":"tuple","v":[` + strconv.Itoa(i) + "," + d.text() + "]}"}[d.IntN(4)]
			pairs = append(pairs, "["+key+","+d.value(depth+1)+"]")
		}
		return `{"$":"dict","v":[` + strings.Join(pairs, ",") + "]}"
	case 6:
		return `{"$":"set","v":[` + strconv.Itoa(d.IntN(5)) + `,"a",{"$":"set","v":[` + strconv.Itoa(d.IntN(5)) + `]}]}`
	case 7:
		return fmt.Sprintf(`{"$":"datetime","v":"20%02d-0%d-1%dT0%d:00:00%s"}`, d.IntN(100), d.IntN(9)+1, d.IntN(10), d.IntN(10), []string{"", "+00:00", "-05:30", ".000001"}[d.IntN(4)])
	case 8:
		return []string{`{"$":"nat"}`, `{"$":"date","v":"1999-12-31"}`, `{"$":"time","v":"23:59:59"}`, `{"$":"timedelta","v":` + strconv.Itoa(d.IntN(1e6)) + ".5}", `{"$":"complex","v":[` + d.float() + "," + d.float() + "]}"}[d.IntN(5)]
	case 9, 10:
		cells, index := make([]string, n), make([]string, n)
		for i := range n {
			cells[i], index[i] = d.value(depth+1), strconv.Itoa(d.IntN(3))
		}
		v := "[" + strings.Join(cells, ",") + "]"
		labels := `{"$":"index","dtype":"int64","name":null,"v":[` + strings.Join(index, ",") + "]}"
		return []string{
			fmt.Sprintf(`{"$":"ndarray","dtype":"object","shape":[1,%d],"v":%s}`, n, v),
			`{"$":"series","dtype":"object","name":` + d.text() + `,"index":` + labels + `,"v":` + v + "}",
			`{"$":"frame","columns":{"$":"index","dtype":"object","name":null,"v":["a"]},"index":` + labels + `,"dtypes":["object"],"v":[` + v + "]}",
		}[d.IntN(3)]
	}
	return d.scalar()
}

// TestRandomCodec sends random values through Python and back, and prints them on
// both sides.
func TestRandomCodec(t *testing.T) {
	run := execute.Runner(runtest.Python(t))
	for _, exact := range []bool{true, false} {
		d := draw{rand.New(rand.NewPCG(1, 2)), exact}
		values := make([]string, 3000)
		for i := range values {
			values[i] = d.value(0)
		}
		out, err := run.Run(t.Context(), datasets.Program{
			Code:    "answer = values\nimport pandas\nprints = [str(v) if exact else '' for v in values]",
			Inject:  map[string]datasets.RawValue{"values": datasets.RawValue("[" + strings.Join(values, ",") + "]"), "exact": datasets.RawValue(strconv.FormatBool(exact))},
			Capture: []datasets.Capture{{Name: "prints"}},
		})
		if err != nil || out.Status != "ok" {
			t.Fatalf("%v %s %s", err, out.Status, out.Stderr)
		}
		answer, err := grading.Parse(out.Answer)
		prints, errPrints := grading.Parse(out.Captured["prints"])
		if err != nil || errPrints != nil || len(answer.Items) != len(values) || len(prints.Items) != len(values) {
			t.Fatalf("%v %v, %d values, %d prints", err, errPrints, len(answer.Items), len(prints.Items))
		}
		for i, text := range values {
			v, err := grading.Parse(datasets.RawValue(text))
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			// In a list, as NaN alone equals nothing.
			in := func(v grading.Value) grading.Value {
				return grading.Value{Kind: grading.List, Items: []grading.Value{v}}
			}
			if !datasettest.Same(in(v), in(answer.Items[i]), datasettest.SameOptions{NaNEqual: true}) {
				t.Errorf("%s comes back as %s", text, grading.Print(answer.Items[i]))
			}
			if exact && grading.Print(v) != prints.Items[i].Text {
				t.Errorf("%s is printed as %q, by Python as %q", text, grading.Print(v), prints.Items[i].Text)
			}
		}
	}
}
