# requirement: prettytable
# imports: prettytable
import prettytable

table = prettytable.PrettyTable(["a", "b"])
table.add_row([1, "x"])
assert "| 1 | x |" in table.get_string()
