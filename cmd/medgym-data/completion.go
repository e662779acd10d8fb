package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself, which answers --generate-bash-completion. A
// flag that is being written is handed on, but for --, which ends all flags. SHELL
// is set because the library adds descriptions where it names zsh.
var completions = map[string]string{
	"bash": `_medgym_data() {
  local word="${COMP_WORDS[COMP_CWORD]}"
  local ask=("${COMP_WORDS[@]:0:COMP_CWORD}")
  case "$word" in
  --) ask+=(-) ;;
  -*) ask+=("$word") ;;
  esac
  COMPREPLY=($(compgen -W "$(SHELL=sh "${ask[@]}" --generate-bash-completion 2>/dev/null)" -- "$word"))
}
complete -o default -F _medgym_data medgym-data
`,
	"zsh": `#compdef medgym-data
_medgym_data() {
  local -a ask found
  ask=("${(@)words[1,CURRENT-1]}")
  case "${words[CURRENT]}" in
  --) ask+=(-) ;;
  -*) ask+=("${words[CURRENT]}") ;;
  esac
  found=("${(@f)$(SHELL=sh "${ask[@]}" --generate-bash-completion 2>/dev/null)}")
  compadd -- $found || _files
}
compdef _medgym_data medgym-data
`,
	"fish": `complete -c medgym-data -a '(env SHELL=sh (commandline -opc) (commandline -ct | string match -- "-*" | string replace -r "^--\$" -- -) --generate-bash-completion 2>/dev/null)'
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
