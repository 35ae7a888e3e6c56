/* The C library's searches sixteen bytes at a time; zig's go byte by byte. Compiled with -fno-builtin, or they would call themselves.
 *
 * A search without a bound reads whole aligned blocks: such a block lies in memory if one byte of it does.
 */
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

#define BLOCK ((uintptr_t)16)

/* A bit for each byte of the aligned block at `p` that is `c`, without those in front of `from`. */
static inline uint32_t matches(const uint8_t *p, v128_t c, uintptr_t from) {
    uint32_t bits = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(p), c));
    return from > (uintptr_t)p ? bits & ~0u << (from - (uintptr_t)p) : bits;
}

void *memchr(const void *s, int c, size_t n) {
    if (n == 0) return NULL;
    v128_t want = wasm_u8x16_splat((uint8_t)c);
    uintptr_t start = (uintptr_t)s, last = start + n - 1;
    if (last < start) last = UINTPTR_MAX;
    for (uintptr_t p = start & -BLOCK;; p += BLOCK) {
        uint32_t bits = matches((const uint8_t *)p, want, start);
        if (bits) {
            uintptr_t found = p + (uintptr_t)__builtin_ctz(bits);
            return found <= last ? (void *)found : NULL;
        }
        if (last - p < BLOCK) return NULL;
    }
}

void *memrchr(const void *s, int c, size_t n) {
    if (n == 0) return NULL;
    v128_t want = wasm_u8x16_splat((uint8_t)c);
    uintptr_t start = (uintptr_t)s, last = start + n - 1;
    for (uintptr_t p = last & -BLOCK;; p -= BLOCK) {
        uint32_t bits = matches((const uint8_t *)p, want, start);
        if (last - p < BLOCK) bits &= 0xffffu >> (BLOCK - 1 - (last - p));
        if (bits) return (void *)(p + 31 - (uintptr_t)__builtin_clz(bits));
        if (p <= start) return NULL;
    }
}

size_t strlen(const char *s) {
    uintptr_t start = (uintptr_t)s;
    v128_t zero = wasm_u8x16_splat(0);
    for (uintptr_t p = start & -BLOCK;; p += BLOCK) {
        uint32_t bits = matches((const uint8_t *)p, zero, start);
        if (bits) return p + (uintptr_t)__builtin_ctz(bits) - start;
    }
}

size_t strnlen(const char *s, size_t n) {
    const char *end = memchr(s, 0, n);
    return end ? (size_t)(end - s) : n;
}

char *strchrnul(const char *s, int c) {
    uintptr_t start = (uintptr_t)s;
    v128_t want = wasm_u8x16_splat((uint8_t)c), zero = wasm_u8x16_splat(0);
    for (uintptr_t p = start & -BLOCK;; p += BLOCK) {
        uint32_t bits = matches((const uint8_t *)p, want, start) | matches((const uint8_t *)p, zero, start);
        if (bits) return (char *)(p + (uintptr_t)__builtin_ctz(bits));
    }
}

char *strchr(const char *s, int c) {
    char *found = strchrnul(s, c);
    return *(uint8_t *)found == (uint8_t)c ? found : NULL;
}

int memcmp(const void *a, const void *b, size_t n) {
    const uint8_t *x = a, *y = b;
    for (; n >= BLOCK; n -= BLOCK, x += BLOCK, y += BLOCK) {
        uint32_t same = wasm_i8x16_bitmask(wasm_i8x16_eq(wasm_v128_load(x), wasm_v128_load(y)));
        if (same != 0xffff) {
            uint32_t i = (uint32_t)__builtin_ctz(~same);
            return x[i] - y[i];
        }
    }
    for (; n >= 4; n -= 4, x += 4, y += 4) {
        uint32_t u, v;
        __builtin_memcpy(&u, x, 4);
        __builtin_memcpy(&v, y, 4);
        if (u != v) break;
    }
    for (; n; n--, x++, y++)
        if (*x != *y) return *x - *y;
    return 0;
}

int bcmp(const void *a, const void *b, size_t n) { return memcmp(a, b, n); }
