package model

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/medgym-data/medgym-data/pipeline"
)

// Class says what kind of fault an Error is.
type Class string

// The classes of faults.
const (
	ClassBusy    Class = "busy"    // 429
	ClassAway    Class = "away"    // refused, reset, no name, 502 to 504
	ClassFaulty  Class = "faulty"  // 500, a response that is cut, malformed or without a choice
	ClassTimeout Class = "timeout" // the request's time is over
	// Those below are never sent again. The same request would fail again:
	ClassContext  Class = "context"   // the prompt is too long for the server
	ClassRefused  Class = "refused"   // 400, 422, a reply that was withheld
	ClassTooLarge Class = "too_large" // the response is
	ClassGarbled  Class = "garbled"   // the server cannot read the tool call that its model wrote
	// and so would any other. They come as a pipeline.InputError.
	ClassKey     Class = "key"     // 401, 403, an account without money
	ClassModel   Class = "model"   // 404, 405: no such model or no such API
	ClassAddress Class = "address" // a redirect, a certificate, TLS or none where the other is spoken
)

// Error is a fault of a server or of the way to it. It holds nothing that was sent or
// received: Code is one of a closed list of names.
type Error struct {
	Endpoint string
	Class    Class
	Status   int    // of HTTP; 0: there was no response
	Code     string // as servers name it; empty: none that is known
	Err      error  // may be nil

	after    time.Duration // the server asked to wait
	older    bool          // the server refuses max_tokens and takes max_completion_tokens
	uncapped bool          // the server would take the request with fewer reply tokens
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("endpoint " + e.Endpoint)
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" (" + e.Code + ")")
	}
	b.WriteString(": " + classes[e.Class])
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

var classes = map[Class]string{
	ClassBusy: "it is busy", ClassAway: "it is away", ClassFaulty: "it is faulty", ClassTimeout: "it took too long", ClassContext: "the prompt is too long for it",
	ClassRefused: "it refuses the request", ClassTooLarge: "its response is too large", ClassGarbled: "its model wrote no tool call that it can read", ClassKey: "it does not take the key",
	ClassModel: "it has no such model or no such API", ClassAddress: "it cannot be asked there",
}

// final is the error as Chat returns it: what no other request would pass ends a run.
func (e *Error) final() error {
	var refused *pipeline.PolicyError
	switch {
	case errors.As(e.Err, &refused):
		return refused
	case e.Class == ClassKey:
		return &pipeline.InputError{What: "the key is not accepted", Err: e, Do: "set " + KeyVariable + " or --key-file to one that is, and see that its account may use the model"}
	case e.Class == ClassModel:
		return &pipeline.InputError{What: "there is no such model or no such API", Err: e, Do: "check --endpoint, which often ends in /v1, and --model"}
	case e.Class == ClassAddress:
		return &pipeline.InputError{What: "the endpoint cannot be used", Err: e, Do: "name the endpoint itself, by its scheme and with a certificate that holds: redirects are not followed"}
	}
	return e
}

// Causes of faults, in place of what the network or the server says, which may quote
// what was sent.
var (
	errOutwaited   = errors.New("it was waited for in vain")
	errConnect     = errors.New("it refuses connections")
	errReset       = errors.New("the connection broke off")
	errName        = errors.New("its name is not known")
	errNetwork     = errors.New("the network fails")
	errCut         = errors.New("the response broke off")
	errMalformed   = errors.New("the response is not what the protocol says")
	errNoChoice    = errors.New("the response holds no choice")
	errWithheld    = errors.New("the reply was withheld")
	errCertificate = errors.New("its certificate does not hold")
	errNoTLS       = errors.New("it does not speak TLS: use http://")
	errTLS         = errors.New("it speaks TLS: use https://")
	errHandshake   = errors.New("the TLS handshake fails")
	errRedirect    = errors.New("it leads elsewhere")
)

// lost is the fault of a request without a response. ctx is the one of the request.
func lost(ctx context.Context, endpoint string, err error) *Error {
	e := &Error{Endpoint: endpoint, Class: ClassAway, Err: errNetwork}
	var (
		refused *pipeline.PolicyError
		name    *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		timeout net.Error
	)
	switch {
	case errors.As(err, &refused):
		e.Class, e.Err = ClassAddress, refused
	case ctx.Err() != nil:
		e.Class, e.Err = ClassTimeout, ctx.Err()
	case errors.As(err, &cert):
		e.Class, e.Err = ClassAddress, errCertificate
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		e.Class, e.Err = ClassAddress, errNoTLS
	case errors.As(err, &alert):
		e.Class, e.Err = ClassAddress, errHandshake
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`):
		e.Class, e.Err = ClassAddress, errTLS
	case strings.Contains(err.Error(), "malformed HTTP"):
		e.Class, e.Err = ClassFaulty, errMalformed
	case errors.As(err, &name):
		e.Err = errName
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		e.Err = errConnect
	case broken(err):
		e.Err = errReset
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Err = errConnect
	}
	return e
}

func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "server closed idle connection")
}

// names are the codes and types of errors that servers give, in lower case. What is
// not among them is not shown: a server may put anything there, a prompt or a key.
var names = []string{
	"access_denied", "account_deactivated", "api_error", "authentication_error", "badrequesterror", "billing_hard_limit_reached", "billing_not_active",
	"content_filter", "content_policy_violation", "context_length_exceeded", "deploymentnotfound", "engine_overloaded", "exceed_context_size_error",
	"forbidden", "insufficient_quota", "internal_error", "internal_server_error", "internalservererror", "invalid_api_key", "invalid_prompt",
	"invalid_request_error", "invalid_request", "invalid_type", "invalid_value", "missing_required_parameter", "model_not_found", "not_found", "not_found_error",
	"not_supported_error", "notfounderror", "operationnotsupported", "overloaded_error", "permission_denied", "permission_error", "permissiondenied",
	"rate_limit_error", "rate_limit_exceeded", "requests", "resource_not_found", "responsibleaipolicyviolation", "server_error", "service_unavailable",
	"string_above_max_length", "timeout", "tokens", "toomanyrequests", "unauthorized", "unavailable_error", "unprocessableentityerror", "unsupported_parameter",
	"unsupported_value", "validation_error", "valueerror",
}

// serverFault is what the body of an error says, in the forms that servers have:
// {"error": {message, type, code, param}}, {"error": "…"}, and the same keys at the top.
type serverFault struct {
	names   []string // code and type, in lower case, of the closed list
	status  int      // given as the code; 0: none
	message string   // in lower case; never shown
	param   string
}

// loose reads what may be of any type.
type loose struct {
	Message any `json:"message"`
	Code    any `json:"code"`
	Type    any `json:"type"`
	Param   any `json:"param"`
	Detail  any `json:"detail"`
}

func readFault(body []byte) serverFault {
	var doc struct {
		Error any `json:"error"`
		loose
	}
	f := serverFault{message: strings.ToLower(string(body))}
	if json.Unmarshal(body, &doc, lenient) != nil {
		return f
	}
	in := map[string]any{"message": doc.Message, "code": doc.Code, "type": doc.Type, "param": doc.Param}
	switch e := doc.Error.(type) {
	case map[string]any:
		in = e
		if inner, ok := e["innererror"].(map[string]any); ok && in["type"] == nil {
			in["type"] = inner["code"]
		}
	case string:
		in["message"] = e
	}
	for _, key := range []string{"code", "type"} {
		switch v := in[key].(type) {
		case string:
			if name := strings.ToLower(v); slices.Contains(names, name) {
				f.names = append(f.names, name)
			}
		case float64:
			if v >= 100 && v < 600 {
				f.status = int(v)
			}
		}
	}
	if text, ok := in["message"].(string); ok {
		f.message = strings.ToLower(text)
	}
	f.param, _ = in["param"].(string) // anything else is none
	return f
}

func (f serverFault) is(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(f.names, n) })
}

// tooLong are the ways in which servers say that a prompt passes their context.
var tooLong = regexp.MustCompile(strings.Join([]string{
	`maximum context length`, `maximum model length`, `max_model_len`, `model's context length`, `available context size`, `exceeds? (?:the )?(?:maximum )?context (?:length|size|window|limit)`,
	`context length exceeded`, `exceeds? the maximum allowed length`, `max_tokens must be at least 1, got -`, `prompt is too long`, `input is too long`,
	"`?inputs`? tokens \\+ `?max_new_tokens`? must be", "`?inputs`? must have less than", `greater than the context length`, `longer than the maximum (?:sequence|input) length`,
}, "|"))

// tooMuch are the ways in which they say that prompt and reply together do: the
// request may pass with fewer tokens for the reply.
var tooMuch = regexp.MustCompile(`max(?:_completion)?_tokens'?,? (?:or '?max_completion_tokens'? )?is too large|in (?:the|your) completion|for the completion|output tokens|requested token count`)

// answered is the fault of a response that is none: its status and body.
func answered(endpoint string, status int, header http.Header, body []byte) *Error {
	f := readFault(body)
	e := &Error{Endpoint: endpoint, Status: status}
	if len(f.names) > 0 {
		e.Code = f.names[0]
	}
	if status == http.StatusOK { // an error all the same
		status = f.status
	}
	switch {
	case status >= 300 && status < 400:
		e.Class, e.Err = ClassAddress, errRedirect
	case f.is("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated"):
		e.Class = ClassKey
	case status == http.StatusTooManyRequests:
		e.Class = ClassBusy
	case status == http.StatusUnauthorized, status == http.StatusForbidden, f.is("invalid_api_key"), status == http.StatusPaymentRequired:
		e.Class = ClassKey
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed, f.is("model_not_found", "deploymentnotfound"):
		e.Class = ClassModel
	case status == http.StatusBadRequest && plainToTLS(f.message):
		e.Class, e.Err = ClassAddress, errTLS
	case f.is("context_length_exceeded", "exceed_context_size_error", "string_above_max_length"), status == http.StatusRequestEntityTooLarge,
		(status == 0 || status == http.StatusBadRequest || status == http.StatusUnprocessableEntity || status == http.StatusInternalServerError) && tooLong.MatchString(f.message):
		e.Class = ClassContext
		e.uncapped = tooMuch.MatchString(f.message)
	case status == http.StatusInternalServerError && strings.Contains(f.message, "does not match the expected"): // llama.cpp
		e.Class = ClassGarbled
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout,
		status == http.StatusTooEarly, status >= 520 && status < 530: // the last: of a proxy whose server is away
		e.Class = ClassAway
	case status >= 400 && status < 500:
		e.Class = ClassRefused
		e.older = f.is("unsupported_parameter") && f.param == "max_tokens" || strings.Contains(f.message, "max_tokens") && strings.Contains(f.message, "use 'max_completion_tokens'")
	default:
		e.Class = ClassFaulty
	}
	if e.Class == ClassBusy || e.Class == ClassAway || e.Class == ClassFaulty {
		e.after = retryAfter(header, time.Now())
	}
	return e
}

func plainToTLS(message string) bool {
	return strings.Contains(message, "http request to an https server") || strings.Contains(message, "plain http request was sent to https port")
}

// longest that a server may ask to wait.
const longest = 10 * time.Minute

// retryAfter is how long a server asks to wait: in milliseconds, in seconds, or until
// a date. What cannot be read is nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	number := func(key string, unit time.Duration) (time.Duration, bool) {
		v, err := strconv.ParseFloat(strings.TrimSpace(header.Get(key)), 64)
		if err != nil || math.IsNaN(v) || v < 0 {
			return 0, false
		}
		return time.Duration(min(v*float64(unit), float64(longest))), true
	}
	if d, ok := number("Retry-After-Ms", time.Millisecond); ok {
		return d
	}
	if d, ok := number("Retry-After", time.Second); ok {
		return d
	}
	at, err := http.ParseTime(header.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), longest)
}
