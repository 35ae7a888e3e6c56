# argv: one two --three=3
import argparse, sys
parser = argparse.ArgumentParser(prog="program")
parser.add_argument("words", nargs="+")
parser.add_argument("--three", type=int)
sys.argv, vars(parser.parse_args())
