# requirement: simplejson
# imports: simplejson, simplejson._speedups
# note: its own tests pass, but for those that start threads or processes
import simplejson
import simplejson._speedups

assert simplejson.dumps({"a": [1, 2.5, "ä"]}, sort_keys=True) == '{"a": [1, 2.5, "\\u00e4"]}'
assert simplejson.loads('{"x": 1.10}', use_decimal=True)["x"].as_tuple().exponent == -2
assert simplejson.encoder.c_make_encoder and simplejson.decoder.c_scanstring

# Its own tests come with it.
import unittest

import simplejson.tests

result = unittest.TextTestRunner(verbosity=0).run(simplejson.tests.all_tests_suite())
failed = [(test.id(), text) for test, text in result.failures + result.errors]
# Some start processes or threads.
expected = ("processes are not available", "start new thread")
unexpected = [(name, text[-150:]) for name, text in failed if not any(reason in text for reason in expected)]
assert result.testsRun > 100 and not unexpected, (result.testsRun, unexpected)
