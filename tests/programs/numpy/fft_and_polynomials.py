# deps: numpy
import numpy as np
t = np.arange(64) / 64
signal = np.sin(2 * np.pi * 5 * t) + 0.5 * np.cos(2 * np.pi * 12 * t)
spectrum = np.abs(np.fft.rfft(signal))
np.argsort(spectrum)[-2:].tolist(), np.allclose(np.fft.ifft(np.fft.fft(signal)), signal), np.round(np.polynomial.Polynomial.fit(t, 3 * t**2 - t, 2).convert().coef, 6) + 0.0
