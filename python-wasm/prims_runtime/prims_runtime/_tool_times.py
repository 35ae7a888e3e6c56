"""Moments, days, times of day and durations, out of what JSON has for them: texts of ISO 8601, and numbers."""

import datetime
import math
import re

from ._tool_form import LAX, STRICT, fail

# Times. Numbers are seconds since 1970, or milliseconds where seconds would be past the year 2603.

WATERSHED = 20_000_000_000
UTC = datetime.timezone.utc


def _since_1970(value, seconds, what):
    if abs(seconds) > WATERSHED:
        seconds = seconds / 1000
    try:
        return datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        fail(f"{what}_parsing", f"Input should be a valid {what}, dates after 9999 are not supported as unix timestamps", value)


def _as_number(text):
    try:
        return float(text) if re.fullmatch(r"[+-]?\d+(\.\d*)?", text, re.ASCII) else None
    except ValueError:
        return None


def _in_isoformat(kind, text):
    """The value of a text, or None. A `z` is a zone of its own, and basic forms without separators are not taken."""
    text = text.strip()
    if kind is not datetime.time and not re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return None
    if kind is datetime.date and len(text) != 10:
        return None
    if kind is datetime.time and not re.match(r"\d\d:\d\d", text, re.ASCII):
        return None
    if kind is datetime.datetime:
        text = text.replace("_", "T", 1).replace("t", "T", 1)
    if text[-1:] in "zZ":
        text = text[:-1] + "+00:00"
    try:
        return kind.fromisoformat(text)
    except ValueError:
        return None


def moment(value):
    """A `datetime.datetime`."""
    if type(value) is str:
        found = _in_isoformat(datetime.datetime, value)
        if found is not None:
            return found, STRICT
        number = _as_number(value)
        if number is None:
            fail("datetime_from_date_parsing", "Input should be a valid datetime or date, invalid character in year", value)
        return _since_1970(value, number, "datetime"), LAX
    if type(value) in (int, float) and math.isfinite(value):
        return _since_1970(value, value, "datetime"), LAX
    fail("datetime_type", "Input should be a valid datetime", value)


def date(value):
    """A `datetime.date`."""
    if type(value) is str:
        found = _in_isoformat(datetime.date, value)
        if found is not None:
            return found, STRICT
        found = _in_isoformat(datetime.datetime, value)
        number = None if found else _as_number(value)
        if number is not None:
            found = _since_1970(value, number, "date")
        if found is None:
            fail("date_from_datetime_parsing", "Input should be a valid date or datetime, invalid character in year", value)
    elif type(value) in (int, float) and math.isfinite(value):
        found = _since_1970(value, value, "date")
    else:
        fail("date_type", "Input should be a valid date", value)
    if found.time() != datetime.time():
        message = "Datetimes provided to dates should have zero time - e.g. be exact dates"
        fail("date_from_datetime_inexact", message, value)
    return found.date(), LAX


def time_of_day(value):
    """A `datetime.time`."""
    if type(value) is str:
        found = _in_isoformat(datetime.time, value)
        if found is not None:
            return found, STRICT
        fail("time_parsing", "Input should be in a valid time format, invalid character in hour", value)
    if type(value) not in (int, float) or not math.isfinite(value):
        fail("time_type", "Input should be a valid time", value)
    if not 0 <= value < 86400:
        fail("time_parsing", "Input should be in a valid time format, numeric times may not exceed 86,399 seconds", value)
    return (datetime.datetime.min + datetime.timedelta(seconds=value)).time().replace(tzinfo=UTC), LAX


PERIOD = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<years>\d+(?:\.\d+)?)Y)?(?:(?P<months>\d+(?:\.\d+)?)M)?(?:(?P<weeks>\d+(?:\.\d+)?)W)?"
    r"(?:(?P<days>\d+(?:\.\d+)?)D)?(?:T(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
    re.ASCII | re.IGNORECASE,
)
CLOCK = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<days>\d+)\s*(?:d|days?),?\s+)?(?P<hours>\d{1,2}):(?P<minutes>\d\d)(?::(?P<seconds>\d\d(?:\.\d+)?))?",
    re.ASCII | re.IGNORECASE,
)


def duration(value):
    """A `datetime.timedelta`."""
    if type(value) is str:
        text = value.strip()
        found = PERIOD.fullmatch(text) or CLOCK.fullmatch(text)
        if found and any(found.groups()[1:]):
            parts = {name: float(part) for name, part in found.groupdict().items() if part and name != "sign"}
            parts["days"] = parts.get("days", 0) + 365 * parts.pop("years", 0) + 30 * parts.pop("months", 0)
            sign = -1 if found["sign"] == "-" else 1
            seconds, strictness = {name: sign * part for name, part in parts.items()}, STRICT
        else:
            fail("time_delta_parsing", "Input should be a valid duration, invalid digit in duration", value)
    elif type(value) in (int, float) and math.isfinite(value):
        seconds, strictness = {"seconds": value}, LAX
    else:
        fail("time_delta_type", "Input should be a valid duration", value)
    try:
        return datetime.timedelta(**seconds), strictness
    except OverflowError:
        fail("time_delta_parsing", "Input should be a valid duration, durations may not exceed 999,999,999 days", value)
