"""Runs this suite inside the guest: give this file as the code of a run whose workspace holds the folder ``tests``.

The exit status says whether all is well; the report goes to stderr.
"""

import os
import sys
import unittest

place = next((path for path in ("/workspace", "/mounts", os.getcwd()) if os.path.isdir(f"{path}/tests")), ".")
sys.path.insert(0, place)
names = sys.argv[1:]
if names:
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"tests.{name}" for name in names])
else:
    suite = unittest.defaultTestLoader.discover(f"{place}/tests", top_level_dir=place)
result = unittest.TextTestRunner(verbosity=1).run(suite)
sys.exit(not result.wasSuccessful())
