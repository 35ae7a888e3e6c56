# requirement: pytz
# imports: pytz
import pytz

import datetime
assert pytz.timezone("America/New_York").localize(datetime.datetime(2024, 7, 1)).isoformat() == "2024-07-01T00:00:00-04:00"
