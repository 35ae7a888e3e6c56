# requirement: uuid-utils
# imports: uuid_utils
import uuid_utils

assert str(uuid_utils.uuid5(uuid_utils.NAMESPACE_DNS, "python.org")) == "886313e1-3b8a-5372-9b90-0c9aee199e5d"
assert len({uuid_utils.uuid4() for _ in range(1000)}) == 1000 and uuid_utils.uuid7().version == 7
try:
    uuid_utils.UUID("no uuid")
except ValueError:
    pass
