package window_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/medgym-data/medgym-data/schemas"
	"github.com/medgym-data/medgym-data/stages/internal/window"
)

func turn(role, content string) schemas.ChatMessage {
	return schemas.ChatMessage{Role: role, Content: content}
}

// count takes a character for a token.
func count(messages []schemas.ChatMessage) int {
	n := 0
	for _, m := range messages {
		n += len(m.Content)
	}
	return n
}

func chat(observations ...int) []schemas.ChatMessage {
	out := []schemas.ChatMessage{turn(schemas.RoleSystem, strings.Repeat("s", 1000)), turn(schemas.RoleUser, strings.Repeat("q", 1000))}
	for i, n := range observations {
		role := schemas.RoleUser
		if i%2 == 1 {
			role = schemas.RoleTool
		}
		out = append(out, turn(schemas.RoleAssistant, strings.Repeat("a", 500)), turn(role, strings.Repeat("o", n)))
	}
	return out
}

func TestFit(t *testing.T) {
	for name, tt := range map[string]struct {
		observations     []int
		limit, cut       int
		wantCut, wantMax int
	}{
		"fits":                   {[]int{3000, 3000}, 9000, 0, 0, 9000},
		"keeps what was cut":     {[]int{3000, 3000}, 9000, 1, 1, 9000},
		"one":                    {[]int{3000, 3000}, 8500, 0, 1, 8500},
		"down to three quarters": {[]int{3000, 3000, 3000, 3000}, 15000, 0, 2, 11250},
		"never the last":         {[]int{3000, 9000}, 9000, 0, 1, 12500},
		"short ones":             {[]int{10, 10, 9000}, 9000, 0, 2, 20000},
		"no reply yet":           {nil, 100, 0, 0, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			messages := chat(tt.observations...)
			before := chat(tt.observations...)
			f := window.Fit(messages, tt.limit, tt.cut, count)
			if f.Cut != tt.wantCut || f.Tokens > tt.wantMax || f.Tokens != count(f.Messages) || f.Left != count(messages)-f.Tokens {
				t.Errorf("cut %d, %d tokens, %d left out of %d", f.Cut, f.Tokens, f.Left, count(messages))
			}
			if !reflect.DeepEqual(messages, before) {
				t.Error("the conversation was changed")
			}
			if !reflect.DeepEqual(f.Messages, window.Shown(before, f.Cut)) {
				t.Error("what was shown does not follow from the number")
			}
			if last := len(messages) - 1; messages[last] != f.Messages[last] {
				t.Error("the last turn was shortened")
			}
		})
	}
}

func TestShown(t *testing.T) {
	messages := chat(1000, 1000, 1000)
	got := window.Shown(messages, 2)
	for i, m := range got {
		short := i == 3 || i == 5
		if (len(m.Content) <= window.Short) != short || m.Role != messages[i].Role {
			t.Errorf("turn %d has %d characters", i, len(m.Content))
		}
	}
	if again := window.Shown(got, 2); !reflect.DeepEqual(again, got) {
		t.Error("what is short is shortened again")
	}
}
