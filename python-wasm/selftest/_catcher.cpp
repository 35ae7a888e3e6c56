#include "common.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <optional>
#include <regex>
#include <sstream>
#include <typeinfo>
#include <unordered_map>
#include <vector>

namespace {

Thrower *other() { return static_cast<Thrower *>(PyCapsule_Import(THROWER, 0)); }

PyObject *text(const std::string &s) { return PyUnicode_FromStringAndSize(s.data(), s.size()); }

PyObject *within(PyObject *, PyObject *) {
    try {
        throw Refusal("here", 3);
    } catch (const std::exception &e) {
        return text(e.what());
    }
}

PyObject *across(PyObject *, PyObject *) {
    Thrower *t = other();
    std::string seen;
    try {
        t->throw_refusal("there", 5);
    } catch (const Refusal &e) {
        seen += e.what() + std::to_string(e.code);
    }
    try {
        t->throw_int(9);
    } catch (int n) {
        seen += " int" + std::to_string(n);
    }
    try {
        t->throw_refusal("base", 0);
    } catch (const std::logic_error &) {
        seen += " wrong";
    } catch (const std::runtime_error &e) {
        seen += std::string(" ") + e.what();
    }
    try {
        t->throw_int(1);
    } catch (...) {
        seen += " any";
    }
    return text(seen);
}

PyObject *through_interpreter(PyObject *, PyObject *callable) {
    try {
        PyObject *r = PyObject_CallNoArgs(callable);
        Py_XDECREF(r);
        return text("nothing was thrown");
    } catch (const Refusal &e) {
        return text(e.what() + std::to_string(e.code));
    }
}

PyObject *through_c_library(PyObject *, PyObject *) {
    int values[] = {3, 1, 2};
    try {
        std::qsort(values, 3, sizeof *values, other()->compare_and_throw);
    } catch (const Refusal &e) {
        return text(e.what() + std::to_string(e.code));
    }
    return text("nothing was thrown");
}

PyObject *destructors(PyObject *, PyObject *) {
    Thrower *t = other();
    static Thrower *thrower = t;
    int n = 0;
    try {
        t->call_and_count([] { thrower->throw_int(1); }, &n);
    } catch (int) {
        n += 10;
    }
    return PyLong_FromLong(n);
}

PyObject *rethrow(PyObject *, PyObject *) {
    std::string seen;
    std::exception_ptr kept;
    try {
        try {
            other()->throw_refusal("inner", 1);
        } catch (...) {
            kept = std::current_exception();
            std::throw_with_nested(std::logic_error("outer"));
        }
    } catch (const std::exception &e) {
        seen = e.what();
        try {
            std::rethrow_if_nested(e);
        } catch (const Refusal &inner) {
            seen += std::string(" ") + inner.what();
        }
    }
    try {
        std::rethrow_exception(kept);
    } catch (const Refusal &e) {
        seen += " again" + std::to_string(e.code);
    }
    return text(seen);
}

PyObject *library_throws(PyObject *, PyObject *) {
    std::string seen;
    try {
        std::vector<int>().at(3);
    } catch (const std::out_of_range &) {
        seen += "out_of_range";
    }
    try {
        (void)std::stoi("x");
    } catch (const std::invalid_argument &) {
        seen += " invalid_argument";
    }
    try {
        volatile std::size_t n = 0xf0000000;
        char *volatile p = new char[n];
        delete[] p;
    } catch (const std::bad_alloc &) {
        seen += " bad_alloc";
    }
    try {
        std::function<void()>()();
    } catch (const std::bad_function_call &) {
        seen += " bad_function_call";
    }
    try {
        std::regex("(");
    } catch (const std::regex_error &) {
        seen += " regex_error";
    }
    return text(seen);
}

PyObject *types(PyObject *, PyObject *) {
    std::unique_ptr<Shape> shape(other()->square());
    bool same = typeid(*shape) == typeid(Square);
    Square *square = dynamic_cast<Square *>(shape.get());
    return text(std::string(same ? "same " : "different ") + (square ? std::to_string(square->sides()) : "no cast"));
}

PyObject *jump_within(PyObject *, PyObject *) {
    std::jmp_buf buffer;
    volatile int n = 0;
    int r = setjmp(buffer);
    n = n + 1;
    if (r < 3) std::longjmp(buffer, r + 1);
    return PyLong_FromLong(n * 10 + r);
}

PyObject *jump_across(PyObject *, PyObject *) {
    std::jmp_buf buffer;
    if (int r = setjmp(buffer)) return PyLong_FromLong(r);
    other()->jump(buffer, 42);
    return PyLong_FromLong(-1);
}

std::jmp_buf from_comparison;

PyObject *jump_through_c_library(PyObject *, PyObject *) {
    int values[] = {3, 1, 2};
    if (int r = setjmp(from_comparison)) return PyLong_FromLong(r);
    std::qsort(values, 3, sizeof *values, [](const void *, const void *) -> int { std::longjmp(from_comparison, 6); });
    return PyLong_FromLong(-1);
}

std::once_flag once;
std::mutex mutex;
thread_local int per_thread = 5;

PyObject *library(PyObject *, PyObject *) {
    static const std::vector<int> numbers = [] {
        std::vector<int> v(100);
        std::iota(v.begin(), v.end(), 0);
        return v;
    }();
    std::map<std::string, int> ordered{{"b", 2}, {"a", 1}};
    std::unordered_map<std::string, int> hashed{{"x", std::accumulate(numbers.begin(), numbers.end(), 0)}};
    std::ostringstream out;
    std::lock_guard<std::mutex> lock(mutex);
    std::call_once(once, [] { per_thread += 1; });
    for (auto &[k, v] : ordered) out << k << v << ' ';
    out << hashed["x"] << ' ' << std::sqrt(2.25) << ' ' << per_thread << ' ' << std::boolalpha << std::regex_match("abc", std::regex("a.c"));
    return text(out.str());
}

PyObject *print(PyObject *, PyObject *what) {
    const char *s = PyUnicode_AsUTF8(what);
    if (!s) return nullptr;
    std::cout << s << std::endl;
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"within", within, METH_NOARGS, nullptr},
    {"across", across, METH_NOARGS, nullptr},
    {"through_interpreter", through_interpreter, METH_O, nullptr},
    {"through_c_library", through_c_library, METH_NOARGS, nullptr},
    {"destructors", destructors, METH_NOARGS, nullptr},
    {"rethrow", rethrow, METH_NOARGS, nullptr},
    {"library_throws", library_throws, METH_NOARGS, nullptr},
    {"types", types, METH_NOARGS, nullptr},
    {"jump_within", jump_within, METH_NOARGS, nullptr},
    {"jump_across", jump_across, METH_NOARGS, nullptr},
    {"jump_through_c_library", jump_through_c_library, METH_NOARGS, nullptr},
    {"library", library, METH_NOARGS, nullptr},
    {"print", print, METH_O, nullptr},
    {},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_catcher", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__catcher() { return PyModuleDef_Init(&definition); }
