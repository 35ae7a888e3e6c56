/* Functions of zig's C library that are missing or wrong on this platform. */
#include <pthread.h>
#include <time.h>
#include <wasi/api.h>

/* The stock one walks an uninitialised thread list and never returns. */
int pthread_key_delete(pthread_key_t k) {
    (void)k;
    return 0;
}

/* The stock ones count from the moment the interpreter was made, which for a run is that of its image. The host counts from the run's start. */
clock_t __clock(void) {
    __wasi_timestamp_t now = 0;
    return __wasi_clock_time_get((__wasi_clockid_t){2}, 0, &now) ? (clock_t)-1 : (clock_t)now;
}

clock_t clock(void) { return __clock(); }
