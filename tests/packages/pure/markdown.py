# requirement: markdown
# imports: markdown
import markdown

assert markdown.markdown("# A\n\n* b", extensions=["tables"]) == "<h1>A</h1>\n<ul>\n<li>b</li>\n</ul>"
