/* What POSIX says of files and WASI preview 1 does not know: duplicates of descriptors, and permissions. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wasi/api.h>

#define IMPORT(name) __attribute__((import_module("prims"), import_name(name)))

IMPORT("fd_dup") int host_dup(int fd, int least, int *out);
IMPORT("fd_dup2") int host_dup2(int from, int to);

static int result(int error) {
    if (!error) return 0;
    errno = error;
    return -1;
}

static int duplicate(int fd, int least) {
    int to;
    return result(host_dup(fd, least, &to)) ? -1 : to;
}

int dup(int fd) { return duplicate(fd, 0); }

int dup2(int from, int to) { return result(host_dup2(from, to)) ? -1 : to; }

/* Every descriptor is closed on exec, since there is no exec. */
int dup3(int from, int to, int flags) {
    if (from == to || (flags & ~O_CLOEXEC)) return result(EINVAL);
    return dup2(from, to);
}

static int open_flags(int fd) {
    __wasi_fdstat_t status;
    if (result(__wasi_fd_fdstat_get(fd, &status))) return -1;
    int reads = (status.fs_rights_base & (__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_READDIR)) != 0;
    int writes = (status.fs_rights_base & __WASI_RIGHTS_FD_WRITE) != 0;
    return status.fs_flags | (reads ? O_RDONLY : 0) | (writes ? O_WRONLY : 0) | (reads || writes ? 0 : O_SEARCH);
}

int fcntl(int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    int argument = command == F_GETFD || command == F_GETFL ? 0 : va_arg(arguments, int);
    va_end(arguments);
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return argument < 0 ? result(EINVAL) : duplicate(fd, argument);
    case F_GETFD: return open_flags(fd) < 0 ? -1 : FD_CLOEXEC;
    case F_SETFD: return open_flags(fd) < 0 ? -1 : 0;
    case F_GETFL: return open_flags(fd);
    case F_SETFL: return result(__wasi_fd_fdstat_set_flags(fd, argument & 0xfff));
    default: return result(EINVAL);
    }
}

static mode_t type(__wasi_filetype_t filetype) {
    switch (filetype) {
    case __WASI_FILETYPE_BLOCK_DEVICE: return S_IFBLK;
    case __WASI_FILETYPE_CHARACTER_DEVICE: return S_IFCHR;
    case __WASI_FILETYPE_DIRECTORY: return S_IFDIR;
    case __WASI_FILETYPE_REGULAR_FILE: return S_IFREG;
    case __WASI_FILETYPE_SYMBOLIC_LINK: return S_IFLNK;
    default: return 0;
    }
}

/* The host says the permissions in the padding behind the type. */
static mode_t permissions(const __wasi_filestat_t *from) {
    uint16_t bits;
    memcpy(&bits, (const char *)from + offsetof(__wasi_filestat_t, filetype) + 2, sizeof bits);
    return bits & 0777;
}

static struct timespec time_of(__wasi_timestamp_t ns) {
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

static int answer(int error, const __wasi_filestat_t *from, struct stat *to) {
    if (result(error)) return -1;
    *to = (struct stat){.st_dev = from->dev, .st_ino = from->ino, .st_nlink = from->nlink, .st_size = (off_t)from->size,
                        .st_mode = type(from->filetype) | permissions(from),
                        .st_atim = time_of(from->atim), .st_mtim = time_of(from->mtim), .st_ctim = time_of(from->ctim)};
    return 0;
}

int fstat(int fd, struct stat *to) {
    __wasi_filestat_t from;
    return answer(__wasi_fd_filestat_get(fd, &from), &from, to);
}

/* stat, lstat and fstatat end here. */
int __wasilibc_nocwd_fstatat(int fd, const char *restrict path, struct stat *restrict to, int flags) {
    __wasi_filestat_t from;
    int follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW;
    return answer(__wasi_path_filestat_get(fd, follow, path, &from), &from, to);
}

/* access and faccessat end here. Everything belongs to the program. */
int __wasilibc_nocwd_faccessat(int fd, const char *path, int mode, int flags) {
    struct stat status;
    if ((mode & ~(R_OK | W_OK | X_OK)) || (flags & ~AT_EACCESS)) return result(EINVAL);
    if (__wasilibc_nocwd_fstatat(fd, path, &status, 0)) return -1;
    int wanted = (mode & R_OK ? 0400 : 0) | (mode & W_OK ? 0200 : 0) | (mode & X_OK ? 0100 : 0);
    return result((status.st_mode & wanted) == wanted ? 0 : EACCES);
}

/* Permissions stay what they are. A program that sets some and goes on is not stopped, but for what it could not change either. */
static int unchanged(int failed, const struct stat *status) {
    if (failed) return -1;
    return result(status->st_mode & 0222 ? 0 : EROFS);
}

int chmod(const char *path, mode_t mode) {
    (void)mode;
    struct stat status;
    return unchanged(stat(path, &status), &status);
}

int fchmod(int fd, mode_t mode) {
    (void)mode;
    struct stat status;
    return unchanged(fstat(fd, &status), &status);
}

int fchmodat(int fd, const char *path, mode_t mode, int flags) {
    (void)mode;
    struct stat status;
    return unchanged(fstatat(fd, path, &status, flags), &status);
}
