# Things that name something are their names.
import ipaddress, pathlib, uuid
[uuid.UUID(int=5), pathlib.PurePosixPath("/a/b"), ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.0/8"), pathlib.Path("rel")]
