"""Calling C functions needs native code that the sandbox does not allow."""

raise ImportError("ctypes is not available in this sandbox: there is no native code to call", name="_ctypes")
