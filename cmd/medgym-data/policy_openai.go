package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/urfave/cli/v2"

	"github.com/medgym-data/medgym-data/pipeline"
	"github.com/medgym-data/medgym-data/pipeline/governance"
	"github.com/medgym-data/medgym-data/stages/rollout"
	"github.com/medgym-data/medgym-data/stages/rollout/chat"
)

// texts is the value of a flag that may be repeated and whose values may hold commas.
type texts []string

func (t *texts) Set(value string) error {
	*t = append(*t, value)
	return nil
}

func (t *texts) String() string { return strings.Join(*t, ", ") }

// serverFlags say where models are asked, and how patiently.
func serverFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "endpoint", EnvVars: []string{"MEDGYM_ENDPOINT"}, Usage: "model API, as http://127.0.0.1:8000/v1 or unix:/run/model.sock; may be repeated, the load is shared; rows that are not open go to local ones only"},
		&cli.StringSliceFlag{Name: "attestation", EnvVars: []string{"MEDGYM_ATTESTATION"}, Usage: "YAML file that states what was verified about an endpoint that is not local, see docs/governance.md; may be repeated"},
		&cli.PathFlag{Name: "key-file", EnvVars: []string{"MEDGYM_KEY_FILE"}, Usage: "file with the endpoints' key, which only its owner can read; default: $" + chat.KeyVariable},
		&cli.DurationFlag{Name: "request-timeout", Value: 10 * time.Minute, Usage: "time of one request, its response read"},
		&cli.IntFlag{Name: "request-retries", Value: 4, Usage: "how often a request is sent again after a fault that may pass"},
		&cli.DurationFlag{Name: "patience", Value: 10 * time.Minute, Usage: "how long a server that is away or busy is waited for"},
		&cli.IntFlag{Name: "endpoint-concurrency", Value: 256, Usage: "requests at a time to one endpoint"},
		&cli.IntFlag{Name: "rate", DefaultText: "no limit", Usage: "requests a minute to one endpoint"},
		&cli.PathFlag{Name: "prices", Usage: "YAML file with the prices of models, see docs/rollout.md"},
	}
}

// chatFlags are those of the policy openai.
func chatFlags() []cli.Flag {
	return append(serverFlags(),
		&cli.StringFlag{Name: "model", EnvVars: []string{"MEDGYM_MODEL"}, Usage: "openai: name of the model"},
		&cli.StringFlag{Name: "protocol", Value: rollout.ProtocolJSON, Usage: "openai: json, actions as JSON in the replies; tools, native tool calls"},
		&cli.Float64SliceFlag{Name: "temperature", DefaultText: "the endpoint's", Usage: "openai: of the sampling; may be repeated: attempt i has the i-th, round and round"},
		&cli.Float64Flag{Name: "top-p", DefaultText: "the endpoint's", Usage: "openai: of the sampling"},
		&cli.IntFlag{Name: "reply-tokens", Value: 8_192, Usage: "most tokens of a reply"},
		&cli.GenericFlag{Name: "stop", Value: &texts{}, Usage: "openai: text that ends a reply; may be repeated"},
		&cli.IntFlag{Name: "n", Value: 1, Usage: "openai: so many attempts at a task have their first replies from one request"},
		&cli.BoolFlag{Name: "logprobs", Usage: "openai: keep the log probabilities of the replies' tokens"},
		&cli.BoolFlag{Name: "token-ids", Usage: "openai: keep the ids of the replies' tokens"},
		&cli.StringFlag{Name: "extra-body", Usage: "openai: JSON object, or @FILE with one, that is merged into each request"},
	)
}

// serversOf reads serverFlags for a model. The endpoints are classified.
func serversOf(c *cli.Context, model string) (chat.ClientOptions, error) {
	opts := chat.ClientOptions{Model: model, Timeout: c.Duration("request-timeout"), Patience: c.Duration("patience"), Retries: c.Int("request-retries"),
		InFlight: c.Int("endpoint-concurrency"), PerMinute: c.Int("rate")}
	switch {
	case opts.Timeout <= 0 || opts.Patience <= 0:
		return opts, usageErrorf(c, "--request-timeout and --patience have to be above zero")
	case opts.InFlight < 1:
		return opts, usageErrorf(c, "--endpoint-concurrency is %d, must be at least 1", opts.InFlight)
	case opts.PerMinute < 0 || c.IsSet("rate") && opts.PerMinute == 0:
		return opts, usageErrorf(c, "--rate is %d, must be at least 1", opts.PerMinute)
	case opts.Retries < 0:
		return opts, usageErrorf(c, "--request-retries is negative")
	case opts.Retries == 0:
		opts.Retries = -1
	}
	var err error
	if opts.Endpoints, err = endpointsOf(c); err != nil {
		return opts, err
	}
	if opts.Key, err = keyOf(c.Path("key-file")); err != nil {
		return opts, err
	}
	if opts.Log, err = logger(c); err != nil {
		return opts, err
	}
	if file := c.Path("prices"); file != "" {
		prices, err := chat.ReadPrices(file)
		if err != nil {
			return opts, err
		}
		if opts.Price = prices.Of(model); opts.Price == nil {
			return opts, pipeline.BadInput(file, 0, fmt.Sprintf("has no price of the model %s", model), "add it, or leave --prices out")
		}
	}
	return opts, nil
}

// endpointsOf classifies the endpoints that the flags name, each with the attestation
// that is about it.
func endpointsOf(c *cli.Context) ([]governance.Endpoint, error) {
	names := c.StringSlice("endpoint")
	if len(names) == 0 {
		return nil, usageErrorf(c, "flag --endpoint is required")
	}
	attested := map[*governance.Attestation]bool{} // and whether one is about an endpoint
	for _, file := range c.StringSlice("attestation") {
		a, err := governance.ReadAttestation(file, time.Now())
		if err != nil {
			return nil, err
		}
		attested[a] = false
	}
	var out []governance.Endpoint
	for _, name := range names {
		parsed, err := governance.ParseEndpoint(name)
		if err != nil {
			return nil, usageErrorf(c, "--endpoint cannot be used: %w", err)
		}
		if slices.ContainsFunc(out, func(e governance.Endpoint) bool { return e.Name() == parsed.Name() }) {
			return nil, usageErrorf(c, "--endpoint %s is there twice", parsed.Name())
		}
		var about *governance.Attestation
		for a := range attested {
			if a.Covers(parsed) {
				about, attested[a] = a, true
			}
		}
		e, err := governance.Classify(c.Context, name, about, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	for _, a := range slices.SortedFunc(maps.Keys(attested), func(a, b *governance.Attestation) int { return strings.Compare(a.File, b.File) }) {
		if !attested[a] {
			return nil, pipeline.BadInput(a.File, 0, fmt.Sprintf("is an attestation for %s, which is no --endpoint", a.Endpoint.Name()), "name the one for this endpoint, or leave it out")
		}
	}
	return out, nil
}

// keyOf is the endpoints' key: from a file that nobody but its owner can read, or from
// the environment. It is never a flag: those are seen by everyone on the machine.
func keyOf(file string) (string, error) {
	if file == "" {
		return checkKey("$"+chat.KeyVariable, os.Getenv(chat.KeyVariable))
	}
	f, err := os.Open(file)
	if err != nil {
		return "", &pipeline.InputError{File: file, What: "the key cannot be read", Err: reasonOf(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", &pipeline.InputError{File: file, What: "the key cannot be read", Err: reasonOf(err)}
	case !info.Mode().IsRegular():
		return "", pipeline.BadInput(file, 0, "is not a file", "name the file with the key")
	case info.Mode().Perm()&0o077 != 0:
		return "", pipeline.BadInput(file, 0, "others can read or change the key", "chmod 600 it, and have a new key made")
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<16))
	if err != nil {
		return "", &pipeline.InputError{File: file, What: "the key cannot be read", Err: reasonOf(err)}
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", pipeline.BadInput(file, 0, "holds no key", "write the key into it")
	}
	return checkKey(file, string(text))
}

func checkKey(where, key string) (string, error) {
	key = strings.TrimSpace(key)
	if len(key) > 1<<14 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", pipeline.BadInput(where, 0, "holds no key", "a key is one word")
	}
	return key, nil
}

// reasonOf is the cause of an error of a file whose name is said already.
func reasonOf(err error) error {
	var cause *os.PathError
	if errors.As(err, &cause) {
		return cause.Err
	}
	return err
}

// extraOf reads --extra-body.
func extraOf(c *cli.Context) (map[string]jsontext.Value, error) {
	value := c.String("extra-body")
	if value == "" {
		return nil, nil
	}
	file, isFile := strings.CutPrefix(value, "@")
	if isFile {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, &pipeline.InputError{File: file, What: "cannot be read", Err: reasonOf(err)}
		}
		value = string(text)
	}
	var extra map[string]jsontext.Value
	err := json.Unmarshal([]byte(value), &extra)
	switch {
	case err == nil && extra == nil, err != nil:
		err = errors.New("it is no JSON object, each key once")
	default:
		err = chat.CheckExtra(extra)
	}
	switch {
	case err == nil:
		return extra, nil
	case isFile:
		return nil, &pipeline.InputError{File: file, What: "cannot be an extra body", Err: err}
	}
	return nil, usageErrorf(c, "--extra-body cannot be used: %w", err)
}

// chatPolicies makes the policy openai of the flags.
func chatPolicies(c *cli.Context) (rollout.Policies, []governance.Endpoint, error) {
	if c.String("model") == "" && len(c.StringSlice("endpoint")) > 0 {
		return nil, nil, usageErrorf(c, "flag --model is required")
	}
	client, err := serversOf(c, c.String("model"))
	if err != nil {
		return nil, nil, err
	}
	stop, _ := c.Generic("stop").(*texts) // the flag's own type
	opts := chat.Options{Protocol: c.String("protocol"), Temperatures: c.Float64Slice("temperature"), MaxTokens: c.Int("reply-tokens"), Stop: *stop, Seeds: true,
		N: c.Int("n"), Seed: c.Uint64("seed"), Logprobs: c.Bool("logprobs"), TokenIDs: c.Bool("token-ids")}
	if c.IsSet("top-p") {
		value := c.Float64("top-p")
		opts.TopP = &value
	}
	if opts.N < 1 || opts.MaxTokens < 1 {
		return nil, nil, usageErrorf(c, "--n and --reply-tokens must be at least 1")
	}
	if opts.Extra, err = extraOf(c); err != nil {
		return nil, nil, err
	}
	if opts.Client, err = chat.NewClient(client); err != nil {
		return nil, nil, err
	}
	policies, err := chat.New(opts)
	return policies, client.Endpoints, err
}
