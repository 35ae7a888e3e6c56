# Dates, and that local time is UTC.
import calendar, datetime as dt, time
[
    dt.datetime.fromisoformat("2024-02-29T12:00:00+02:00").isoformat(),
    dt.datetime(2024, 2, 29, 13, 5).strftime("%A %d %B %Y %I:%M %p %j"),
    dt.datetime.strptime("3 Mar 2021", "%d %b %Y").date().isoformat(),
    (dt.date(2024, 3, 1) - dt.date(2024, 2, 1)).days,
    time.tzname[0], time.strftime("%Y-%m-%d %H:%M", time.gmtime(86400 * 365)), time.localtime(0).tm_hour,
    calendar.month(2024, 2).split("\n")[1],
    dt.datetime.fromtimestamp(0).isoformat(), dt.datetime(1600, 1, 1).weekday(),
]
