# requirement: pyparsing
# imports: pyparsing
import pyparsing

number = pyparsing.Word(pyparsing.nums).set_parse_action(lambda t: int(t[0]))
grammar = pyparsing.infix_notation(number, [("*", 2, pyparsing.OpAssoc.LEFT), ("+", 2, pyparsing.OpAssoc.LEFT)])
assert grammar.parse_string("1+2*3").as_list() == [[1, "+", [2, "*", 3]]]
