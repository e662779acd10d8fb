package tokens_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/tokens"
)

func counter(t testing.TB) *tokens.Counter {
	t.Helper()
	c, err := tokens.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// One word of common English is one token; a byte that is not UTF-8 counts as the
// replacement character.
func TestCount(t *testing.T) {
	c := counter(t)
	for text, want := range map[string]int{"": 0, "hello world": 2, "import pandas as pd\n": 5, "\xff": 1} {
		if got := c.Count(text); got != want {
			t.Errorf("Count(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestCountMessages(t *testing.T) {
	c := counter(t)
	chat := []schemas.Message{{Role: "user", Content: "hello world"}, {Role: "assistant", Content: "hello world"}}
	if got, want := c.CountMessages(chat), tokens.PerChat+2*(tokens.PerMessage+2); got != want {
		t.Errorf("CountMessages = %d, want %d", got, want)
	}
	if got := c.CountMessages(nil); got != 0 {
		t.Errorf("CountMessages(nil) = %d", got)
	}
}

// A remembered count must equal a fresh one, whoever asks.
func TestConcurrent(t *testing.T) {
	c := counter(t)
	texts := []string{strings.Repeat("def f(x):\n    return x\n", 20), strings.Repeat("patient 12 ", 40)}
	want := []int{counter(t).Count(texts[0]), counter(t).Count(texts[1])}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i, text := range texts {
				if got := c.Count(text); got != want[i] {
					t.Errorf("text %d: %d, want %d", i, got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCount(b *testing.B) {
	text := strings.Repeat("import pandas as pd\ndf = pd.read_csv('/workdir/data_clinical_patient.txt', sep='\\t')\nprint(df.groupby('SEX')['OS_MONTHS'].median())\n", 40)
	b.Run("fresh", func(b *testing.B) {
		c := counter(b)
		b.SetBytes(int64(len(text)))
		for i := range b.N {
			c.Count(text + string(rune('a'+i%26)) + strings.Repeat("x", i%97) + string(rune(i%50000+200)))
		}
	})
	b.Run("remembered", func(b *testing.B) {
		c := counter(b)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			c.Count(text)
		}
	})
}
