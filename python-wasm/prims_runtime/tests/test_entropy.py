"""Clones of one image draw different numbers."""

import json
import random
import tempfile
import timeit
import unittest
import uuid

from prims_runtime import _entropy

from . import support
from .support import Case, run

PROGRAM = """
import random, uuid, os, secrets, tempfile
[random.random(), random.gauss(0, 1), str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(8).hex(), secrets.token_hex(8), next(tempfile._get_candidate_names())]
"""


class Reseeding(Case):
    def setUp(self):
        _entropy.collect()
        state = random.getstate()
        self.addCleanup(random.setstate, state)
        self.addCleanup(setattr, tempfile, "_name_sequence", None)

    def rewind(self):
        """As a clone finds it: the image's state."""
        random.seed(1)
        random.gauss(0, 1)
        uuid._node, uuid._last_timestamp = 5, 0
        tempfile._name_sequence = tempfile._RandomNameSequence()
        tempfile._name_sequence._rng = random.Random(1)

    def test_everything_differs(self):
        columns = []
        for _ in range(50):
            self.rewind()
            columns.append(self.value(PROGRAM))
        for column in zip(*columns):
            self.assertEqual(len(set(column)), 50)

    def test_a_thousand_clones(self):
        drawn = set()
        for _ in range(1000):
            self.rewind()
            _entropy.reseed()
            drawn.add((random.random(), random.getrandbits(64)))
        self.assertEqual(len({a for a, _ in drawn}), 1000)
        self.assertEqual(len({b for _, b in drawn}), 1000)

    def test_other_generators_in_the_image(self):
        global instance
        instance = random.Random(7)
        _entropy.collect()
        drawn = set()
        for _ in range(20):
            instance.seed(7)
            _entropy.reseed()
            drawn.add(instance.random())
        self.assertEqual(len(drawn), 20)

    def test_subclass_of_random(self):
        class Mine(random.Random):
            pass

        mine = Mine(3)
        _entropy.collect()
        drawn = set()
        for _ in range(20):
            Mine.seed(mine, 3)
            _entropy.reseed()
            drawn.add(mine.random())
        self.assertEqual(len(drawn), 20)

    def test_a_generator_that_refuses_stops_the_run(self):
        class Stubborn(random.Random):
            def seed(self, *a):
                if getattr(self, "born", False):
                    raise ValueError("no")
                super().seed(*a)

        stubborn = Stubborn()
        stubborn.born = True
        _entropy.collect()
        self.addCleanup(_entropy.collect)
        ran = run("print('never')")
        stubborn.born = False
        self.assertEqual((ran.exit, ran.out), ("raised", ""))
        self.assertIn("random", ran.error["message"])

    def test_seeding_in_a_program_still_works(self):
        self.assertEqual(self.value("import random\nrandom.seed(5)\nrandom.random()"), random.Random(5).random())

    def test_seed_is_quick(self):
        seconds = min(timeit.repeat(_entropy.reseed, number=200, repeat=3)) / 200
        self.assertLess(seconds, 0.002)

    def test_logging_clock(self):
        self.assertLess(
            self.value("import logging\nlogging.LogRecord('n', 1, 'p', 1, 'm', (), None).relativeCreated"), 5000
        )


class Numpy(Case):
    @classmethod
    def setUpClass(cls):
        try:
            import numpy.random  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("numpy is not installed") from None

    def test_everything_differs(self):
        import numpy

        global generator, state
        generator = numpy.random.default_rng(1)
        state = numpy.random.RandomState(1)
        philox = numpy.random.Generator(numpy.random.Philox(1))
        _entropy.collect()
        columns = []
        for _ in range(50):
            numpy.random.seed(1)
            numpy.random.normal()
            state.seed(1)
            generator.bit_generator.state = numpy.random.PCG64(1).state
            philox.bit_generator.state = numpy.random.Philox(1).state
            _entropy.reseed()
            fresh = numpy.random.default_rng().random()
            columns.append(
                (numpy.random.rand(), numpy.random.normal(), state.rand(), generator.random(), philox.random(), fresh)
            )
        for column in zip(*columns):
            self.assertEqual(len(set(column)), 50)

    def test_seeding_in_a_program_still_works(self):
        self.assertEqual(
            self.value("import numpy as np\nnp.random.seed(0)\nfloat(np.random.rand())"), 0.5488135039273248
        )


class Requests(Case):
    def test_reply_is_json(self):
        with support.untouched():
            json.loads(support.prims_runtime.handle(b'{"op":"run","code":"1"}'))


if __name__ == "__main__":
    unittest.main()
