/* Doug Lea's allocator instead of zig's, which rounds every size up to a power of two: fewer pages touched is a smaller snapshot. */
#define HAVE_MMAP 0
#define HAVE_MREMAP 0
#define HAVE_MORECORE 1
#define MORECORE sbrk
#define MORECORE_CANNOT_TRIM 1
#define MORECORE_CONTIGUOUS 1
#define USE_LOCKS 0
#define USE_SPIN_LOCKS 0
#define NO_MALLINFO 1
#define NO_MALLOC_STATS 1
#define LACKS_TIME_H 1
#define LACKS_SYS_MMAN_H 1
#define LACKS_SYS_PARAM_H 1
#define MALLOC_ALIGNMENT 16
#define MALLOC_FAILURE_ACTION (errno = ENOMEM)
#define ABORT __builtin_trap()
#define DEFAULT_GRANULARITY (64 * 1024)
#define malloc_getpagesize 65536
#include <errno.h>
#include <unistd.h>
#include "dlmalloc.c"

void *aligned_alloc(size_t alignment, size_t n) { return memalign(alignment, n); }

void *reallocarray(void *p, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, n);
}
