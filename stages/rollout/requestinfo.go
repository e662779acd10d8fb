package rollout

import (
	"context"
	_ "embed"
	encjson "encoding/json"
	"fmt"
	"github.com/medgym-data/medgym-data/stages/internal/protocol"
	"regexp"
	"slices"
	"strings"

	"github.com/medgym-data/medgym-data/sandbox"
	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/show"
)

// infoProgram answers request_info inside the session's sandbox, where it can reach
// what the agent's programs can reach, and no more.
//
//go:embed programs/request_info.py
var infoProgram string

// What request_info can tell.
const (
	infoColumns = "column_names"
	infoValues  = "column_values"
	infoTerm    = "term"
)

// StepBadRequest is the error type of a request_info that asked for what is not there.
const StepBadRequest = "bad_request"

// requestInfo looks into the session's data for the agent. It is never a submission.
func (a *agent) requestInfo(ctx context.Context, turn int, step *schemas.Step, obs *observation, info protocol.Info) error {
	if fault := infoFault(info); fault != "" {
		step.Status, step.ErrorType = string(sandbox.StatusError), StepBadRequest
		obs.line("%s", fault)
		return nil
	}
	inject, err := infoVariables(info)
	if err != nil {
		return err
	}
	res, err := a.look(ctx, turn, inject)
	if err != nil {
		step.Status = StepTimeLimit // kept only where the attempt's time was the reason
		return err
	}
	step.Status, step.ErrorType = string(res.Status), res.ErrorType
	step.ExitCode = schemas.Ptr(int32(res.ExitCode))
	step.WallMS = schemas.Ptr(res.Wall.Milliseconds())
	obs.cut = obs.cut || res.Truncated
	if res.Status != sandbox.StatusOK {
		obs.line("The data could not be looked into: %s", obs.ended(res))
		return nil
	}
	if slices.Contains([]string{`"refused"`, `"unreadable"`}, string(res.Answer)) {
		step.Status, step.ErrorType = string(sandbox.StatusError), StepBadRequest
	}
	obs.line("%s", obs.short(string(res.Stdout), obs.budget))
	return nil
}

// infoFault says what is wrong with a request before anything is looked at.
func infoFault(i protocol.Info) string {
	switch {
	case !slices.Contains([]string{infoColumns, infoValues, infoTerm}, i.InfoType):
		asked, _ := show.Cut(i.InfoType, 100)
		return fmt.Sprintf("There is no info_type %q. It is one of %s, %s, %s.", asked, infoColumns, infoValues, infoTerm)
	case i.InfoType == infoValues && strings.TrimSpace(i.KeyTerm) == "":
		return "column_values needs the name of a column as keyterm."
	case i.InfoType == infoTerm && strings.TrimSpace(i.KeyTerm) == "":
		return "term needs the term to look for as keyterm."
	case len(i.DataPath) > maxInfoText || len(i.KeyTerm) > maxInfoText:
		return fmt.Sprintf("data_path and keyterm are at most %d bytes long.", maxInfoText)
	}
	return ""
}

const maxInfoText = 1000

// infoVariables are those that the program reads.
func infoVariables(i protocol.Info) (map[string]encjson.RawMessage, error) {
	out := map[string]encjson.RawMessage{}
	for name, value := range map[string]string{"info_data_path": i.DataPath, "info_type": i.InfoType, "info_keyterm": i.KeyTerm} {
		text, err := encjson.Marshal(strings.ReplaceAll(value, "\x00", ""))
		if err != nil {
			return nil, fmt.Errorf("request_info: %w", err)
		}
		out[name] = text
	}
	return out, nil
}

// look runs the program in the attempt's sandbox.
func (a *agent) look(ctx context.Context, turn int, inject map[string]encjson.RawMessage) (sandbox.Result, error) {
	if err := a.begin(ctx); err != nil {
		return sandbox.Result{}, err
	}
	res, err := a.session.RunOwn(ctx, infoProgram, inject, derive(a.seed, "step", fmt.Sprint(turn)))
	if err != nil {
		return res, a.fault(ctx, "sandbox", err)
	}
	return res, nil
}

var (
	sqlText   = regexp.MustCompile(`'((?:[^']|'')*)'`)
	sqlMember = regexp.MustCompile(`\b([a-z_]\w*)\.([a-z_]\w*)\s*=\s*'`)
	sqlTime   = regexp.MustCompile(`%|^start of |^[+-]?\d+ (day|month|year|hour|minute)`) // not from the data
	wordy     = regexp.MustCompile(`\pL{3}`)
)

// requests are what one who knows a task's solution would ask about its data: the
// columns, and for gold SQL the names that stand in it and the columns they are of.
func requests(task schemas.Task) []protocol.Info {
	var out []protocol.Info
	for _, r := range task.Resources {
		if r.Kind != "sqlite" && r.Kind != "csv" {
			continue
		}
		out = append(out, protocol.Info{DataPath: r.Name, InfoType: infoColumns})
		if r.Kind != "sqlite" || task.GoldKind != schemas.GoldSQL {
			continue
		}
		for _, m := range sqlText.FindAllStringSubmatch(task.Gold, maxAsked) {
			if term := strings.ReplaceAll(m[1], "''", "'"); wordy.MatchString(term) && !sqlTime.MatchString(term) {
				out = append(out, protocol.Info{DataPath: r.Name, InfoType: infoTerm, KeyTerm: term})
			}
		}
		for _, m := range sqlMember.FindAllStringSubmatch(task.Gold, maxAsked) {
			out = append(out, protocol.Info{DataPath: r.Name + "/" + m[1], InfoType: infoValues, KeyTerm: m[2]})
		}
	}
	return out
}

const maxAsked = 8
