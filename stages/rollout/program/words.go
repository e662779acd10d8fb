package program

import (
	"errors"
	"fmt"
	"strings"
)

// Split splits a command into words as a POSIX shell does: by blanks, with single and
// double quotes and backslashes. It is no shell: what one would give another meaning
// to (variables, patterns, pipes, redirections) is an error unless it is quoted, and
// so is a line break. Errors name a character and quote no more.
func Split(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case c == 0:
			return nil, errors.New("it holds a NUL")
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
			continue
		case c == '\\':
			if i++; i == len(command) {
				return nil, errors.New("it ends with a backslash")
			}
			if command[i] == '\n' || command[i] == 0 {
				return nil, errors.New("a backslash stands before a line break or a NUL")
			}
			word.WriteByte(command[i])
		case c == '\'':
			n := strings.IndexByte(command[i+1:], '\'')
			if n < 0 {
				return nil, errors.New("a single quote is not closed")
			}
			if strings.IndexByte(command[i+1:i+1+n], 0) >= 0 {
				return nil, errors.New("it holds a NUL")
			}
			word.WriteString(command[i+1 : i+1+n])
			i += n + 1
		case c == '"':
			n, err := doubleQuoted(command[i+1:], &word)
			if err != nil {
				return nil, err
			}
			i += n
		case strings.IndexByte("|&;<>()$`*?[\n", c) >= 0, !inWord && strings.IndexByte("~#{}!", c) >= 0:
			return nil, fmt.Errorf("%q means something to a shell, and none runs it: quote it", c)
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("it names no program")
	}
	return words, nil
}

// doubleQuoted reads up to the closing quote and gives its length with it.
func doubleQuoted(text string, word *strings.Builder) (int, error) {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return i + 1, nil
		case 0:
			return 0, errors.New("it holds a NUL")
		case '$', '`':
			return 0, fmt.Errorf("%q in double quotes means something to a shell, and none runs it: use single quotes", c)
		case '\\':
			if i+1 == len(text) {
				return 0, errors.New("a double quote is not closed")
			}
			switch next := text[i+1]; next {
			case '$', '`', '"', '\\':
				word.WriteByte(next)
				i++
			case '\n':
				return 0, errors.New("a backslash stands before a line break or a NUL")
			default:
				word.WriteByte(c)
			}
		default:
			word.WriteByte(c)
		}
	}
	return 0, errors.New("a double quote is not closed")
}
