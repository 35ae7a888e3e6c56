# Logging goes to stderr; handlers and formatters work.
import logging, sys
logging.warning("to stderr as by default")
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s:%(name)s:%(lineno)d:%(message)s", force=True)
log = logging.getLogger("app.part")
log.info("x=%d", 5)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
log.debug("not shown")
