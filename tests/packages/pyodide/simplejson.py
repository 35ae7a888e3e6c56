# requirement: simplejson
# imports: simplejson, simplejson._speedups
import simplejson
import simplejson._speedups

assert simplejson.dumps({"a": [1, 2.5, "ä"]}, sort_keys=True) == '{"a": [1, 2.5, "\\u00e4"]}'
assert simplejson.loads('{"x": 1.10}', use_decimal=True)["x"].as_tuple().exponent == -2
assert simplejson.encoder.c_make_encoder and simplejson.decoder.c_scanstring
