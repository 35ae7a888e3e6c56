# requirement: tabulate
# imports: tabulate
import tabulate

assert tabulate.tabulate([["a", 1]], headers=["k", "v"], tablefmt="github").splitlines()[2] == "| a   |   1 |"
