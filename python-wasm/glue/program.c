/* The builtin module `_prims`: what every run does, in one step where Python would need many.
 *
 *   compile(source, filename, name)   code of a whole program that leaves the value of its last expression in `name`
 *   any_open(first, count)            whether one of `count` descriptors from `first` on is open
 *
 * Going through `ast` would make a Python object of every node of the program, and turn them back.
 */
#define Py_BUILD_CORE 1
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <string.h>

#include "internal/pycore_ast.h"
#include "internal/pycore_compile.h"
#include "internal/pycore_parser.h"
#include "internal/pycore_pyarena.h"

/* An expression at the end becomes an assignment to `name`. */
static int keep_last(mod_ty tree, PyObject *name, PyArena *arena) {
    asdl_stmt_seq *body = tree->v.Module.body;
    Py_ssize_t count = asdl_seq_LEN(body);
    if (count == 0) return 0;
    stmt_ty last = asdl_seq_GET(body, count - 1);
    if (last->kind != Expr_kind) return 0;
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    if (_PyArena_AddPyObject(arena, name) < 0) {
        Py_DECREF(name);
        return -1;
    }
#define PLACE last->lineno, last->col_offset, last->end_lineno, last->end_col_offset
    asdl_expr_seq *targets = _Py_asdl_expr_seq_new(1, arena);
    expr_ty target = targets ? _PyAST_Name(name, Store, PLACE, arena) : NULL;
    if (!target) return -1;
    asdl_seq_SET(targets, 0, target);
    stmt_ty assignment = _PyAST_Assign(targets, last->v.Expr.value, NULL, PLACE, arena);
#undef PLACE
    if (!assignment) return -1;
    asdl_seq_SET(body, count - 1, assignment);
    return 0;
}

static PyObject *compile_program(PyObject *module, PyObject *args) {
    PyObject *source, *filename, *name;
    if (!PyArg_ParseTuple(args, "UUU:compile", &source, &filename, &name)) return NULL;
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(source, &size);
    if (!text) return NULL;
    if (strlen(text) != (size_t)size) { /* in the words of the builtin `compile` */
        PyErr_SetString(PyExc_SyntaxError, "source code string cannot contain null bytes");
        return NULL;
    }
    PyCompilerFlags flags = {
        .cf_flags = PyCF_ALLOW_TOP_LEVEL_AWAIT | PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE,
        .cf_feature_version = PY_MINOR_VERSION,
    };
    PyArena *arena = _PyArena_New();
    if (!arena) return NULL;
    PyObject *code = NULL;
    mod_ty tree = _PyParser_ASTFromString(text, filename, Py_file_input, &flags, arena);
    if (tree && keep_last(tree, name, arena) == 0) code = (PyObject *)_PyAST_Compile(tree, filename, &flags, -1, arena);
    _PyArena_Free(arena);
    return code;
}

static PyObject *any_open(PyObject *module, PyObject *args) {
    int first, count;
    if (!PyArg_ParseTuple(args, "ii:any_open", &first, &count)) return NULL;
    for (int k = 0; k < count; k++)
        if (fcntl(first + k, F_GETFL) >= 0) Py_RETURN_TRUE;
    Py_RETURN_FALSE;
}

static PyMethodDef methods[] = {
    {"compile", compile_program, METH_VARARGS, NULL},
    {"any_open", any_open, METH_VARARGS, NULL},
    {0},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_prims", .m_size = 0, .m_methods = methods};

PyObject *PyInit__prims(void) { return PyModuleDef_Init(&definition); }
