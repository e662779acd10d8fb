package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself, which answers --generate-bash-completion.
var completions = map[string]string{
	"bash": `_medgym_data() {
  local words
  words=$("${COMP_WORDS[@]:0:COMP_CWORD}" --generate-bash-completion 2>/dev/null)
  COMPREPLY=($(compgen -W "${words}" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _medgym_data medgym-data
`,
	"zsh": `#compdef medgym-data
_medgym_data() {
  local -a words_found
  words_found=("${(@f)$(${words[@]:0:#words-1} --generate-bash-completion 2>/dev/null)}")
  compadd -- $words_found
}
compdef _medgym_data medgym-data
`,
	"fish": `complete -c medgym-data -f -a '(eval (commandline -opc) --generate-bash-completion 2>/dev/null)'
`,
}

// completionCommand prints a completion script for a shell.
func completionCommand() *cli.Command {
	return &cli.Command{
		Name: "completion", Usage: "print the completion script of a shell: bash, zsh or fish", ArgsUsage: "SHELL",
		Action: func(c *cli.Context) error {
			script, ok := completions[c.Args().First()]
			if !ok {
				return usageError{errors.New("name a shell: medgym-data completion bash, zsh or fish")}
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}
