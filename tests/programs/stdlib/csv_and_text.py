# CSV, templates, text wrapping, differences, pretty printing.
import csv, difflib, io, pprint, string, textwrap
out = io.StringIO()
writer = csv.DictWriter(out, ["name", "note"], quoting=csv.QUOTE_NONNUMERIC)
writer.writeheader()
writer.writerow({"name": "a, b", "note": 'say "hi"\nthere'})
print(out.getvalue(), end="")
print(list(csv.DictReader(io.StringIO(out.getvalue()))))
print("\n".join(difflib.unified_diff(["a", "b"], ["a", "c"], lineterm="")))
print(textwrap.fill("a long sentence that must be wrapped somewhere", 20))
pprint.pp({"key": list(range(30)), "other": {"nested": "x" * 60}})
string.Template("$a costs $$${b}").substitute(a="tea", b=3)
