import numpy as np

rng = np.random.default_rng(seed=7)
samples = rng.normal(loc=170, scale=8, size=10_000)
print(f"10,000 samples: mean {samples.mean():.2f}, standard deviation {samples.std():.2f}")

matrix = np.array([[4.0, 1.0], [2.0, 3.0]])
values, vectors = np.linalg.eig(matrix)
print("eigenvalues", values, "inverse", np.linalg.inv(matrix).tolist())

time = np.linspace(0, 1, 512, endpoint=False)
signal = np.sin(2 * np.pi * 50 * time) + 0.5 * np.sin(2 * np.pi * 120 * time)
strength = np.abs(np.fft.rfft(signal))
print("strongest frequencies", np.sort(np.argsort(strength)[-2:]), "Hz")

{"mean": round(float(samples.mean()), 2), "eigenvalues": sorted(values.tolist())}
