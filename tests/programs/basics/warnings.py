# Warnings go to stderr with the line that caused them.
import warnings
def old():
    warnings.warn("use new() instead", DeprecationWarning, stacklevel=2)
old()
warnings.warn("careful")
with warnings.catch_warnings():
    warnings.simplefilter("error")
    try:
        warnings.warn("as an error", RuntimeWarning)
    except RuntimeWarning as error:
        print("raised", error)
