"""Whether a document is one of OpenAPI: `openapi_check.py FILE`."""

import json
import sys

from openapi_spec_validator import validate

with open(sys.argv[1]) as file:
    validate(json.load(file))
print("done")
