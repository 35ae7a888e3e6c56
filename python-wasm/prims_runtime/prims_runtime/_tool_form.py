"""What the types of tools are made of."""

# How well a value fits a type; of the alternatives of a union the best one counts.
LAX, STRICT, EXACT = range(3)


class Problem(Exception):
    """One thing that is wrong with an input."""

    def __init__(self, kind, message, value, place=()):
        super().__init__(message)
        self.kind, self.message, self.value, self.place = kind, message, value, place


class Problems(Exception):
    """Everything that is."""


class Form:
    """A type."""

    def __init__(self, name, schema, read):
        self.name, self._schema, self.read = name, schema, read

    def schema(self):
        """As JSON schema, keys in order."""
        schema = self._schema() if callable(self._schema) else self._schema
        return {key: schema[key] for key in sorted(schema)}


def fail(kind, message, value, place=()):
    raise Problems([Problem(kind, message, value, place)])
