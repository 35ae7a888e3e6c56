# Tests run inside a program; unittest.main exits with 1 when one fails.
import sys, unittest
class T(unittest.TestCase):
    def test_good(self):
        self.assertEqual(1, 1)
    def test_bad(self):
        self.assertIn(3, [1, 2])
    @unittest.skip("not now")
    def test_skipped(self): ...
result = unittest.TextTestRunner(stream=open("/tmp/log", "w")).run(unittest.defaultTestLoader.loadTestsFromTestCase(T))
print(result.testsRun, [(str(test).split()[0], trace.split("\n")[-2]) for test, trace in result.failures], len(result.skipped))
unittest.main(argv=["x"], testRunner=unittest.TextTestRunner(stream=open("/tmp/log", "w")))
