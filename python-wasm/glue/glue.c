/* The guest's side of the bridge: a reactor around libpython.
 *
 * Exports  prims_alloc(n), prims_zalloc(align, n)   memory for the host to write into
 *          prims_init(config, len)                  start the interpreter, import prims_runtime, keep its `handle`
 *          prims_call(request, len)                 reply = handle(request); the reply goes out through prims.respond
 *          prims_seal()                             before a snapshot: what exists now is never freed
 * Imports  prims.respond(ptr, len)                  the reply
 *          prims.dlopen / dlsym / dlerror           side modules, which the host links (see dl.c)
 *          prims.fd_dup / fd_dup2                   two numbers for one open file (see files.c)
 *
 * What the host passes to prims_init and prims_call must come from prims_alloc, and is freed there: the memory of a session lives on.
 * The interpreter is never finalized: the host drops an instance whole.
 */
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("prims"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name), visibility("default")))

IMPORT("respond") void host_respond(const char *, int);

enum { OK = 0, BAD_CONFIG = 1, START_FAILED = 2, RUNTIME_FAILED = 3, RAISED = 4, BAD_REPLY = 5 };

/* In program.c. */
PyObject *PyInit__prims(void);

static PyObject *handle;

EXPORT("prims_alloc") void *prims_alloc(size_t n) { return malloc(n); }

/* Zeroed and aligned: the data and bss of side modules live here. `align` is a power of two. */
EXPORT("prims_zalloc") void *prims_zalloc(size_t align, size_t n) {
    if (align < sizeof(void *)) align = sizeof(void *);
    if (n > SIZE_MAX - align) return NULL;
    size_t rounded = (n + align - 1) & ~(align - 1);
    void *p = aligned_alloc(align, rounded ? rounded : align);
    if (p) memset(p, 0, rounded);
    return p;
}

/* The number behind "hash_seed" in the config; the config has no other field, so this is the whole parser. */
static int parse_hash_seed(const char *config, size_t n, unsigned long *seed) {
    static const char key[] = "\"hash_seed\"";
    const size_t key_len = sizeof key - 1;
    size_t i = 0;
    while (i + key_len <= n && memcmp(config + i, key, key_len) != 0) i++;
    if (i + key_len > n) return -1;
    i += key_len;
    while (i < n && (config[i] == ' ' || config[i] == ':')) i++;
    uint64_t value = 0;
    size_t digits = 0;
    for (; i < n && config[i] >= '0' && config[i] <= '9'; i++, digits++) {
        value = value * 10 + (uint64_t)(config[i] - '0');
        if (value > UINT32_MAX) return -1;
    }
    if (digits == 0) return -1;
    *seed = (unsigned long)value;
    return 0;
}

/* PyErr_Print would run Py_Exit for SystemExit. */
static void print_error(void) {
    PyObject *e = PyErr_GetRaisedException();
    if (!e) return;
    PyErr_DisplayException(e);
    Py_DECREF(e);
}

static PyStatus start(unsigned long hash_seed) {
    static wchar_t *paths[] = {L"/usr/local/lib/python" PRIMS_PYTHON, L"/usr/local/lib/python" PRIMS_PYTHON "/site-packages"};
    PyPreConfig pre;
    PyPreConfig_InitIsolatedConfig(&pre);
    pre.utf8_mode = 1;
    pre.configure_locale = 1; /* LC_CTYPE becomes C.UTF-8 */
    PyStatus s = Py_PreInitialize(&pre);
    if (PyStatus_Exception(s)) return s;

    PyConfig c;
    PyConfig_InitIsolatedConfig(&c);
    c.install_signal_handlers = 0;
    c.faulthandler = 0;
    c.site_import = 0;
    c.write_bytecode = 0;
    c.buffered_stdio = 0; /* output must reach the host even if the run is stopped */
    c.pathconfig_warnings = 0;
    c.use_hash_seed = 1;
    c.hash_seed = hash_seed;
    c.module_search_paths_set = 1;
#define TRY(call) do { s = (call); if (PyStatus_Exception(s)) goto done; } while (0)
    TRY(PyConfig_SetString(&c, &c.home, L"/usr/local"));
    TRY(PyConfig_SetString(&c, &c.program_name, L"python" PRIMS_PYTHON));
    TRY(PyConfig_SetString(&c, &c.executable, L"/usr/local/bin/python" PRIMS_PYTHON));
    TRY(PyConfig_SetString(&c, &c.base_executable, L"/usr/local/bin/python" PRIMS_PYTHON));
    TRY(PyConfig_SetString(&c, &c.stdlib_dir, paths[0]));
    TRY(PyWideStringList_Append(&c.module_search_paths, paths[0]));
    TRY(PyWideStringList_Append(&c.module_search_paths, paths[1]));
    TRY(Py_InitializeFromConfig(&c));
#undef TRY
done:
    PyConfig_Clear(&c);
    return s;
}

EXPORT("prims_init") int prims_init(char *config, size_t n) {
    unsigned long hash_seed;
    int bad = parse_hash_seed(config, n, &hash_seed) < 0;
    free(config);
    if (bad) return BAD_CONFIG;
    if (PyImport_AppendInittab("_prims", PyInit__prims) < 0) return START_FAILED;
    PyStatus s = start(hash_seed);
    if (PyStatus_Exception(s)) {
        fprintf(stderr, "the interpreter did not start: %s%s%s\n", s.func ? s.func : "", s.func ? ": " : "", s.err_msg ? s.err_msg : "exit requested");
        return START_FAILED;
    }
    PyObject *module = PyImport_ImportModule("prims_runtime");
    if (module) handle = PyObject_GetAttrString(module, "handle");
    Py_XDECREF(module);
    if (!handle) {
        print_error();
        return RUNTIME_FAILED;
    }
    return OK;
}

EXPORT("prims_call") int prims_call(char *request, size_t n) {
    PyObject *bytes = PyBytes_FromStringAndSize(request, (Py_ssize_t)n);
    free(request);
    PyObject *reply = bytes ? PyObject_CallOneArg(handle, bytes) : NULL;
    Py_XDECREF(bytes);
    if (!reply) {
        print_error();
        return RAISED;
    }
    if (!PyBytes_Check(reply)) {
        fputs("prims_runtime.handle did not return bytes\n", stderr);
        Py_DECREF(reply);
        return BAD_REPLY;
    }
    host_respond(PyBytes_AS_STRING(reply), (int)PyBytes_GET_SIZE(reply));
    Py_DECREF(reply);
    return OK;
}

/* Counting references writes to objects that a run only looks at, and every page that is written is a page to copy. What an image
 * holds lives as long as any instance of it, so its objects are made immortal: CPython then leaves their counts alone. The
 * walk finds all containers the collector knows, and from each what it refers to. Must be called while no Python code runs. */
static int seal_referent(PyObject *op, void *unused);

static void seal_optional(PyObject *op) {
    if (op) seal_referent(op, NULL);
}

static void seal_contents(PyObject *op) {
    if (PyCode_Check(op)) { /* not a container to the collector */
        PyCodeObject *code = (PyCodeObject *)op;
        PyObject *parts[] = {code->co_consts, code->co_names, code->co_exceptiontable, code->co_localsplusnames,
                             code->co_localspluskinds, code->co_filename, code->co_name, code->co_qualname, code->co_linetable};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) seal_optional(parts[i]);
        return;
    }
    if (PyDict_Check(op)) { /* its own traversal leaves out keys that are strings */
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (PyDict_Next(op, &at, &key, &value)) seal_referent(key, NULL);
    }
    traverseproc traverse = Py_TYPE(op)->tp_traverse;
    if (traverse) traverse(op, seal_referent, NULL);
}

static int seal_referent(PyObject *op, void *unused) {
    (void)unused;
    if (op->ob_refcnt == _Py_IMMORTAL_REFCNT) return 0;
    op->ob_refcnt = _Py_IMMORTAL_REFCNT;
    /* Containers the collector tracks are visited by themselves; the others only here. */
    if (PyCode_Check(op) || (PyObject_IS_GC(op) && !PyObject_GC_IsTracked(op))) seal_contents(op);
    return 0;
}

static int seal_tracked(PyObject *op, void *unused) {
    (void)unused;
    op->ob_refcnt = _Py_IMMORTAL_REFCNT;
    seal_contents(op);
    return 1; /* go on */
}

/* In patches/cpython/0003-task-names.patch. */
void prims_reset_task_names(PyObject *asyncio);

static void forget_rehearsals(void) {
    PyObject *name = PyUnicode_FromString("_asyncio"), *module = name ? PyImport_GetModule(name) : NULL;
    if (module) prims_reset_task_names(module);
    Py_XDECREF(module);
    Py_XDECREF(name);
    PyErr_Clear();
}

EXPORT("prims_seal") void prims_seal(void) {
    forget_rehearsals();
    PyUnstable_GC_VisitObjects(seal_tracked, NULL);
}
