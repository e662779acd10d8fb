package medagentbench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/fhir"
	"github.com/medgym-data/medgym-data/datasets/grading"
	"github.com/medgym-data/medgym-data/schemas"
)

// The reasons of this source's verdicts, beside those that all sources share.
const (
	reasonForm       = "answer_is_no_get_and_post" // not a dict with the keys GET and POST
	reasonGetCount   = "get_has_wrong_length"
	reasonGetValue   = "get_has_wrong_value"
	reasonClaim      = "post_claimed_not_sent"
	reasonPostCount  = "wrong_number_of_posts"
	reasonPostURL    = "post_to_wrong_url"
	reasonPostBroken = "post_element_of_wrong_type"
	reasonPostCode   = "post_has_wrong_code"
	reasonPostDose   = "post_has_wrong_dose"
	reasonPostTime   = "post_has_wrong_time"
	reasonPostText   = "post_has_wrong_text"
	reasonPostState  = "post_has_wrong_status" // or intent, or priority
	reasonPostWho    = "post_has_wrong_subject"
)

// Grade implements datasets.Grader. Nothing is run.
func (s *Source) Grade(_ context.Context, task schemas.Task, sub datasets.Submission, _ datasets.Runner) (datasets.Verdict, error) {
	ans, err := readAnswer(task)
	if err != nil {
		return datasets.Verdict{}, err
	}
	posts, err := readRecords(sub.Records[serviceName])
	if err != nil {
		return datasets.Verdict{}, fmt.Errorf("task %s: what the service recorded: %w", task.TaskID, err)
	}
	verdict := datasets.Verdict{Reason: strict(ans, sub, posts)}
	if verdict.Reason == grading.ReasonCorrect {
		verdict.Reward = 1
	}
	if upstream(ans, sub) {
		verdict.Upstream = 1
	}
	return verdict, nil
}

// strict judges what was handed in and what was sent, and gives the reason.
func strict(ans answer, sub datasets.Submission, posts []fhir.Record) string {
	value, reason := grading.Answer(sub)
	if reason != "" {
		return reason
	}
	in, ok := readHandIn(value)
	if !ok {
		return reasonForm
	}
	if in.claims && len(posts) == 0 {
		return reasonClaim
	}
	now, err := ans.Question.now()
	zone := time.UTC
	if err == nil { // task1 has no now, and no order
		zone = now.Location()
	}
	for _, want := range ans.Expected {
		got := want.checkGet(in.get, zone)
		if got == "" {
			got = checkPosts(want.Posts, posts, ans.Patient, zone)
		}
		if got == "" {
			return grading.ReasonCorrect
		}
		if reason == "" {
			reason = got
		}
	}
	return reason
}

// handIn is the agent's answer, read.
type handIn struct {
	get    []grading.Value
	claims bool // POST is not empty
}

// readHandIn reads {"GET": [...], "POST": [...]}. Either may be left out, but
// nothing else may be there.
func readHandIn(v grading.Value) (handIn, bool) {
	var in handIn
	if v.Kind != grading.Dict {
		return in, false
	}
	seen := map[string]bool{}
	for _, p := range v.Pairs {
		key := p.Key.Text
		if p.Key.Kind != grading.Text || key != "GET" && key != "POST" || seen[key] {
			return in, false
		}
		seen[key] = true
		list := p.Value.Kind == grading.List || p.Value.Kind == grading.Tuple || p.Value.Kind == grading.Array && len(p.Value.Shape) == 1
		if !list && p.Value.Kind != grading.Null {
			return in, false
		}
		if key == "GET" {
			in.get = p.Value.Items
		} else {
			in.claims = len(p.Value.Items) > 0
		}
	}
	return in, true
}

// checkGet compares the values; the reason is empty where they are right.
func (e expected) checkGet(get []grading.Value, zone *time.Location) string {
	if len(get) == 0 && e.Optional {
		return ""
	}
	if len(get) != len(e.Get) {
		return reasonGetCount
	}
	for i, want := range e.Get {
		if !want.is(get[i], zone) {
			return reasonGetValue
		}
	}
	return ""
}

func (want item) is(v grading.Value, zone *time.Location) bool {
	switch {
	case want.Number != nil && want.Whole:
		n, ok := v.Integer()
		return ok && n.IsInt64() && n.Int64() == int64(*want.Number)
	case want.Number != nil:
		x, ok := v.Number()
		if want.Slack > 0 {
			return ok && grading.Within(x, *want.Number-want.Slack, *want.Number+want.Slack)
		}
		return ok && grading.Near(x, *want.Number, grading.Tolerance)
	case want.Time != "":
		return (v.Kind == grading.Text || v.Kind == grading.DateTime || v.Kind == grading.Date) && sameTime(v.Text, want.Time, zone)
	}
	return v.Kind == grading.Text && strings.EqualFold(strings.TrimSpace(v.Text), want.Text)
}

// sameTime compares two FHIR dates as times of the same precision in days or
// clock. A blank may stand for the T, as Python prints times; a time without a
// zone is in the zone of the question.
func sameTime(got, want string, zone *time.Location) bool {
	a, ok := readTime(got, zone)
	b, ok2 := readTime(want, zone)
	return ok && ok2 && a.Clock == b.Clock && a.Start.Equal(b.Start)
}

func readTime(text string, zone *time.Location) (fhir.Date, bool) {
	text = strings.TrimSpace(text)
	const day = len(time.DateOnly)
	if len(text) > day && text[day] == ' ' {
		text = text[:day] + "T" + text[day+1:]
	}
	d, err := fhir.ParseDate(text)
	if err == nil && d.Clock && !d.Zoned {
		_, offset := d.Start.In(zone).Zone()
		d.Start = d.Start.Add(-time.Duration(offset) * time.Second)
	}
	return d, err == nil
}
