/* Functions of zig's C library that are missing or wrong on this platform. */
#include <pthread.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
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

/* The stock one answers in nanoseconds, not in ticks of the length that sysconf says. */
clock_t times(struct tms *used) {
    clock_t tick = CLOCKS_PER_SEC / sysconf(_SC_CLK_TCK);
    __wasi_timestamp_t now = 0;
    *used = (struct tms){.tms_utime = __clock() / tick};
    return __wasi_clock_time_get(__WASI_CLOCKID_MONOTONIC, 0, &now) ? (clock_t)-1 : (clock_t)now / tick;
}
