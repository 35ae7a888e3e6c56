# requirement: pycdfpp
# imports: pycdfpp
import pycdfpp

pycdfpp.CDF()
