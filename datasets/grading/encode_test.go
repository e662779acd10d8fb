package grading

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/medgym-data/medgym-data/datasets"
)

// encode writes v in the plain codec, for tests of what Parse reads.
func encode(v Value) datasets.RawValue {
	var b strings.Builder
	write(&b, v)
	return datasets.RawValue(b.String())
}

func write(b *strings.Builder, v Value) {
	text := func(s string) string {
		data, err := json.Marshal(s)
		if err != nil {
			panic(err)
		}
		return string(data)
	}
	list := func(items []Value) {
		b.WriteByte('[')
		for i, item := range items {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, item)
		}
		b.WriteByte(']')
	}
	member := func(name string, v *Value) {
		if v != nil {
			b.WriteString(`,"` + name + `":`)
			write(b, *v)
		}
	}
	strs := func(items []string) string {
		out := make([]string, len(items))
		for i, s := range items {
			out[i] = text(s)
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	switch v.Kind {
	case Null:
		b.WriteString("null")
		return
	case Bool:
		b.WriteString(strconv.FormatBool(v.Bool))
		return
	case Text:
		b.WriteString(text(v.Text))
		return
	case List:
		list(v.Items)
		return
	case Int:
		if v.Int.BitLen() <= 53 {
			b.WriteString(v.Int.String())
			return
		}
	case Float:
		if !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0) {
			b.WriteString(reprFloat(v.Float))
			return
		}
	}
	b.WriteString(`{"$":"` + string(v.Kind) + `"`)
	switch v.Kind {
	case Int:
		b.WriteString(`,"v":"` + v.Int.String() + `"`)
	case Float:
		b.WriteString(`,"v":"` + reprFloat(v.Float) + `"`)
	case Timedelta:
		b.WriteString(`,"v":` + reprFloat(v.Float))
	case Bytes:
		b.WriteString(`,"v":"` + base64.StdEncoding.EncodeToString(v.Bytes) + `"`)
	case DateTime, Date, Time, Decimal:
		b.WriteString(`,"v":` + text(v.Text))
	case Dict:
		b.WriteString(`,"v":[`)
		for i, p := range v.Pairs {
			b.WriteString([]string{"[", ",["}[min(i, 1)])
			write(b, p.Key)
			b.WriteByte(',')
			write(b, p.Value)
			b.WriteByte(']')
		}
		b.WriteByte(']')
	case Object:
		b.WriteString(`,"type":` + text(v.Text) + `,"attrs":{`)
		for i, p := range v.Pairs {
			b.WriteString([]string{"", ","}[min(i, 1)] + text(p.Key.Text) + ":")
			write(b, p.Value)
		}
		b.WriteByte('}')
	case Opaque:
		b.WriteString(`,"type":` + text(v.Text) + `,"why":` + text(v.Why))
	case Frame:
		member("columns", &v.Table.Labels)
		member("index", v.Index)
		b.WriteString(`,"dtypes":` + strs(v.Table.Dtypes) + `,"v":[`)
		for i, column := range v.Table.Values {
			b.WriteString([]string{"", ","}[min(i, 1)])
			list(column)
		}
		b.WriteByte(']')
	case Array, Index, Series:
		b.WriteString(`,"dtype":` + text(v.Dtype))
		if v.Kind == Array {
			shape := make([]string, len(v.Shape))
			for i, n := range v.Shape {
				shape[i] = strconv.Itoa(n)
			}
			b.WriteString(`,"shape":[` + strings.Join(shape, ",") + "]")
		}
		member("name", v.Name)
		member("index", v.Index)
		if v.Names != nil {
			b.WriteString(`,"names":`)
			list(v.Names)
		}
		fallthrough
	case Tuple, Set, Complex:
		b.WriteString(`,"v":`)
		list(v.Items)
	}
	b.WriteByte('}')
}
