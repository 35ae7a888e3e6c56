"""Tests of the guest runtime. ``python -m unittest`` here, or ``drive.py`` as the code of a run inside the guest."""
