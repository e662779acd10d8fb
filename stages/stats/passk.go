package stats

// PassAtK estimates without bias the probability that at least one of k
// attempts solves a task, from n graded attempts of which c did:
// 1 - C(n-c,k)/C(n,k) (Chen et al. 2021, "Evaluating Large Language Models
// Trained on Code"). The quotient is built up as a product, so that no binomial
// overflows. It needs 0 <= c <= n and 1 <= k <= n; ok is false otherwise.
func PassAtK(n, c, k int) (p float64, ok bool) {
	if c < 0 || c > n || k < 1 || k > n {
		return 0, false
	}
	if n-c < k {
		return 1, true // any k attempts hold a right one
	}
	// C(n-c,k)/C(n,k) = prod over i in (n-c, n] of (i-k)/i
	allWrong := 1.0
	for i := n - c + 1; i <= n; i++ {
		allWrong *= float64(i-k) / float64(i)
	}
	return 1 - allWrong, true
}

// PassRow is pass@k over the tasks of one scope.
type PassRow struct {
	K        int     `json:"k"`
	Tasks    int     `json:"tasks"`    // with at least k graded attempts
	Excluded int     `json:"excluded"` // with fewer, left out of the mean
	Strict   float64 `json:"pass_strict"`
	Upstream float64 `json:"pass_upstream"`
}

// attempts counts the graded attempts at one task.
type attempts struct {
	source, split            string
	graded, strict, upstream int32
	judged                   []judged // graded ones with a verifier's score
}

// passTable averages over tasks, for k = 1, 2, 4, ... up to the largest number
// of graded attempts at any of them. A task with no graded attempt at all counts
// as excluded in every row.
func passTable(tasks []attempts) []PassRow {
	var most int32
	for _, t := range tasks {
		most = max(most, t.graded)
	}
	rows := []PassRow{}
	for k := 1; k <= int(most); k *= 2 {
		row := PassRow{K: k}
		var strict, upstream float64
		for _, t := range tasks {
			p, ok := PassAtK(int(t.graded), int(t.strict), k)
			if !ok {
				row.Excluded++
				continue
			}
			u, _ := PassAtK(int(t.graded), int(t.upstream), k)
			row.Tasks++
			strict += p
			upstream += u
		}
		// row.Tasks > 0: the task with the most graded attempts has at least k.
		row.Strict = round(strict/float64(row.Tasks), 6)
		row.Upstream = round(upstream/float64(row.Tasks), 6)
		rows = append(rows, row)
	}
	return rows
}
