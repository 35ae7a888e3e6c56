# requirement: rich
# imports: rich.console, rich.table
import rich.console
import rich.table

table = rich.table.Table("a", "b")
table.add_row("1", "[bold]two[/]")
console = rich.console.Console(record=True, width=40)
console.print(table)
assert "two" in console.export_text()
