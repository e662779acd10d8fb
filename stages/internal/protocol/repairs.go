package protocol

import "slices"

// Repair is one way in which a reply is mended. Its name is kept with the step.
type Repair struct {
	Name    string
	Meaning string
}

// The repairs, by where they mend.
const (
	// around the object
	mendReasoning  = "reasoning"
	mendTextAround = "text_around"
	mendFence      = "code_fence"
	mendTags       = "tool_tags"
	mendCallInText = "call_in_text"
	mendList       = "list_of_one"
	mendRepeated   = "repeated"

	// its JSON
	mendSingleQuotes  = "single_quotes"
	mendTripleQuotes  = "triple_quotes"
	mendBackticks     = "backtick_quotes"
	mendSmartQuotes   = "smart_quotes"
	mendControls      = "raw_controls"
	mendEscape        = "invalid_escape"
	mendLiterals      = "python_literals"
	mendBareKeys      = "bare_keys"
	mendComments      = "comments"
	mendTrailingComma = "trailing_comma"
	mendUnclosed      = "unclosed"

	// its keys
	mendEnvelope    = "call_envelope"
	mendActionName  = "action_name"
	mendAlias       = "alias"
	mendThoughtName = "thought_name"
	mendParamsName  = "params_name"
	mendParamsText  = "params_text"
	mendFlat        = "flat_params"
	mendNested      = "nested_params"
	mendNull        = "null_param"
)

// Repairs is the closed list of them. docs/replies.md holds the same.
var Repairs = []Repair{
	{mendReasoning, "a block of reasoning (`<think>…</think>` and its like) was passed over: everything up to the last closing mark, and after an opening mark that is never closed"},
	{mendTextAround, "there was other text before or after the object"},
	{mendFence, "the object stood in a code fence, or between backticks"},
	{mendTags, "the object stood in the tags of a chat template: `<tool_call>`, `[TOOL_CALLS]`, `<|python_tag|>`, `<function=…>` and their like"},
	{mendCallInText, "tools were offered, and the action was written as text"},
	{mendList, "the object was the one element of a list"},
	{mendRepeated, "the same action, with the same params, was there more than once"},
	{mendSingleQuotes, "texts stood in single quotes"},
	{mendTripleQuotes, "texts stood in three quotes; they are taken word for word, backslashes too"},
	{mendBackticks, "texts stood in backticks"},
	{mendSmartQuotes, "texts stood in typographic quotes"},
	{mendControls, "texts held line breaks, tabs or other control characters as they are"},
	{mendEscape, "texts held escapes that JSON does not know (`\\d`, `\\.`, `\\'`): backslash and character are both kept"},
	{mendLiterals, "True, False or None stood for true, false or null"},
	{mendBareKeys, "keys had no quotes"},
	{mendComments, "there were comments (`//`, `#`, `/* */`)"},
	{mendTrailingComma, "a comma stood before a closing brace or bracket"},
	{mendUnclosed, "closing braces were missing at the very end, after a whole value"},
	{mendEnvelope, "the object stood in the envelope of a call (`tool_calls`, `function`), or had its keys (`type`, `id`)"},
	{mendActionName, "the action was named by `name`, `tool` or `function` (`tool_name`, `function_name`)"},
	{mendAlias, "the action had its name in the public release: validate_code or debug"},
	{mendThoughtName, "the thought was under `thoughts`, `reasoning`, `thinking`, `rationale` or `explanation`"},
	{mendParamsName, "the params were under `parameters`, `arguments`, `args` or `input` (`action_input`, `tool_input`)"},
	{mendParamsText, "the params were an object written as text"},
	{mendFlat, "the params stood beside `action`"},
	{mendNested, "the arguments of a call held the params, or the whole action of the same name, once more inside"},
	{mendNull, "a param that may be left out was null"},
}

// mends are the repairs of one reply, in the order of mending, each once.
type mends []string

func (m *mends) add(names ...string) {
	for _, name := range names {
		if !slices.Contains(*m, name) {
			*m = append(*m, name)
		}
	}
}
