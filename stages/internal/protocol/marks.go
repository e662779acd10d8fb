package protocol

import (
	"regexp"
	"slices"
	"strings"
)

// mark begins or ends a block of reasoning.
type mark struct {
	at, end int
	closes  bool
}

// The marks of reasoning, in any case of letters. Each begins with one of <, [, ◁.
var (
	openMarks = []string{
		"<think>", "<thinking>", "<thought>", "<reasoning>", "<reflection>", "<analysis>", "<seed:think>",
		"<|begin_of_thought|>", "<|channel|>analysis", "[think]", "◁think▷",
	}
	closeMarks = []string{
		"</think>", "</thinking>", "</thought>", "</reasoning>", "</reflection>", "</analysis>", "</seed:think>",
		"<|end_of_thought|>", "<|channel|>final<|message|>", "<|channel|>final", "<|channel|>commentary", "[/think]", "◁/think▷",
	}
)

// marksOf finds the marks of reasoning, in the order of the text.
func marksOf(text string) []mark {
	var out []mark
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '<' && c != '[' && c != "◁"[0] {
			continue
		}
		for _, marks := range [][]string{openMarks, closeMarks} {
			n := slices.IndexFunc(marks, func(m string) bool {
				return m[0] == c && len(text)-i >= len(m) && strings.EqualFold(text[i:i+len(m)], m)
			})
			if n >= 0 {
				end := i + len(marks[n])
				out = append(out, mark{i, end, &marks[0] == &closeMarks[0]})
				i = end - 1
				break
			}
		}
	}
	return out
}

// What stands directly before and behind an action where a chat template's native
// format of calls shows in the text.
var (
	openTags = []string{
		"<tool_call>", "<|tool_call|>", "<tool_calls>", "<function_call>", "<|python_tag|>", "[TOOL_CALLS]", "<|tool_call_begin|>",
	}
	closeTags = []string{
		"</tool_call>", "<|/tool_call|>", "</tool_calls>", "</function_call>", "</function>", "<|tool_call_end|>",
		"<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>", "<|eom_id|>", "<|call|>",
	}
	// Ends of a turn that a server left in: other text, but nothing that was meant.
	turnEnds = []string{"<|im_end|>", "<|eot_id|>", "<|end|>", "<|return|>", "<|endoftext|>", "<｜end▁of▁sentence｜>", "</s>"}
	fences   = []string{"```", "~~~", "`"}
	closers  = slices.Concat(fences, closeTags, turnEnds)
)

const (
	maxHead     = 200 // bytes before an object in which a call's name is looked for
	maxLanguage = 20  // bytes of the name of a language behind an opening fence
	maxPeels    = 8   // fences and tags around one object
)

// heads are the formats of calls that write the name before the arguments: Llama's and
// Qwen's, Mistral's, gpt-oss's, DeepSeek's (two), Kimi's.
var heads = regexp.MustCompile(`(?:` + strings.Join([]string{
	`<function=(\w+)>`,
	`\[TOOL_CALLS\]\s*(\w+)\s*(?:\[CALL_ID\]\w+)?(?:\[ARGS\])?`,
	`to=functions\.(\w+)(?:\s|\w|<\|channel\|>|<\|constrain\|>)*<\|message\|>`,
	"<｜tool▁call▁begin｜>function<｜tool▁sep｜>(\\w+)\\s*```json",
	`<｜tool▁call▁begin｜>(\w+)<｜tool▁sep｜>`,
	`<\|tool_call_begin\|>functions\.(\w+):\d+\s*<\|tool_call_argument_begin\|>`,
}, "|") + `)\s*$`)

// toolHead finds the name of a call whose arguments follow before, in the formats
// that write it there. at is where the format begins.
func toolHead(before string) (name string, at int, ok bool) {
	offset := max(0, len(before)-maxHead)
	near := before[offset:]
	if !strings.HasSuffix(strings.TrimRight(near, " \t\r\n"), ">") && !strings.Contains(near, "[TOOL_CALLS]") && !strings.Contains(near, "<｜tool") {
		return "", 0, false // most are told without the expression
	}
	groups := heads.FindStringSubmatch(near)
	if groups == nil {
		return "", 0, false
	}
	for _, name := range groups[1:] {
		if name != "" {
			return name, len(before) - len(groups[0]), true
		}
	}
	return "", 0, false
}

// around names what stands around an object: fences, tags, a list, other text.
func around(before, after string) mends {
	var out mends
	var fence, tags, opened, listed bool
	for range maxPeels {
		before, after = strings.TrimRight(before, " \t\r\n"), strings.TrimLeft(after, " \t\r\n")
		ok := false
		if before, ok = cutFence(before); ok {
			fence = true
		} else if before, ok = cutAny(before, strings.CutSuffix, openTags); ok {
			tags = true
		} else if !opened {
			before, opened = strings.CutSuffix(before, "[")
			ok = opened
		}
		if rest, cut := cutAny(after, strings.CutPrefix, fences); cut {
			after, fence, ok = rest, true, true
		} else if rest, cut := cutAny(after, strings.CutPrefix, closeTags); cut {
			after, tags, ok = rest, true, true
		} else if rest, cut := strings.CutPrefix(after, "]"); cut && opened && !listed {
			after, listed, ok = rest, true, true
		}
		if !ok {
			break
		}
	}
	if before != "" || strings.TrimSpace(after) != "" || opened != listed {
		out.add(mendTextAround)
	}
	if fence {
		out.add(mendFence)
	}
	if tags {
		out.add(mendTags)
	}
	if listed {
		out.add(mendList)
	}
	return out
}

// cutFence takes an opening fence, and the language it names, from the end.
func cutFence(before string) (string, bool) {
	near := max(0, len(before)-maxLanguage-3)
	for _, fence := range fences {
		i := strings.LastIndex(before[near:], fence)
		if i < 0 {
			continue
		}
		language := before[near+i+len(fence):]
		if len(fence) == 1 && language != "" {
			continue
		}
		if strings.IndexFunc(language, func(c rune) bool { return c > 127 || !letter(byte(c)) && (c < '0' || c > '9') }) < 0 {
			return before[:near+i], true
		}
	}
	return before, false
}
