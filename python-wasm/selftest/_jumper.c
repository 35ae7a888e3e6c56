/* setjmp and longjmp in plain C, around a call that comes back through the interpreter. */
#include <Python.h>
#include <setjmp.h>

static jmp_buf buffer;

static PyObject *protect(PyObject *module, PyObject *callable) {
    int r = setjmp(buffer);
    if (r) return PyLong_FromLong(r);
    PyObject *result = PyObject_CallNoArgs(callable);
    Py_XDECREF(result);
    return PyLong_FromLong(-1);
}

static PyObject *jump(PyObject *module, PyObject *args) { longjmp(buffer, 8); }

static PyMethodDef methods[] = {{"protect", protect, METH_O}, {"jump", jump, METH_NOARGS}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_jumper", .m_methods = methods};

PyMODINIT_FUNC PyInit__jumper(void) { return PyModuleDef_Init(&definition); }
