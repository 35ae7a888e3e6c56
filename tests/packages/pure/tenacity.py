# requirement: tenacity
# imports: tenacity
import tenacity

calls = []
tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none(), retry=tenacity.retry_if_result(lambda n: n < 3))(lambda: calls.append(1) or len(calls))()
assert len(calls) == 3
