package pipeline

// Progress makes meters; cmd draws them.
type Progress interface {
	Start(name string, total int64) Meter
}

// Meter counts one stage's work. Its methods are safe for concurrent use.
type Meter interface {
	Add(n int64)
	Describe(text string) // short: "solved 12, failed 3"
	Done()
}

// noMeter is the Meter of a run without Progress.
type noMeter struct{}

func (noMeter) Add(int64)       {}
func (noMeter) Describe(string) {}
func (noMeter) Done()           {}
