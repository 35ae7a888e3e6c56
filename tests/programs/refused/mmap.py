# Nor memory maps.
import mmap
