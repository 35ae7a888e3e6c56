# deps: numpy
# Seeded generators give the numbers they give everywhere.
import numpy as np
rng = np.random.default_rng(42)
np.random.seed(0)
rng.random(3), rng.integers(0, 100, 5), np.random.rand(2), np.random.default_rng(1).permutation(5), rng.normal(size=2).round(12)
