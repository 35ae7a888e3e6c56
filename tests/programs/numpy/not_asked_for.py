# Without being asked for, numpy is not there.
import numpy
