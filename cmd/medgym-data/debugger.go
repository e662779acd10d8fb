package main

import (
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
)

// debuggerFlags say who explains errors to agents.
func debuggerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "debugger", Value: rollout.DebuggedByRules, Usage: "who explains errors that the agent asks about: rules, or the name of a model behind --endpoint"},
	}
}

// debuggerOf makes the debugger of the flags, and says where it is asked; nil where the
// rules explain.
func debuggerOf(c *cli.Context) (rollout.Debugger, []governance.Endpoint, error) {
	name := c.String("debugger")
	switch name {
	case rollout.DebuggedByRules:
		return nil, nil, nil
	case "":
		return nil, nil, usageErrorf(c, "--debugger is neither %s nor the name of a model", rollout.DebuggedByRules)
	}
	servers, err := serversOf(c, name)
	if err != nil {
		return nil, nil, err
	}
	client, err := chat.NewClient(servers)
	if err != nil {
		return nil, nil, err
	}
	debugger, err := chat.Debugger(client, 0)
	return debugger, servers.Endpoints, err
}
