# requirement: pygments
# imports: pygments, pygments.lexers, pygments.formatters
import pygments
import pygments.lexers
import pygments.formatters

html = pygments.highlight("def f(): return 1", pygments.lexers.get_lexer_by_name("python"), pygments.formatters.HtmlFormatter())
assert '<span class="k">def</span>' in html
