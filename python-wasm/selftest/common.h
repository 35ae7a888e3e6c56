// What the two self-test modules share: each has its own copy of the type information of these classes.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <csetjmp>
#include <stdexcept>
#include <string>

struct Shape {
    virtual ~Shape() {}
    virtual int sides() const = 0;
};

struct Square : Shape {
    int sides() const override { return 4; }
};

struct Refusal : std::runtime_error {
    int code;
    Refusal(const std::string &why, int code) : std::runtime_error(why), code(code) {}
};

// Reached through a capsule: function pointers into the other module.
struct Thrower {
    void (*throw_refusal)(const char *, int);
    void (*throw_int)(int);
    void (*call_and_count)(void (*)(), int *);
    void (*jump)(std::jmp_buf, int);
    Shape *(*square)();
    int (*compare_and_throw)(const void *, const void *);
};

#define THROWER "prims_selftest._thrower.functions"
