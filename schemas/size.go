package schemas

// Size estimates the row's uncompressed bytes, for bounding row groups.
func (t Task) Size() int64 {
	return int64(len(t.Question) + len(t.Context) + len(t.Instruction) + len(t.Answer) + len(t.Gold) + 512)
}

// Size estimates the row's uncompressed bytes, for bounding row groups.
func (t Trajectory) Size() int64 {
	n := len(t.AnswerSeen) + 512
	for _, m := range t.Messages {
		n += len(m.Content) + len(m.ToolCallsJSON) + 32
	}
	for _, s := range t.Steps {
		n += len(s.ParamsJSON) + len(s.Observation) + len(s.Submission) + 128
	}
	return int64(n)
}

// Size estimates the row's uncompressed bytes, for bounding row groups.
func (r SFT) Size() int64 { return sizeOf(r.Messages) }

// Size estimates the row's uncompressed bytes, for bounding row groups.
func (r DPO) Size() int64 { return sizeOf(r.Prompt, r.Chosen, r.Rejected) }

// Size estimates the row's uncompressed bytes, for bounding row groups.
func (r Verifier) Size() int64 { return sizeOf(r.Prompt, r.Completion) }

func sizeOf(lists ...[]Message) int64 {
	n := 256
	for _, list := range lists {
		for _, m := range list {
			n += len(m.Content) + 16
		}
	}
	return int64(n)
}
