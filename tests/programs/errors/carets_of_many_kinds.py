# Carets mark calls, subscripts, attributes and binary operators, in several lines and beside wide characters.
import traceback
data = {"größe": {"日本": [1, 2]}}
for attempt in (
    lambda: data["größe"]["日本"][5],
    lambda: data["größe"].missing.attribute,
    lambda: int("x") + len("日本"),
    lambda: ("日本" + "語" + 1) * 2,
    lambda: sorted([1,
                    "a"], key=lambda x: x),
):
    try:
        attempt()
    except Exception:
        traceback.print_exc(limit=-1)
