# requirement: contourpy
# imports: contourpy
# note: needs numpy
import contourpy

lines = contourpy.contour_generator(z=[[0, 1], [1, 2]]).lines(0.5)
assert len(lines) == 1
