# Dates and times are ISO 8601.
import datetime as dt, zoneinfo
moment = dt.datetime(2024, 2, 29, 12, 30, 15, 250000)
[moment, moment.replace(tzinfo=dt.timezone.utc), moment.replace(tzinfo=zoneinfo.ZoneInfo("Asia/Kolkata")), moment.date(), moment.time(), dt.timedelta(days=1, hours=2), dt.timedelta(seconds=-1.5), dt.timedelta()]
