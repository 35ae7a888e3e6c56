# A value that can draw itself has its richer form in the report.
class Table:
    def _repr_html_(self):
        return "<table><tr><td>1</td></tr></table>"
    def __repr__(self):
        return "Table"
Table()
