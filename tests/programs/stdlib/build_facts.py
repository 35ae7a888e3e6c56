import sysconfig

[sysconfig.get_config_var(name) for name in ("EXT_SUFFIX", "SIZEOF_VOID_P", "CC", "prefix")]
