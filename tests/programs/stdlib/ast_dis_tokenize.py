# The tools for programs about programs.
import ast, dis, io, symtable, tokenize
tree = ast.parse("x = 1 + 2")
class Swap(ast.NodeTransformer):
    def visit_Add(self, node): return ast.Mult()
code = ast.unparse(ast.fix_missing_locations(Swap().visit(tree)))
[code, [i.opname for i in dis.get_instructions("a + b")], [t.string for t in tokenize.generate_tokens(io.StringIO("a+1").readline)][:3], symtable.symtable("def f(): pass", "s", "exec").get_children()[0].get_name(), ast.literal_eval("{'a': (1, -2.5j)}")]
