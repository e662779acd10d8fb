package datasets

import (
	"errors"
	"testing"
)

// What is wrong with a row is said in the words of JSON, and never with its
// content.
func TestDecode(t *testing.T) {
	type row struct {
		Text   *string  `json:"text"`
		Whole  int64    `json:"whole"`
		Number *float64 `json:"number"`
		Truth  bool     `json:"truth"`
		List   []int    `json:"list"`
		Inner  struct {
			Deep []struct {
				Text string `json:"text"`
			} `json:"deep"`
		} `json:"inner"`
	}
	for data, want := range map[string]string{
		`{"text":"a","whole":1,"number":1.5,"truth":true,"list":[1],"inner":{"deep":[{"text":"b"}]}}`: "",
		`{}`:                        "",
		`{"text":1}`:                `wrong_type: field "text" is not text`,
		`{"whole":"SECRET"}`:        `wrong_type: field "whole" is not a whole number`,
		`{"whole":1.5}`:             `wrong_type: field "whole" is not a whole number`,
		`{"number":"SECRET"}`:       `wrong_type: field "number" is not a number`,
		`{"truth":1}`:               `wrong_type: field "truth" is not true or false`,
		`{"list":{"SECRET":1}}`:     `wrong_type: field "list" is not a list`,
		`{"list":["SECRET"]}`:       `wrong_type: field "list/0" is not a whole number`,
		`{"inner":[]}`:              `wrong_type: field "inner" is not an object`,
		`{"inner":{"deep":[[]]}}`:   `wrong_type: field "inner/deep/0" is not an object`,
		`["SECRET"]`:                "wrong_type: the row is not an object",
		`"SECRET"`:                  "wrong_type: the row is not an object",
		`{"text":"SECRET`:           "malformed_json: not valid JSON at byte 15",
		`SECRET`:                    "malformed_json: not valid JSON at byte 0",
		`{"text":"a","text":"a"}`:   "malformed_json: duplicate key at byte 12",
		"{\"text\":\"SECRET\xff\"}": "malformed_json: not valid JSON at byte 15",
		`{"text":"\ud800"}`:         "malformed_json: not valid JSON at byte 9",
		`{} {}`:                     "malformed_json: not valid JSON at byte 3",
	} {
		err := Row{Data: []byte(data)}.Decode(new(row))
		got := ""
		var reject *RejectError
		if errors.As(err, &reject) {
			got = err.Error()
		} else if err != nil {
			t.Errorf("%s: no rejection: %v", data, err)
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", data, got, want)
		}
	}
	fault := &RejectError{Reason: ReasonTooLong, Detail: "9 bytes"}
	if err := (Row{Data: []byte("{}"), Fault: fault}).Decode(new(row)); err != error(fault) {
		t.Errorf("a row with a fault: %v", err)
	}
}
