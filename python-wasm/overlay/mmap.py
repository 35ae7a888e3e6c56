"""Mapping files into memory needs a host function that the sandbox does not have."""

raise ImportError("mmap is not available in this sandbox: files cannot be mapped, only read", name="mmap")
