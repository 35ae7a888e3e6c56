# requirement: toolz
# imports: toolz
import toolz

assert toolz.groupby(len, ["a", "bb", "c"]) == {1: ["a", "c"], 2: ["bb"]}
