#include "common.h"

namespace {

struct Count {
    int *n;
    ~Count() { ++*n; }
};

void throw_refusal(const char *why, int code) { throw Refusal(why, code); }
void throw_int(int n) { throw n; }

// A frame whose destructor must run while an exception passes.
void call_and_count(void (*f)(), int *n) {
    Count c{n};
    f();
}

void jump(std::jmp_buf buffer, int value) { std::longjmp(buffer, value); }
Shape *square() { return new Square; }
int compare_and_throw(const void *, const void *) { throw Refusal("from a comparison", 7); }

Thrower functions = {throw_refusal, throw_int, call_and_count, jump, square, compare_and_throw};

// Throws from a function the interpreter calls: the exception passes through the interpreter's own C frames.
PyObject *throw_through_interpreter(PyObject *, PyObject *) { throw Refusal("through the interpreter", 11); }

// A global with a constructor, which must have run before anybody asks.
struct Made {
    int value;
    Made() {
        volatile int half = 21; // or the compiler would make it a constant
        value = 2 * half;
    }
} made;
PyObject *constructed(PyObject *, PyObject *) { return PyLong_FromLong(made.value); }

PyMethodDef methods[] = {{"throw_through_interpreter", throw_through_interpreter, METH_NOARGS, nullptr},
                         {"constructed", constructed, METH_NOARGS, nullptr},
                         {}};

int fill(PyObject *m) {
    PyObject *capsule = PyCapsule_New(&functions, THROWER, nullptr);
    return PyModule_Add(m, "functions", capsule);
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void *>(fill)}, {}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_thrower", nullptr, 0, methods, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__thrower() { return PyModuleDef_Init(&definition); }
