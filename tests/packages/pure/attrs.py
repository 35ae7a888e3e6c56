# requirement: attrs
# imports: attr, attrs
import attr
import attrs

point = attrs.make_class("Point", {"x": attrs.field(converter=int), "y": attrs.field(default=2)})
assert repr(point("1")) == "Point(x=1, y=2)" and attrs.asdict(point(5)) == {"x": 5, "y": 2}
