/* Functions of zig's C library that are missing or wrong on this platform. */
#include <pthread.h>

/* The stock one walks an uninitialised thread list and never returns. */
int pthread_key_delete(pthread_key_t k) {
    (void)k;
    return 0;
}
