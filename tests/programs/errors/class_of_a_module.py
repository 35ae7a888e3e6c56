# A class of another module is shown with it.
import json
json.loads('{"a": }')
