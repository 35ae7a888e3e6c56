/* log2 and log10 of zig 0.17.0 are wrong for subnormal numbers: after scaling one up they go on with the low half of the unscaled one.
 * Normal numbers are right there, so these are the same computations (FreeBSD's e_log2.c and e_log10.c) with the scaling done first.
 *
 * Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
 * Developed at SunSoft, a Sun Microsystems, Inc. business. Permission to use, copy, modify, and distribute this
 * software is freely granted, provided that this notice is preserved.
 */
#include <math.h>
#include <stdint.h>

#include "bits.h"

typedef struct {
    double hi, lo; /* log(1 + f) in two parts */
    double k;      /* the exponent */
} Reduced;

/* x is positive, finite and not 1. */
static Reduced reduce(double x) {
    int k = 0;
    if (bits(x) < 0x0010000000000000) {
        x *= 0x1p54;
        k = -54;
    }
    /* x into [sqrt(2)/2, sqrt(2)] */
    uint64_t ix = bits(x);
    uint32_t hx = (uint32_t)(ix >> 32) + (0x3ff00000 - 0x3fe6a09e);
    k += (int)(hx >> 20) - 0x3ff;
    hx = (hx & 0x000fffff) + 0x3fe6a09e;
    x = from_bits((uint64_t)hx << 32 | (ix & 0xffffffff));
    double f = x - 1, hfsq = 0.5 * f * f, s = f / (2 + f), z = s * s, w = z * z;
    double t1 = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01));
    double t2 = z * (6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)));
    double r = t2 + t1, hi = from_bits(bits(f - hfsq) & 0xffffffff00000000);
    return (Reduced){hi, f - hi - hfsq + s * (hfsq + r), k};
}

/* The answer for what `reduce` does not take; 0 in *special when it does. */
static double edge(double x, int *special) {
    *special = 1;
    if (x == 0) return -1 / (x * x);
    if (x < 0) return (x - x) / 0.0;
    if (!(x < INFINITY)) return x;
    if (x == 1) return 0;
    *special = 0;
    return 0;
}

double log2(double x) {
    const double ivln2hi = 1.44269504072144627571e+00, ivln2lo = 1.67517131648865118353e-10;
    int special;
    double e = edge(x, &special);
    if (special) return e;
    Reduced r = reduce(x);
    double hi = r.hi * ivln2hi, lo = (r.lo + r.hi) * ivln2lo + r.lo * ivln2hi, w = r.k + hi;
    return lo + (r.k - w + hi) + w;
}

double log10(double x) {
    const double ivln10hi = 4.34294481878168880939e-01, ivln10lo = 2.50829467116452752298e-11;
    const double log10_2hi = 3.01029995663611771306e-01, log10_2lo = 3.69423907715893078616e-13;
    int special;
    double e = edge(x, &special);
    if (special) return e;
    Reduced r = reduce(x);
    double hi = r.hi * ivln10hi, y = r.k * log10_2hi, lo = r.k * log10_2lo + (r.lo + r.hi) * ivln10lo + r.lo * ivln10hi, w = y + hi;
    return lo + (y - w + hi) + w;
}
