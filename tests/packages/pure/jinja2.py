# requirement: jinja2
# imports: jinja2
# note: needs MarkupSafe, which is on the index for native platforms only; such a wheel without its native module was used here
import jinja2

template = jinja2.Environment(autoescape=True).from_string("{% for x in xs %}<{{ x }}>{% endfor %}")
assert template.render(xs=[1, "&"]) == "<1><&amp;>"
