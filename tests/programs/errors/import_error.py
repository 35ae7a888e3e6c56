# A package that is not there is named.
import pandas_of_another_world
