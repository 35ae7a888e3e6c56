# requirement: openpyxl
# imports: openpyxl
import openpyxl

import io
book = openpyxl.Workbook()
book.active.append(["a", 1, 2.5])
book.active["D1"] = "=B1+C1"
file = io.BytesIO()
book.save(file)
row = next(openpyxl.load_workbook(io.BytesIO(file.getvalue())).active.values)
assert row == ("a", 1, 2.5, "=B1+C1"), row
