# Time zones have their data.
import datetime as dt, zoneinfo
paris, tokyo = zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Asia/Tokyo")
before = dt.datetime(2024, 3, 31, 0, 59, 59, tzinfo=dt.timezone.utc)
[str((before + dt.timedelta(seconds=s)).astimezone(paris)) for s in (0, 1)], str(dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=paris).astimezone(tokyo)), len(zoneinfo.available_timezones()) > 400
