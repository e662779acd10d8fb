#!/usr/bin/env python3
"""An agent program for `medgym-data rollout --policy exec` (docs/exec.md has the protocol).

    medgym-data rollout --policy exec --exec "python3 docs/examples/agent.py --demo"

looks around, without a model, and gives up.

    export MEDGYM_EXEC_ENDPOINT=http://127.0.0.1:8000/v1 MEDGYM_EXEC_MODEL=my-model
    medgym-data rollout --policy exec --exec-local --exec "python3 docs/examples/agent.py"

asks an OpenAI-compatible server for each reply; MEDGYM_EXEC_KEY is its key, where it wants one.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.request


class TooLong(Exception):
    """The conversation is longer than the model can read."""


class Demo:
    """Looks at what there is, then gives up."""

    looks = [
        ("terminal", {"cmd": "ls -l"}),
        ("code_execution", {"code": "import os\nprint(sorted(os.listdir('.')))"}),
    ]

    def __init__(self, start):
        self.moves = [move for move in self.looks if move[0] in start["actions"]]

    def reply(self, turn):
        if not self.moves:
            return None  # gives up
        action, params = self.moves.pop(0)
        return {"content": json.dumps({"thought": "What is here?", "action": action, "params": params})}


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Rows go to the server that was named, and to no other."""

    def redirect_request(self, *args):
        return None


class Model:
    """Has a model write every reply."""

    def __init__(self, start):
        self.url = os.environ["MEDGYM_EXEC_ENDPOINT"].rstrip("/") + "/chat/completions"
        self.model = os.environ.get("MEDGYM_EXEC_MODEL", "default")
        self.seed = start["seed"] % 2**31
        self.most = start["limits"].get("reply_tokens", 8192)
        # No proxy of the environment either.
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects).open

    def reply(self, turn):
        body = {"model": self.model, "messages": turn["messages"], "seed": self.seed, "max_tokens": self.most}
        headers = {"Content-Type": "application/json"}
        if os.environ.get("MEDGYM_EXEC_KEY"):
            headers["Authorization"] = "Bearer " + os.environ["MEDGYM_EXEC_KEY"]
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        try:
            with self.open(request, timeout=600) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as fault:
            if fault.code == 400 and b"context" in fault.read():
                raise TooLong from None
            raise
        choice = answer["choices"][0]
        reply = {
            "content": choice["message"].get("content") or "",
            "reasoning": choice["message"].get("reasoning_content") or "",
            "finish_reason": choice.get("finish_reason") or "stop",
        }
        usage = answer.get("usage") or {}
        reply["usage"] = {key: usage.get(key) or 0 for key in ("prompt_tokens", "completion_tokens")}
        return reply


def answer(agent, turn):
    """The one message that answers a turn."""
    head = {"id": turn["id"], "turn": turn["turn"]}
    try:
        reply = agent.reply(turn)
    except TooLong:
        return {"type": "error", **head, "kind": "context_length"}
    except Exception as fault:  # the attempt is begun anew, in another process
        return {"type": "error", **head, "message": f"{type(fault).__name__}: {fault}"}
    if reply is None:
        return {"type": "done", **head}
    return {"type": "reply", **head, **reply}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="play without a model")
    new = Demo if parser.parse_args().demo else Model
    agent = None

    # stdout is the protocol's alone: what is printed goes to stderr, and so to exec.log.
    out, sys.stdout = sys.stdout, sys.stderr

    def say(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    for line in sys.stdin.buffer:
        message = json.loads(line)
        if message["type"] == "hello":
            if message["protocol"] != 1:
                sys.exit(f"protocol {message['protocol']} is not known")
            say({"type": "ready", "protocol": 1})
        elif message["type"] == "start":
            agent = new(message)
        elif message["type"] == "turn":
            say(answer(agent, message))
        elif message["type"] == "end":
            agent = None


if __name__ == "__main__":
    main()
