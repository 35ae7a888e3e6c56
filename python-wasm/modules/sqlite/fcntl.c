/* SQLite's view of `fcntl`, compiled into libsqlite3.a only. WASI has no locks on files; refused, SQLite would fall back to lock folders, which a stopped
 * run would leave behind in the workspace for ever. There is one process, and between the connections of one process SQLite arbitrates by itself,
 * so every lock is granted. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

/* The numbers SQLite makes up where the headers have none. */
#ifndef F_GETLK
#define F_GETLK 12
#define F_SETLK 13
#define F_SETLKW 14
#endif
#ifndef F_UNLCK
#define F_UNLCK 2
#endif

int prims_fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    int result = -1;
    switch (command) {
    case F_GETLK:
        va_arg(arguments, struct flock *)->l_type = F_UNLCK;
        result = 0;
        break;
    case F_SETLK:
    case F_SETLKW:
        result = 0;
        break;
    default:
        result = fcntl(fd, command, va_arg(arguments, int));
    }
    va_end(arguments);
    return result;
}
