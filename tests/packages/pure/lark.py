# requirement: lark
# imports: lark
import lark

parser = lark.Lark('start: WORD ("," WORD)*\n%import common.WORD', parser="lalr")
assert [str(t) for t in parser.parse("a,b,c").children] == ["a", "b", "c"]
