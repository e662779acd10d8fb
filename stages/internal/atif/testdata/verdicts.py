"""Holds documents against the reference models of the format.

    python verdicts.py verdicts.jsonl [EXPORTED.jsonl ...]

Needs Python 3.12 and harbor==0.26.0. In verdicts.jsonl stand documents with what the
models say of them, which the Go test holds package atif to; every line of the other
files, which medgym-data export atif wrote, has to be a document that they accept.
"""

import json
import sys

from harbor.models.trajectories import Trajectory
from pydantic import ValidationError


def accepts(document):
    try:
        Trajectory.model_validate(document)
    except ValidationError:
        return False
    return True


wrong = 0
with open(sys.argv[1], encoding="utf-8") as f:
    for line in f:
        case = json.loads(line)
        if accepts(case["document"]) != case["reference"]:
            print("differs:", case["name"])
            wrong += 1
lines = 0
for name in sys.argv[2:]:
    with open(name, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            lines += 1
            if not accepts(json.loads(line)):
                print(f"refused: {name}:{number}")
                wrong += 1
print(f"{lines} exported documents, {wrong} faults")
sys.exit(wrong > 0)
