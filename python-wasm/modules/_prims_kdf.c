/* hashlib.pbkdf2_hmac and hashlib.scrypt for an interpreter without OpenSSL.
 *
 * PBKDF2 (RFC 8018) over HMAC with SHA-1 and SHA-2, keeping the two HMAC states after the key block, so that an
 * iteration costs two compressions. scrypt after RFC 7914. hashlib.py falls back to Python for other digests.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef union {
    uint32_t w[8];
    uint64_t d[8];
} State;

typedef struct {
    const char *name;
    size_t block, digest;
    bool wide; /* 64-bit words */
    State initial;
    void (*compress)(State *, const uint8_t *);
} Hash;

static uint32_t rotl(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }
static uint64_t rotr64(uint64_t x, int n) { return x >> n | x << (64 - n); }

static uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}
static uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}
static void store32(uint8_t *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static void store64(uint8_t *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

static void sha1(State *s, const uint8_t *p) {
    uint32_t w[80], a = s->w[0], b = s->w[1], c = s->w[2], d = s->w[3], e = s->w[4];
    for (int i = 0; i < 16; i++) w[i] = load32(p + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t t = rotl(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotl(b, 30), b = a, a = t;
    }
    s->w[0] += a, s->w[1] += b, s->w[2] += c, s->w[3] += d, s->w[4] += e;
}

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes; SHA-256 uses the upper halves of the first 64. */
static const uint64_t K[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65, 0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec, 0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static void sha256(State *s, const uint8_t *p) {
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = load32(p + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ x >> 3) + w[i - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ y >> 10);
    }
    memcpy(v, s->w, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (rotr(v[4], 6) ^ rotr(v[4], 11) ^ rotr(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + (uint32_t)(K[i] >> 32) + w[i];
        uint32_t t2 = (rotr(v[0], 2) ^ rotr(v[0], 13) ^ rotr(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t1, v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) s->w[i] += v[i];
}

static void sha512(State *s, const uint8_t *p) {
    uint64_t w[80], v[8];
    for (int i = 0; i < 16; i++) w[i] = load64(p + 8 * i);
    for (int i = 16; i < 80; i++) {
        uint64_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotr64(x, 1) ^ rotr64(x, 8) ^ x >> 7) + w[i - 7] + (rotr64(y, 19) ^ rotr64(y, 61) ^ y >> 6);
    }
    memcpy(v, s->d, sizeof v);
    for (int i = 0; i < 80; i++) {
        uint64_t t1 = v[7] + (rotr64(v[4], 14) ^ rotr64(v[4], 18) ^ rotr64(v[4], 41)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
        uint64_t t2 = (rotr64(v[0], 28) ^ rotr64(v[0], 34) ^ rotr64(v[0], 39)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6], v[6] = v[5], v[5] = v[4], v[4] = v[3] + t1, v[3] = v[2], v[2] = v[1], v[1] = v[0], v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) s->d[i] += v[i];
}

static const Hash HASHES[] = {
    {"sha1", 64, 20, false, {.w = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}}, sha1},
    {"sha224", 64, 28, false, {.w = {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4}}, sha256},
    {"sha256", 64, 32, false, {.w = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}}, sha256},
    {"sha384", 128, 48, true,
     {.d = {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939, 0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4}}, sha512},
    {"sha512", 128, 64, true,
     {.d = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}}, sha512},
};
static const Hash *const SHA256 = &HASHES[2];

typedef struct {
    State state;
    uint64_t total;
    uint8_t buffer[128];
} Stream;

static void update(const Hash *h, Stream *s, const uint8_t *p, size_t n) {
    size_t have = s->total % h->block;
    s->total += n;
    if (have) {
        size_t take = h->block - have < n ? h->block - have : n;
        memcpy(s->buffer + have, p, take);
        p += take, n -= take;
        if (have + take < h->block) return;
        h->compress(&s->state, s->buffer);
    }
    for (; n >= h->block; p += h->block, n -= h->block) h->compress(&s->state, p);
    memcpy(s->buffer, p, n);
}

static void finish(const Hash *h, Stream *s, uint8_t *digest) {
    size_t have = s->total % h->block, length_bytes = h->wide ? 16 : 8;
    s->buffer[have++] = 0x80;
    if (have > h->block - length_bytes) {
        memset(s->buffer + have, 0, h->block - have);
        h->compress(&s->state, s->buffer);
        have = 0;
    }
    memset(s->buffer + have, 0, h->block - have);
    store64(s->buffer + h->block - 8, s->total * 8);
    h->compress(&s->state, s->buffer);
    uint8_t all[64];
    for (int i = 0; i < 8; i++) h->wide ? store64(all + 8 * i, s->state.d[i]) : store32(all + 4 * i, s->state.w[i]);
    memcpy(digest, all, h->digest);
}

typedef struct {
    Stream inner, outer; /* after the key block */
} Hmac;

static void hmac_key(const Hash *h, Hmac *m, const uint8_t *key, size_t n) {
    uint8_t block[128] = {0}, pad[128];
    if (n > h->block) {
        Stream s = {.state = h->initial};
        update(h, &s, key, n);
        finish(h, &s, block);
    } else if (n) {
        memcpy(block, key, n);
    }
    memset(m, 0, sizeof *m);
    m->inner.state = m->outer.state = h->initial;
    for (size_t i = 0; i < h->block; i++) pad[i] = block[i] ^ 0x36;
    update(h, &m->inner, pad, h->block);
    for (size_t i = 0; i < h->block; i++) pad[i] = block[i] ^ 0x5c;
    update(h, &m->outer, pad, h->block);
}

/* `digest` may be the message's own place. */
static void hmac(const Hash *h, const Hmac *m, const uint8_t *a, size_t an, const uint8_t *b, size_t bn, uint8_t *digest) {
    uint8_t inner[64];
    Stream s = m->inner;
    update(h, &s, a, an);
    update(h, &s, b, bn);
    finish(h, &s, inner);
    s = m->outer;
    update(h, &s, inner, h->digest);
    finish(h, &s, digest);
}

static void pbkdf2(const Hash *h, const uint8_t *password, size_t password_len, const uint8_t *salt, size_t salt_len, uint64_t rounds, uint8_t *out, size_t n) {
    Hmac m;
    hmac_key(h, &m, password, password_len);
    for (uint32_t i = 1; n; i++) {
        uint8_t u[64], t[64], number[4];
        store32(number, i);
        hmac(h, &m, salt, salt_len, number, 4, u);
        memcpy(t, u, sizeof t);
        for (uint64_t k = 1; k < rounds; k++) {
            hmac(h, &m, u, h->digest, NULL, 0, u);
            for (size_t j = 0; j < h->digest; j++) t[j] ^= u[j];
        }
        size_t take = n < h->digest ? n : h->digest;
        memcpy(out, t, take);
        out += take, n -= take;
    }
}

static void salsa20_8(uint32_t b[16]) {
    uint32_t x[16];
    memcpy(x, b, sizeof x);
    for (int i = 0; i < 4; i++) {
#define Q(a, b, c, d) x[b] ^= rotl(x[a] + x[d], 7), x[c] ^= rotl(x[b] + x[a], 9), x[d] ^= rotl(x[c] + x[b], 13), x[a] ^= rotl(x[d] + x[c], 18)
        Q(0, 4, 8, 12), Q(5, 9, 13, 1), Q(10, 14, 2, 6), Q(15, 3, 7, 11);
        Q(0, 1, 2, 3), Q(5, 6, 7, 4), Q(10, 11, 8, 9), Q(15, 12, 13, 14);
#undef Q
    }
    for (int i = 0; i < 16; i++) b[i] += x[i];
}

/* y must hold as many words as b: 32 * r. */
static void block_mix(uint32_t *b, uint32_t *y, size_t r) {
    uint32_t x[16];
    memcpy(x, b + (2 * r - 1) * 16, sizeof x);
    for (size_t i = 0; i < 2 * r; i++) {
        for (int j = 0; j < 16; j++) x[j] ^= b[i * 16 + j];
        salsa20_8(x);
        memcpy(y + ((i & 1) * r + i / 2) * 16, x, sizeof x);
    }
    memcpy(b, y, 128 * r);
}

static void ro_mix(uint32_t *b, uint32_t *v, uint32_t *y, size_t r, uint64_t n) {
    size_t words = 32 * r; /* salsa's words are little-endian, as ours are */
    for (uint64_t i = 0; i < n; i++) {
        memcpy(v + i * words, b, 4 * words);
        block_mix(b, y, r);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t j = b[(2 * r - 1) * 16] & (n - 1); /* n fits 32 bits: v fits the memory */
        for (size_t k = 0; k < words; k++) b[k] ^= v[j * words + k];
        block_mix(b, y, r);
    }
}

static PyObject *py_pbkdf2(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"hash_name", "password", "salt", "iterations", "dklen", NULL};
    const char *name;
    Py_buffer password, salt;
    long long rounds;
    PyObject *dklen_obj = Py_None, *result = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sy*y*L|O:pbkdf2_hmac", names, &name, &password, &salt, &rounds, &dklen_obj)) return NULL;
    const Hash *h = NULL;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(HASHES); i++)
        if (strcmp(HASHES[i].name, name) == 0) h = &HASHES[i];
    if (!h) {
        PyErr_Format(PyExc_ValueError, "unsupported hash type %s", name);
        goto done;
    }
    if (rounds < 1) {
        PyErr_SetString(PyExc_ValueError, "iteration value must be greater than 0.");
        goto done;
    }
    long dklen = dklen_obj == Py_None ? (long)h->digest : PyLong_AsLong(dklen_obj);
    if (dklen == -1 && PyErr_Occurred()) goto done;
    if (dklen < 1) {
        PyErr_SetString(PyExc_ValueError, "key length must be greater than 0.");
        goto done;
    }
    result = PyBytes_FromStringAndSize(NULL, dklen);
    if (result) pbkdf2(h, password.buf, password.len, salt.buf, salt.len, (uint64_t)rounds, (uint8_t *)PyBytes_AS_STRING(result), dklen);
done:
    PyBuffer_Release(&password);
    PyBuffer_Release(&salt);
    return result;
}

static PyObject *py_scrypt(PyObject *module, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"password", "salt", "n", "r", "p", "maxmem", "dklen", NULL};
    Py_buffer password = {0}, salt = {0};
    PyObject *n_obj = Py_None, *r_obj = Py_None, *p_obj = Py_None, *result = NULL;
    long maxmem = 0, dklen = 64;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|$y*OOOll:scrypt", names, &password, &salt, &n_obj, &r_obj, &p_obj, &maxmem, &dklen)) return NULL;
    void *memory = NULL;
#define FAIL(type, ...) do { PyErr_Format(type, __VA_ARGS__); goto done; } while (0)
    if (!salt.buf) FAIL(PyExc_TypeError, "salt is required");
    if (n_obj == Py_None || !PyLong_Check(n_obj)) FAIL(PyExc_TypeError, "n is required and must be an unsigned int");
    if (r_obj == Py_None || !PyLong_Check(r_obj)) FAIL(PyExc_TypeError, "r is required and must be an unsigned int");
    if (p_obj == Py_None || !PyLong_Check(p_obj)) FAIL(PyExc_TypeError, "p is required and must be an unsigned int");
    unsigned long long n = PyLong_AsUnsignedLongLong(n_obj);
    if (PyErr_Occurred()) goto done;
    unsigned long r = PyLong_AsUnsignedLong(r_obj), p = PyErr_Occurred() ? 0 : PyLong_AsUnsignedLong(p_obj);
    if (PyErr_Occurred()) goto done;
    if (n < 2 || n & (n - 1)) FAIL(PyExc_ValueError, "n must be a power of 2.");
    if (maxmem < 0 || maxmem > INT_MAX) FAIL(PyExc_ValueError, "maxmem must be positive and smaller than %d", INT_MAX);
    if (dklen < 1 || dklen > INT_MAX) FAIL(PyExc_ValueError, "dklen must be greater than 0 and smaller than %d", INT_MAX);
    /* The same bound as OpenSSL's: 32 MiB unless the caller allows more. */
    uint64_t limit = maxmem ? (uint64_t)maxmem : 32 << 20, v_size, b_size, y_size, total;
    if (r < 1 || p < 1 || (uint64_t)r * p > (1 << 30) - 1 || n > UINT32_MAX || __builtin_mul_overflow((uint64_t)128 * r, n, &v_size)
        || __builtin_add_overflow(v_size, (b_size = (uint64_t)128 * r * p) + (y_size = (uint64_t)256 * r), &total) || total > limit)
        FAIL(PyExc_ValueError, "Invalid parameter combination for n, r, p, maxmem.");
    memory = malloc((size_t)total);
    if (!memory) {
        PyErr_NoMemory();
        goto done;
    }
    uint8_t *b = memory;
    uint32_t *y = (uint32_t *)(b + b_size), *v = (uint32_t *)(b + b_size + y_size);
    pbkdf2(SHA256, password.buf, password.len, salt.buf, salt.len, 1, b, (size_t)b_size);
    for (unsigned long i = 0; i < p; i++) ro_mix((uint32_t *)(b + (size_t)128 * r * i), v, y, r, n);
    result = PyBytes_FromStringAndSize(NULL, dklen);
    if (result) pbkdf2(SHA256, password.buf, password.len, b, (size_t)b_size, 1, (uint8_t *)PyBytes_AS_STRING(result), dklen);
#undef FAIL
done:
    free(memory);
    PyBuffer_Release(&password);
    if (salt.obj) PyBuffer_Release(&salt);
    return result;
}

static PyMethodDef methods[] = {
    {"pbkdf2_hmac", (PyCFunction)(void (*)(void))py_pbkdf2, METH_VARARGS | METH_KEYWORDS,
     "pbkdf2_hmac($module, /, hash_name, password, salt, iterations, dklen=None)\n--\n\nPassword based key derivation function 2 (PKCS #5 v2.0) with HMAC as\npseudorandom function."},
    {"scrypt", (PyCFunction)(void (*)(void))py_scrypt, METH_VARARGS | METH_KEYWORDS,
     "scrypt($module, /, password, *, salt, n, r, p, maxmem=0, dklen=64)\n--\n\nscrypt password-based key derivation function."},
    {NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_prims_kdf", .m_size = 0, .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__prims_kdf(void) { return PyModuleDef_Init(&definition); }
