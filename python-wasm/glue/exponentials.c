/* exp, exp2 and log with the accuracy other platforms have (about 0.51 units in the last place), where zig 0.17.0 has functions that
 * are off by up to one: the tables of musl, which it keeps for pow, and the computations they were made for.
 *
 * Copyright (c) 2018, Arm Limited.
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdint.h>

#include "bits.h"

#define hidden __attribute__((visibility("hidden")))
#include "exp_data.h"
#include "pow_data.h"

enum { STEPS = 1 << EXP_TABLE_BITS, LOG_STEPS = 1 << POW_LOG_TABLE_BITS };

/* scale + scale * tail, where the exponent of scale may be out of range by itself. `k` tells in which direction. */
static double scaled(uint64_t scale_bits, double tail, uint64_t k) {
    if (!(k & 0x80000000)) {
        double scale = from_bits(scale_bits - (1009ull << 52));
        return 0x1p1009 * (scale + scale * tail);
    }
    double scale = from_bits(scale_bits + (1022ull << 52)), y = scale + scale * tail;
    if (y < 1) { /* the result is subnormal: round once, at its own last place */
        double rest = scale - y + scale * tail, high = 1 + y;
        y = high + (1 - high + y + rest) - 1;
        if (y == 0) y = 0; /* without a sign */
    }
    return 0x1p-1022 * y;
}

/* 2^(k / STEPS) times e^r or 2^r, of which `first` and so on are the terms, largest first. `far` if the exponent may leave its range. */
static double power(uint64_t k, double first, double second, double third, int far) {
    /* Of each power in the table, the first number is what the second lacks. */
    const uint64_t *entry = &__exp_data.tab[2 * (k % STEPS)];
    double tail = from_bits(entry[0]) + first + second + third;
    uint64_t scale_bits = entry[1] + (k << (52 - EXP_TABLE_BITS));
    if (far) return scaled(scale_bits, tail, k);
    double scale = from_bits(scale_bits);
    return scale + scale * tail;
}

double exp(double x) {
    double size = fabs(x);
    if (!(size >= 0x1p-54)) return 1 + x;
    if (size >= 1024) return x < 0 ? 0 : INFINITY;
    double shifted = __exp_data.invln2N * x + __exp_data.shift, k = shifted - __exp_data.shift;
    double r = x + k * __exp_data.negln2hiN + k * __exp_data.negln2loN, r2 = r * r;
    const double *c = __exp_data.poly;
    return power(bits(shifted), r, r2 * (c[0] + r * c[1]), r2 * r2 * (c[2] + r * c[3]), size >= 512);
}

double exp2(double x) {
    double size = fabs(x);
    if (!(size >= 0x1p-54)) return 1 + x;
    if (x >= 1024) return INFINITY;
    if (x <= -1075) return 0;
    double shifted = x + __exp_data.exp2_shift, r = x - (shifted - __exp_data.exp2_shift), r2 = r * r;
    const double *c = __exp_data.exp2_poly;
    return power(bits(shifted), r * c[0], r2 * (c[1] + r * c[2]), r2 * r2 * (c[3] + r * c[4]), size > 928);
}

double log(double x) {
    if (!(x > 0)) return x == 0 ? -INFINITY : x != x ? x : NAN;
    if (x == INFINITY || x == 1) return x == 1 ? 0 : x;
    uint64_t ix = bits(x);
    if (ix < 1ull << 52) ix = bits(x * 0x1p52) - (52ull << 52);
    /* x = 2^k z, and z lies near the centre of a step of the table. */
    uint64_t offset = ix - 0x3fe6955500000000;
    uint64_t i = (offset >> (52 - POW_LOG_TABLE_BITS)) % LOG_STEPS, iz = ix - (offset & 0xfffull << 52);
    double k = (double)((int64_t)offset >> 52), z = from_bits(iz);
    double invc = __pow_log_data.tab[i].invc, logc = __pow_log_data.tab[i].logc, logctail = __pow_log_data.tab[i].logctail;
    /* r = z / c - 1; the upper part of the product is exact. */
    double zh = from_bits((iz + (1ull << 31)) & ~0ull << 32), rh = zh * invc - 1, rl = (z - zh) * invc, r = rh + rl;
    double t1 = k * __pow_log_data.ln2hi + logc, t2 = t1 + r;
    const double *a = __pow_log_data.poly;
    double ar = a[0] * r, ar2 = r * ar, ar3 = r * ar2, arh = a[0] * rh, arh2 = rh * arh, high = t2 + arh2;
    double p = ar3 * (a[1] + r * a[2] + ar2 * (a[3] + r * a[4] + ar2 * (a[5] + r * a[6])));
    double low = k * __pow_log_data.ln2lo + logctail + (t1 - t2 + r) + rl * (ar + arh) + (t2 - high + arh2) + p;
    return high + low;
}
