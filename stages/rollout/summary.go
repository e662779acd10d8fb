package rollout

import "github.com/medgym-data/medgym-data/schemas"

// SourceSummary is what the manifest says of the rows of one source.
type SourceSummary struct {
	Tasks     map[string]int `json:"tasks"` // by status, and Dropped
	Chosen    int            `json:"tasks_chosen"`
	NoPlay    int            `json:"tasks_without_a_play"` // chosen, but nothing for the policy to play
	Attempts  int            `json:"attempts"`
	Kept      int            `json:"kept"` // of the attempts: rows of an earlier plan that are not of the present one
	Outcomes  map[string]int `json:"outcomes"`
	Graded    int            `json:"graded"` // attempts with rewards; the rest are infra_error and grader_error
	Solved    int            `json:"solved"`
	Upstream  int            `json:"solved_upstream"` // by the public release's verdict
	Turns     int            `json:"turns"`
	Submitted int            `json:"submissions"`

	Repaired     int `json:"repaired"`      // attempts with a reply that had to be mended to be read
	Regenerated  int `json:"regenerated"`   // replies that were no action, and asked for again
	Cut          int `json:"cut"`           // attempts whose conversation was shown in part
	InfraRetries int `json:"infra_retries"` // attempts begun anew in the last run of the stage, since the machinery had failed

	PromptTokens     int64    `json:"prompt_tokens"`
	CompletionTokens int64    `json:"completion_tokens"`
	CostUSD          *float64 `json:"cost_usd"` // null where no attempt's is known
}

func newSummary() *SourceSummary {
	return &SourceSummary{Tasks: map[string]int{}, Outcomes: map[string]int{}}
}

func (s *SourceSummary) add(t schemas.Trajectory) {
	s.Attempts++
	s.Outcomes[t.Outcome]++
	s.Turns += len(t.Steps)
	repaired, cut := false, false
	for _, step := range t.Steps {
		if step.Submission != "" {
			s.Submitted++
		}
		if step.Status == StepInvalid {
			s.Regenerated++
		}
		repaired = repaired || len(step.Repairs) > 0
		cut = cut || schemas.Value(step.CutMessages) > 0
	}
	if repaired {
		s.Repaired++
	}
	if cut {
		s.Cut++
	}
	s.PromptTokens += schemas.Value(t.PromptTokens)
	s.CompletionTokens += schemas.Value(t.CompletionTokens)
	s.pay(t.CostUSD)
	if t.Reward == nil {
		return
	}
	s.Graded++
	if *t.Reward == 1 {
		s.Solved++
	}
	if schemas.Value(t.RewardUpstream) == 1 {
		s.Upstream++
	}
}

func (s *SourceSummary) pay(cost *float64) {
	if cost != nil {
		s.CostUSD = schemas.Ptr(schemas.Value(s.CostUSD) + *cost)
	}
}

func (s *SourceSummary) merge(o *SourceSummary) {
	for status, n := range o.Tasks {
		s.Tasks[status] += n
	}
	for outcome, n := range o.Outcomes {
		s.Outcomes[outcome] += n
	}
	s.Chosen += o.Chosen
	s.NoPlay += o.NoPlay
	s.Attempts += o.Attempts
	s.Kept += o.Kept
	s.Graded += o.Graded
	s.Solved += o.Solved
	s.Upstream += o.Upstream
	s.Turns += o.Turns
	s.Submitted += o.Submitted
	s.Repaired += o.Repaired
	s.Regenerated += o.Regenerated
	s.Cut += o.Cut
	s.InfraRetries += o.InfraRetries
	s.PromptTokens += o.PromptTokens
	s.CompletionTokens += o.CompletionTokens
	s.pay(o.CostUSD)
}

// spending is what the rows have taken.
func (s *SourceSummary) spending() spending {
	return spending{tokens: s.PromptTokens + s.CompletionTokens, cost: schemas.Value(s.CostUSD), attempts: int64(s.Attempts - s.Outcomes[schemas.OutcomeInfraError])}
}
