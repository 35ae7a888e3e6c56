/* Functions that side modules built with emscripten may call, and the C library has under other names or not at all. Only what can be
 * said truthfully is here: the names its compiler gives to printf where no floating point or no long double is printed, and
 * questions to a system that has no such thing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define PRINTS(name, parameters, call) \
    int name parameters { \
        va_list arguments; \
        va_start(arguments, format); \
        int printed = call; \
        va_end(arguments); \
        return printed; \
    }

PRINTS(__small_printf, (const char *restrict format, ...), vprintf(format, arguments))
PRINTS(fiprintf, (FILE *restrict file, const char *restrict format, ...), vfprintf(file, format, arguments))
PRINTS(__small_fprintf, (FILE *restrict file, const char *restrict format, ...), vfprintf(file, format, arguments))
PRINTS(siprintf, (char *restrict to, const char *restrict format, ...), vsprintf(to, format, arguments))
PRINTS(__small_sprintf, (char *restrict to, const char *restrict format, ...), vsprintf(to, format, arguments))
PRINTS(sniprintf, (char *restrict to, size_t size, const char *restrict format, ...), vsnprintf(to, size, format, arguments))

/* Nothing forks, so nothing of this is ever called. */
int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    (void)prepare, (void)parent, (void)child;
    return 0;
}

/* Advice is for those who can take it. */
int madvise(void *at, size_t size, int advice) {
    (void)at, (void)size, (void)advice;
    return 0;
}

FILE *popen(const char *command, const char *mode) {
    (void)command, (void)mode;
    errno = ENOSYS;
    return NULL;
}

int pclose(FILE *file) {
    (void)file;
    errno = ECHILD;
    return -1;
}
