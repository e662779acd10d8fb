package sqltask

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/medgym-data/medgym-data/datasets"
	"github.com/medgym-data/medgym-data/datasets/ehrdb"
	"github.com/medgym-data/medgym-data/schemas"
)

// Answer is a gold answer, typed.
type Answer struct {
	Type  schemas.AnswerType
	JSON  string // canonical
	Nulls bool   // a value is null, though not all are: nothing can equal the answer
}

// Fill sets the columns of a task that the answer decides.
func (a Answer) Fill(task *schemas.Task) {
	task.AnswerType, task.Answer = a.Type, a.JSON
	if a.Nulls && task.Status == schemas.StatusReady {
		task.Status, task.StatusReason = schemas.StatusUngradable, NullInAnswer
	}
}

// FromResult types what a query gave. truth says that its values are truth values
// (see AsksTruth). The error is a *datasets.RejectError.
func FromResult(result ehrdb.Result, truth bool) (Answer, error) {
	rows := make([][]any, len(result.Rows))
	for i, row := range result.Rows {
		rows[i] = make([]any, len(row))
		for j, v := range row {
			cell, err := databaseCell(v)
			if err != nil {
				return Answer{}, err
			}
			rows[i][j] = cell
		}
	}
	return typed(rows, truth)
}

// FromStrings types the answer that a row of the MedAgentGym download lists: the
// values of one column, or those of rows of so many columns, row by row.
func FromStrings(values []string, columns int, truth bool) (Answer, error) {
	if columns < 1 {
		columns = 1
	}
	if len(values)%columns != 0 {
		return Answer{}, datasets.Rejectf(datasets.ReasonBadValue, "%d answers to a question about %d columns", len(values), columns)
	}
	var rows [][]any
	for i, value := range values {
		if i%columns == 0 {
			rows = append(rows, make([]any, columns))
		}
		rows[i/columns][i%columns] = textCell(value)
	}
	return typed(rows, truth)
}

// typed makes an answer of rows of nil, int64, float64, string and bool.
func typed(rows [][]any, truth bool) (Answer, error) {
	var a Answer
	said := false
	for _, row := range rows {
		for _, cell := range row {
			said = said || cell != nil
			a.Nulls = a.Nulls || cell == nil
		}
	}
	if !said {
		return Answer{}, datasets.Rejectf(ReasonEmptyResult, "the answer has no value")
	}
	var value any
	switch {
	case len(rows) == 1 && len(rows[0]) == 1:
		value = rows[0][0]
		if truth && (value == int64(0) || value == int64(1)) {
			value = value == int64(1)
		}
		a.Type = scalarType(value)
	case len(rows[0]) == 1:
		list := make([]any, len(rows))
		for i, row := range rows {
			list[i] = row[0]
		}
		value, a.Type = list, schemas.AnswerSet
	default:
		value, a.Type = rows, schemas.AnswerTable
	}
	var err error
	if a.JSON, err = datasets.Canonical(value); err != nil {
		return Answer{}, err
	}
	return a, nil
}

func scalarType(value any) schemas.AnswerType {
	switch v := value.(type) {
	case bool:
		return schemas.AnswerBoolean
	case int64:
		return schemas.AnswerInteger
	case float64:
		return schemas.AnswerNumber
	case string:
		if isDate(v) {
			return schemas.AnswerDate
		}
	}
	return schemas.AnswerText
}

// exact is the largest integer that a JSON number says for sure. Those beyond it are
// kept as text, which says the same number to the grader.
const exact = 1 << 53

func databaseCell(value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int64:
		if v > exact || v < -exact {
			return strconv.FormatInt(v, 10), nil
		}
		return v, nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, datasets.Rejectf(datasets.ReasonBadValue, "an answer that is not a finite number")
		}
		return v, nil
	case []byte:
		return databaseCell(string(v))
	case string:
		if !utf8.ValidString(v) {
			return nil, datasets.Rejectf(datasets.ReasonInvalidUTF8, "an answer that is not UTF-8")
		}
		if strings.TrimSpace(v) == "" {
			return nil, nil
		}
		return v, nil
	}
	return nil, datasets.Rejectf(datasets.ReasonBadValue, "an answer of a type that no column has")
}

var (
	integerForm = regexp.MustCompile(`^-?(0|[1-9]\d*)$`)
	decimalForm = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d{1,3})?$`)
	dateForm    = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])( ([01]\d|2[0-3]):[0-5]\d:[0-5]\d)?$`)
)

func isDate(text string) bool { return dateForm.MatchString(text) }

// textCell reads a value that Python's str wrote.
func textCell(text string) any {
	trimmed := strings.TrimSpace(text)
	switch strings.ToLower(trimmed) {
	case "", "none", "nan", "null", "nat":
		return nil
	case "true":
		return true
	case "false":
		return false
	}
	if integerForm.MatchString(trimmed) {
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil && n <= exact && n >= -exact {
			return n
		}
		return text
	}
	if decimalForm.MatchString(trimmed) {
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil && !math.IsInf(f, 0) {
			return f
		}
	}
	return text
}

// AsksTruth says that a query's one value is a truth value: what it selects is a
// comparison, as in "select count(*) > 0 from …".
func AsksTruth(query string) bool {
	depth := 0
	words := sqlToken.FindAllString(query, -1)
	selecting := false
	for _, word := range words {
		switch lower := strings.ToLower(word); {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case depth > 0:
		case lower == "select" && !selecting:
			selecting = true
		case !selecting && strings.TrimSpace(word) != "":
			return false
		case lower == "from":
			return false
		case lower == ">", lower == "<", lower == "=", lower == "in", lower == "exists", lower == "between", lower == "is", lower == "not":
			// A comparison of all that is selected; inside a case it is but a part.
			return !strings.Contains(strings.ToLower(query), "case when")
		}
	}
	return false
}

var sqlToken = regexp.MustCompile(`(?s)'(?:[^']|'')*'|"(?:[^"]|"")*"|[\pL_][\pL\pN_]*|\s+|.`)
