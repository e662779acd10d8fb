package datasettest

import (
	"fmt"
	"strings"

	"github.com/medgym-data/medgym-data/schemas"
)

// Forms are an SQL task's answer in the plain codec: alone and, if it is one value, as
// a list and as a table. For a truth SQL has a number.
func Forms(task schemas.Task) []string {
	if task.AnswerType == schemas.AnswerSet || task.AnswerType == schemas.AnswerTable {
		return []string{task.Answer}
	}
	forms := []string{task.Answer, "[" + task.Answer + "]", "[[" + task.Answer + "]]"}
	if number, ok := map[string]string{"true": "1", "false": "0"}[task.Answer]; ok {
		task.Answer = number
		forms = append(forms, Forms(task)...)
	}
	return forms
}

// Predictions are classes by row in the plain codec: as a dict of columns, and as one
// by row.
func Predictions(classes []string) []string {
	var rows, pairs []string
	for row, class := range classes {
		rows = append(rows, fmt.Sprint(row))
		pairs = append(pairs, fmt.Sprintf("[%d,%s]", row, class))
	}
	return []string{
		fmt.Sprintf(`{"$":"dict","v":[["row",[%s]],["prediction",[%s]]]}`, strings.Join(rows, ","), strings.Join(classes, ",")),
		`{"$":"dict","v":[` + strings.Join(pairs, ",") + `]}`,
	}
}
