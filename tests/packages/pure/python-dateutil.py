# requirement: python-dateutil
# imports: dateutil.parser, dateutil.relativedelta, dateutil.rrule, dateutil.tz
import dateutil.parser
import dateutil.relativedelta
import dateutil.rrule
import dateutil.tz

day = dateutil.parser.parse("3rd of March 2024 10:30 UTC")
assert (day + dateutil.relativedelta.relativedelta(months=+1, day=31)).isoformat() == "2024-04-30T10:30:00+00:00"
assert dateutil.tz.gettz("Europe/Berlin").utcoffset(day.replace(tzinfo=None)).seconds == 3600
