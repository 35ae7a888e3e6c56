# requirement: humanize
# imports: humanize
import humanize

assert humanize.naturalsize(3_000_000) == "3.0 MB" and humanize.intcomma(1234567) == "1,234,567"
