# requirement: argon2-cffi-bindings
# imports: _argon2_cffi_bindings
# note: needs cffi, which is native and has no such wheel
import _argon2_cffi_bindings

assert _argon2_cffi_bindings.lib.ARGON2_VERSION_13 == 0x13
