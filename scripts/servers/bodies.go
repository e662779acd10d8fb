package main

// actionsFormat constrains replies to the program's actions: as JSON over the text,
// with programs and commands to choose from, so that what noise chooses runs.
const actionsFormat = `{"response_format": {"type": "json_schema", "json_schema": {"name": "action", "strict": true, "schema": {"anyOf": [
 {"type": "object", "additionalProperties": false, "required": ["action", "params"], "properties": {
  "action": {"const": "code_execution"},
  "params": {"type": "object", "additionalProperties": false, "required": ["code"], "properties": {"code": {"enum": [
   "print(6 * 7)", "import os\nprint(sorted(os.listdir('.')))", "1 / 0", "answer = 0.8", "answer = 120", "import time\ntime.sleep(0.2)\nprint('slept')", "raise SystemExit(3)"]}}}}},
 {"type": "object", "additionalProperties": false, "required": ["action", "params"], "properties": {
  "action": {"const": "terminal"},
  "params": {"type": "object", "additionalProperties": false, "required": ["cmd"], "properties": {"cmd": {"enum": ["ls -la", "pwd", "false", "python -c 'print(1)'"]}}}}},
 {"type": "object", "additionalProperties": false, "required": ["action", "params"], "properties": {
  "action": {"const": "debugging"},
  "params": {"type": "object", "additionalProperties": false, "required": ["code", "error_msg"], "properties": {"code": {"enum": ["1 / 0", "print(x)"]}, "error_msg": {"type": "string", "maxLength": 30}}}}}
]}}}}`

// llamaCalls makes noise call tools: the tokens <tool_call>, after which the server
// holds the model to the format of a call, </tool_call>, the quote that ends a text,
// and the end of the reply are made likelier. Some replies are one call, others
// several, or none, or what the server cannot read.
const llamaCalls = `{"tool_choice": "required", "logit_bias": {"5": 6, "6": 4, "41": 6, "1": 7}}`

// ollamaCalls does so where no token can be preferred: every reply is a call.
const ollamaCalls = `{"response_format": {"type": "json_schema", "json_schema": {"name": "call", "schema": {"anyOf": [
 {"type": "object", "additionalProperties": false, "required": ["name", "parameters"], "properties": {
  "name": {"const": "code_execution"},
  "parameters": {"type": "object", "additionalProperties": false, "required": ["code"], "properties": {"code": {"enum": ["print(6 * 7)", "1 / 0", "answer = 0.8"]}}}}},
 {"type": "object", "additionalProperties": false, "required": ["name", "parameters"], "properties": {
  "name": {"const": "terminal"},
  "parameters": {"type": "object", "additionalProperties": false, "required": ["cmd"], "properties": {"cmd": {"type": "string", "maxLength": 20}}}}}
]}}}}`
