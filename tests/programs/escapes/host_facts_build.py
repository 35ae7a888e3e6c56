# Nor is a path of the machine that built the interpreter.
import re, sys, sysconfig
text = repr([sysconfig.get_config_vars(), sysconfig.get_paths(), sys.version, sys.copyright, sysconfig.get_makefile_filename(), sys.builtin_module_names])
suspicious = sorted(set(re.findall(r"(?<!\w)/(?:home|root|work|build|Users|tmp|opt|nix)/[/\w.-]*", text)))
suspicious, sysconfig.get_config_var("prefix"), sysconfig.get_path("purelib")
