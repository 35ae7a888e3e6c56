# There is no geteuid: where it gives 0, programs take themselves to be allowed to chown.
import os

here = os.stat("/workspace")
[here.st_uid == os.getuid(), here.st_gid == os.getgid(), hasattr(os, "geteuid")]
