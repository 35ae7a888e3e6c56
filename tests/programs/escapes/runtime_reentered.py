# Calling the runtime from inside a run, again and again.
import prims_runtime, json
request = json.dumps({"op": "run", "code": "print('inner')\n6 * 7"}).encode()
inner = json.loads(prims_runtime.handle(request))
try:
    prims_runtime.handle(b"not json")
except ValueError as error:
    print(type(error).__name__)
print(json.loads(prims_runtime.handle(json.dumps({"op": "prepare", "preload": []}).encode())).get("ok"))
inner["repr"], inner["exit"]
