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
#define MALLOC_INSPECT_ALL 1
#include <errno.h>
#include <string.h>
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

/* Where the bytes of `p` up to `end` stop being zero. Most are, and there may be hundreds of MiB of them. */
static char *not_zero(char *p, char *end) {
    typedef uint64_t __attribute__((may_alias, aligned(1))) word;
    for (const word *w; (size_t)(end - p) >= 4 * sizeof(word); p += 4 * sizeof(word)) {
        w = (const word *)p;
        if (w[0] | w[1] | w[2] | w[3]) break;
    }
    while (p < end && !*p) p++;
    return p;
}

/* What is kept of a memory is its pages that are not zero, so what programs have freed is wiped before it is kept. Blocks that are
 * zero already are only read: a page that is written is a page to copy. */
static void wipe(void *start, void *end, size_t used, void *unused) {
    (void)unused;
    if (used) return;
    const size_t block = 4096;
    for (char *p = start; p < (char *)end;) {
        char *next = (char *)(((size_t)p / block + 1) * block);
        if (next > (char *)end) next = end;
        p = not_zero(p, next);
        memset(p, 0, (size_t)(next - p));
        p = next;
    }
}

__attribute__((export_name("prims_wipe"), visibility("default"))) void prims_wipe(void) { malloc_inspect_all(wipe, NULL); }
