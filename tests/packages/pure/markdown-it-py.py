# requirement: markdown-it-py
# imports: markdown_it
import markdown_it

assert markdown_it.MarkdownIt().render("**a**") == "<p><strong>a</strong></p>\n"
