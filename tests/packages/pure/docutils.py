# requirement: docutils
# imports: docutils.core
import docutils.core

parts = docutils.core.publish_parts("A\n=\n\n*b*", writer="html5")
assert "<em>b</em>" in parts["body"]
