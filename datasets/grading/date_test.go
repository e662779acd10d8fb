package grading

import (
	"testing"
	"time"
)

func TestDate(t *testing.T) {
	for text, want := range map[string]string{
		"2014-09-23": "2014-09-23", "2014/9/3": "2014-09-03", "2014.09.23": "2014-09-23", "20140923": "2014-09-23", " 2014-09-23\n": "2014-09-23",
		"2014-09-23 00:00:00": "2014-09-23", "2014-09-23T00:00:00.000000": "2014-09-23", "2014-09-23T00:00": "2014-09-23", "2014-09-23T00:00:00Z": "2014-09-23", "2014-09-23 00:00:00+00:00": "2014-09-23",
		"09/23/2014": "2014-09-23", "9-23-2014": "2014-09-23", "23/09/2014": "2014-09-23", "23.09.2014": "2014-09-23", "03.09.2014": "2014-09-03", "03/09/2014": "2014-03-09",
		"September 23, 2014": "2014-09-23", "september 23,2014": "2014-09-23", "Sep 23rd 2014": "2014-09-23", "Sept. 23, 2014": "2014-09-23", "23 Sep 2014": "2014-09-23", "23-Sep-2014": "2014-09-23", "23rd of September, 2014": "2014-09-23",
		"Tuesday, September 23, 2014": "2014-09-23", "Tue 23 Sep 2014": "2014-09-23", "September 23, 2014 00:00": "2014-09-23", "May 1 2014": "2014-05-01", "2016-02-29": "2016-02-29", "0001-01-01": "0001-01-01", "9999-12-31": "9999-12-31",

		"": "", "2014": "", "2014-09": "", "2014-9-31": "", "2014-02-29": "", "2014-00-10": "", "2014-13-01": "", "0000-01-01": "", "13/13/2014": "", "09/23/14": "", "9/23": "", "23 Foo 2014": "", "Augustus 1, 2014": "",
		"2014-09-23 12:00:00": "", "2014-09-23 00:00:01": "", "2014-09-23 2014-09-23": "", "on 2014-09-23": "", "2014-09-23.": "", "-2014-09-23": "", "12014-09-23": "", "2014-009-23": "", "1411434000": "", "٢٠١٤-٠٩-٢٣": "",
		"2014-09-23                                                              ": "", // longer than any date
	} {
		d, ok := ParseDate(text)
		got := ""
		if ok {
			got = d.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]bool{
		`{"$":"date","v":"2014-09-23"}`: true, `{"$":"datetime","v":"2014-09-23T00:00:00"}`: true, `{"$":"datetime","v":"2014-09-23T12:00:00"}`: false, `"2014-09-23"`: true, `20140923`: false, `20140923.0`: false,
		`["2014-09-23"]`: false, `{"$":"ndarray","dtype":"datetime64[ns]","shape":[],"v":[{"$":"datetime","v":"2014-09-23T00:00:00"}]}`: true, `{"$":"nat"}`: false, `null`: false, `{"$":"bytes","v":"MjAxNC0wOS0yMw=="}`: false,
	} {
		if d, ok := parse(t, text).Date(); ok != want || ok && d != (Day{2014, time.September, 23}) {
			t.Errorf("%s: %v %v", text, d, ok)
		}
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]string{
		`{"$":"tuple","v":["5 weeks","3 days"]}`: "5 3", `["5 week","3 day"]`: "5 3", `[5,3]`: "5 3", `[5.0,"3"]`: "5 3", `["5 wks","3d"]`: "5 3", `{"$":"ndarray","dtype":"int64","shape":[2],"v":[5,3]}`: "5 3",
		`"(5 weeks, 3 days)"`: "5 3", `"('5 weeks', '3 days')"`: "5 3", `"5 weeks and 3 days"`: "5 3", `"5 weeks, and 3 days"`: "5 3", `"5W3D"`: "5 3", `"5 weeks 3 days"`: "5 3", `{"$":"dict","v":[["Days",3],["weeks ","5 weeks"]]}`: "5 3", `[0,10]`: "0 10",

		`[5]`: "", `[5,3,1]`: "", `[3.5,3]`: "", `[-1,3]`: "", `[true,3]`: "", `[null,3]`: "", `[{"$":"float","v":"nan"},3]`: "", `["3 days","5 weeks"]`: "", `["",3]`: "", `[{"$":"int","v":"99999999999999999999"},3]`: "",
		`"5 weeks"`: "", `"38 days"`: "", `"5, 3"`: "", `"about 5 weeks 3 days"`: "", `"5 weeks 3 days ago"`: "", `""`: "", `38`: "", `null`: "", `{"$":"set","v":[3,5]}`: "",
		`{"$":"dict","v":[["weeks",5],["Weeks",3]]}`: "", `{"$":"dict","v":[["weeks",5]]}`: "", `{"$":"dict","v":[["weeks",5],["days",3],["x",1]]}`: "", `{"$":"dict","v":[[1,5],[2,3]]}`: "",
	} {
		v := parse(t, text)
		got := ""
		if s, ok := v.Span(); ok {
			got = Print(Value{Kind: Int, Int: bigInt(s.Weeks)}) + " " + Print(Value{Kind: Int, Int: bigInt(s.Days)})
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, text := range []string{"2014-09-23", "09/23/2014 00:00", "Tue, 23rd of Sept., 2014", "(5 weeks, 3 days)", "['5 wks' '3 d']", "20140230", "29.02.2100"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := Value{Kind: Text, Text: text}
		if d, ok := ParseDate(text); ok {
			if again, ok := ParseDate(d.String()); !ok || again != d {
				t.Fatalf("%q is %v, which is %v %v", text, d, again, ok)
			}
			if at := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC); at.Day() != d.Day || at.Month() != d.Month || d.Year < 1 || d.Year > 9999 {
				t.Fatalf("%q is no day: %+v", text, d)
			}
			if _, ok := v.Span(); ok {
				t.Fatalf("%q is a date and a span", text)
			}
		}
		if s, ok := v.Span(); ok && (s.Weeks < 0 || s.Days < 0 || s.Weeks > 9999 || s.Days > 9999) {
			t.Fatalf("%q is %+v", text, s)
		}
		if s, ok := v.Normal(); ok && !s.Equal(s) {
			t.Fatalf("%q is not itself: %+v", text, s)
		}
	})
}
