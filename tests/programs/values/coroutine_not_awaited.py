# A coroutine as the value is shown, not awaited; the usual warning follows when it goes.
async def later():
    return 1
later()
