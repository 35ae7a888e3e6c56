# Two keys with the same text have no JSON form; the repr is still there.
{1: "a", "1": "b"}
