# argparse prints its usage and exits with 2, as it does in a script.
import argparse
parser = argparse.ArgumentParser(prog="program")
parser.add_argument("--count", type=int, required=True)
parser.parse_args([])
