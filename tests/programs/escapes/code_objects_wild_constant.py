# A constant index far out of range reads memory the interpreter never meant; it is the guest's own.
import opcode
def f(): return 1
load, extended = opcode.opmap["LOAD_CONST"], opcode.opmap["EXTENDED_ARG"]
code = f.__code__.replace(co_code=bytes([opcode.opmap["RESUME"], 0, extended, 127, extended, 255, extended, 255, load, 255, opcode.opmap["RETURN_VALUE"], 0]))
exec(code)
