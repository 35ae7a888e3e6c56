# requirement: marshmallow
# imports: marshmallow
import marshmallow

schema = marshmallow.Schema.from_dict({"n": marshmallow.fields.Integer(required=True)})()
assert schema.load({"n": "3"}) == {"n": 3} and schema.validate({}) == {"n": ["Missing data for required field."]}
