# requirement: html5lib
# imports: html5lib
import html5lib

tree = html5lib.parse("<table><td>x", namespaceHTMLElements=False)
assert tree.find(".//tr/td").text == "x"
