package program

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medgym-data/medgym-data/schemas"
)

// Where this is set the test binary is an agent program: the value says of which kind.
const playVariable = Prefix + "TEST_PLAY"

func TestMain(m *testing.M) {
	if kind := os.Getenv(playVariable); kind != "" {
		play(kind)
		os.Exit(0)
	}
	if log := os.Getenv(hostVariable); log != "" {
		host(log)
	}
	os.Exit(m.Run())
}

// Where these are set the test binary starts a program that clings to life, tells its
// process and waits to be killed; and a good program says this text.
const (
	hostVariable = "TEST_HOST"
	sayVariable  = Prefix + "TEST_SAY"
)

func host(log string) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	p, err := New(Options{Command: []string{self}, Environment: []string{playVariable + "=clings"}, Log: log})
	if err != nil {
		panic(err)
	}
	policy, err := p.New(schemas.Task{TaskID: "a", AccessTier: schemas.TierOpen}, 0, 1)
	if err != nil {
		panic(err)
	}
	if _, err := policy.Next(context.Background(), talk(1)); err != nil {
		panic(err)
	}
	fmt.Println(policy.(*player).proc.cmd.Process.Pid)
	select {}
}

// secret stands in what faulty programs say, and in the conversations: nothing that we
// say may hold it.
const secret = "patient Ada Example"

// message is any message of ours.
type message struct {
	Type         string           `json:"type"`
	Protocol     int              `json:"protocol"`
	ID           string           `json:"id"`
	Turn         int              `json:"turn"`
	TurnsLeft    int              `json:"turns_left"`
	PromptTokens int              `json:"prompt_tokens"`
	Seed         int64            `json:"seed"`
	Limits       map[string]any   `json:"limits"`
	Messages     []map[string]any `json:"messages"`
}

// play is a program. A kind is "good", or what goes wrong in the second turn; behind a
// slash may stand a file: it then goes wrong only once, when the file is not there.
func play(kind string) {
	kind, once, _ := strings.Cut(kind, ":")
	if once != "" && kind != "good" {
		if f, err := os.OpenFile(once, os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			kind = "good"
		} else {
			_ = f.Close()
		}
	}
	fmt.Fprintln(os.Stderr, "begun", secret)
	in := bufio.NewReader(os.Stdin)
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	for {
		text, err := in.ReadBytes('\n')
		if err != nil {
			if kind == "clings" {
				time.Sleep(time.Hour)
			}
			return
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			panic(err)
		}
		switch {
		case m.Type == "hello":
			switch kind {
			case "mute":
				return
			case "stranger":
				say("hello, who are you, %s?", secret)
			case "older":
				say(`{"type":"ready","protocol":0}`)
			default:
				say(`{"type":"ready","protocol":%d}`, m.Protocol)
			}
			continue
		case m.Type == "start":
			if kind == "tells" {
				fmt.Fprintf(os.Stderr, "%s %d %v\n", m.ID, m.Seed, m.Limits)
			}
			continue
		case m.Type == "end":
			switch kind {
			case "chatty": // what nobody asked for
				say(`{"type":"done","id":%q,"turn":%d}`, m.ID, m.Turn+1)
			case "leaves":
				return
			}
			continue
		case m.Turn == 1 || kind == "good" || kind == "chatty" || kind == "leaves" || kind == "clings":
			content := fmt.Sprintf("%d of %d by %d", m.Turn, m.Turn+m.TurnsLeft-1, os.Getpid())
			if text := os.Getenv(sayVariable); text != "" {
				content = text
			}
			say(`{"type":"reply","id":%q,"turn":%d,"content":%s,"reasoning":"r","finish_reason":"stop","usage":{"prompt_tokens":3,"completion_tokens":2},"cost_usd":0.5}`,
				m.ID, m.Turn, strconv.Quote(content))
			continue
		}
		misplay(kind, m, say)
	}
}

// misplay is what a program of a kind does in the second turn.
func misplay(kind string, m message, say func(string, ...any)) {
	head := fmt.Sprintf(`"id":%q,"turn":%d`, m.ID, m.Turn)
	switch kind {
	case "dies":
		fmt.Fprintln(os.Stderr, "traceback of", secret)
		os.Exit(3)
	case "silent":
		time.Sleep(time.Hour)
	case "family": // a child of the same group that outlives it, then silence
		cmd := exec.Command("sleep", "3600")
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "child", cmd.Process.Pid)
		time.Sleep(time.Hour)
	case "closes":
		_ = os.Stdout.Close()
		time.Sleep(time.Hour)
	case "garbage":
		say("Sure! %s is here", secret)
	case "array":
		say(`[{"type":"done",%s}]`, head)
	case "twice":
		say(`{"type":"done","type":"done",%s}`, head)
	case "cut":
		fmt.Printf(`{"type":"done",%s`, head)
		os.Exit(0)
	case "utf8":
		say("{\"type\":\"reply\",%s,\"content\":\"\xff\"}", head)
	case "surrogate":
		say(`{"type":"reply",%s,"content":"\ud800"}`, head)
	case "long":
		say(`{"type":"reply",%s,"content":"%s"}`, head, strings.Repeat("x", 1<<17))
	case "endless":
		for {
			if _, err := io.WriteString(os.Stdout, strings.Repeat("x", 1<<12)); err != nil {
				os.Exit(1)
			}
		}
	case "flood":
		for {
			if _, err := fmt.Fprintln(os.Stderr, strings.Repeat(secret, 100)); err != nil {
				os.Exit(1)
			}
		}
	case "key":
		say(`{"type":"reply",%s,"content":"x","%s":1}`, head, secret)
	case "case":
		say(`{"type":"reply",%s,"Content":"x"}`, head)
	case "type":
		say(`{"type":"%s",%s}`, secret, head)
	case "untyped":
		say(`{%s}`, head)
	case "ready":
		say(`{"type":"ready","protocol":1}`)
	case "value":
		say(`{"type":"reply",%s,"content":7}`, head)
	case "nothing":
		say(`{"type":"reply",%s}`, head)
	case "finish":
		say(`{"type":"reply",%s,"content":"","finish_reason":"%s"}`, head, secret)
	case "usage":
		say(`{"type":"reply",%s,"content":"","usage":{"prompt_tokens":-1}}`, head)
	case "cost":
		say(`{"type":"reply",%s,"content":"","cost_usd":-1}`, head)
	case "logprobs":
		say(`{"type":"reply",%s,"content":"","token_ids":[1],"logprobs":[-1,-2]}`, head)
	case "arguments":
		say(`{"type":"reply",%s,"calls":[{"id":"a","name":"b","arguments":[1]}]}`, head)
	case "id":
		say(`{"type":"done","id":"%s","turn":%d}`, secret, m.Turn)
	case "turn":
		say(`{"type":"done","id":%q,"turn":%d}`, m.ID, m.Turn-1)
	case "error":
		say(`{"type":"error",%s,"message":"no luck with %s"}`, head, secret)
	case "kind":
		say(`{"type":"error",%s,"kind":"%s"}`, head, secret)
	case "context":
		say(`{"type":"error",%s,"kind":"context_length","message":"%s"}`, head, secret)
	case "done":
		say(`{"type":"done",%s}`, head)
	case "cuts":
		say(`{"type":"reply",%s,"content":"so","finish_reason":"length"}`, head)
	case "calls":
		say(`{"type":"reply",%s,"calls":[{"id":"c1","name":"terminal","arguments":"{\"cmd\":\"ls\"}"},{"id":"c2","name":"terminal","arguments":{"cmd":"pwd"}}],"token_ids":[1,2],"logprobs":[-0.5,-1]}`, head)
	case "environment":
		_, key := os.LookupEnv("MEDGYM_API_KEY")
		say(`{"type":"reply",%s,"content":%s}`, head, strconv.Quote(fmt.Sprint(key, " ", os.Getenv("NAMED"), " ", os.Getenv("UNNAMED"), " ", len(os.Getenv("PATH")) > 0)))
	default:
		panic(kind)
	}
}
