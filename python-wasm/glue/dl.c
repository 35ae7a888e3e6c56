/* dlopen and friends for CPython's dynload_shlib.c: the host links side modules, these forward to it. */
#include <stddef.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("prims"), import_name(name)))

IMPORT("dlopen") int host_dlopen(const char *, int);
IMPORT("dlsym") int host_dlsym(int, const char *, int);
IMPORT("dlerror") int host_dlerror(char *, int);

static char message[1024];
static int failed;

static void fail(void) {
    int n = host_dlerror(message, sizeof message - 1);
    if (n < 0) n = 0;
    if (n > (int)sizeof message - 1) n = sizeof message - 1;
    message[n] = 0;
    failed = 1;
}

void *dlopen(const char *path, int flags) {
    (void)flags;
    if (!path) path = "";
    int h = host_dlopen(path, (int)strlen(path));
    if (h == 0) fail();
    return (void *)h;
}

void *dlsym(void *handle, const char *name) {
    int p = host_dlsym((int)handle, name, (int)strlen(name));
    if (p == 0) fail();
    return (void *)p;
}

char *dlerror(void) {
    if (!failed) return NULL;
    failed = 0;
    return message;
}

int dlclose(void *handle) {
    (void)handle;
    return 0;
}
