# An audit hook that forbids everything cannot be removed; the run ends all the same.
import sys
def hook(event, arguments):
    if event not in ("import",):
        raise RuntimeError(event)
sys.addaudithook(hook)
"value"
