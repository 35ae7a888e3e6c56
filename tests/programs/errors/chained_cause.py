# raise from: both, and which caused which.
def load():
    try:
        return {}["key"]
    except KeyError as error:
        raise RuntimeError("cannot load") from error
load()
