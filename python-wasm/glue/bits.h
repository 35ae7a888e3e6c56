/* The bits of a double, and the double of bits. */
#include <stdint.h>
#include <string.h>

static inline uint64_t bits(double x) {
    uint64_t u;
    memcpy(&u, &x, 8);
    return u;
}

static inline double from_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, 8);
    return x;
}
