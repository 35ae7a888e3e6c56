# A jump out of the code.
import opcode
def f(): return 1
code = f.__code__.replace(co_code=bytes([opcode.opmap["RESUME"], 0, opcode.opmap["EXTENDED_ARG"], 255, opcode.opmap["EXTENDED_ARG"], 255, opcode.opmap["JUMP_FORWARD"], 255]))
exec(code)
