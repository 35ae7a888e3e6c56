"""The runtime's own view of the builtins.

Every module of the runtime starts with ``from ._own import BUILTINS as __builtins__``. A function looks its builtins
up in the ``__builtins__`` of the module that defines it, so user code that replaces ``builtins.len`` or deletes
``builtins.isinstance`` changes nothing for us.
"""

import builtins

BUILTINS = dict(vars(builtins))


def restore():
    """Put back the builtins that user code replaced or deleted; what it added stays.

    The standard library (``traceback`` above all) works on the shared builtins, and it has to report on such code.
    """
    shared = builtins.__dict__
    for name, value in BUILTINS.items():
        if shared.get(name) is not value and name != "__builtins__":
            shared[name] = value
