# Nothing of the host is in the environment, in sys, platform or sysconfig: no user, host name, path or processor.
import getpass, os, platform, re, site, socket, sys, sysconfig
facts = {
    "environ": dict(os.environ), "uname": tuple(os.uname()), "login": os.getlogin(), "user": getpass.getuser(), "home": os.path.expanduser("~"),
    "node": platform.node(), "processor": platform.processor(), "platform": platform.platform(), "host": socket.gethostname(),
    "executable": sys.executable, "path": sys.path, "prefix": [sys.prefix, sys.base_prefix, sys.exec_prefix], "argv": sys.argv, "orig_argv": sys.orig_argv,
    "pid": os.getpid(), "site": site.getsitepackages(), "stdlib": os.__file__, "compiler": bool(platform.python_compiler()), "flags": sys.flags.isolated,
}
for name, fact in facts.items():
    print(name, fact)
