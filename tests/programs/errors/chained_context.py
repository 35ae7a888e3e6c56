# An error while another is handled.
try:
    1 / 0
except ZeroDivisionError:
    undefined_name
