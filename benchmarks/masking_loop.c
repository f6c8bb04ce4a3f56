/* The same whole record as clients/masking.py, in C, to measure the Python against.
 *
 * HMAC-SHA-512 of the identifier, hash to ristretto255 (RFC 9380 expand_message_xmd), one or two scalar
 * multiplications, Finalize, HKDF-SHA-256 for token and key, ChaCha20-Poly1305 of one padded plaintext.
 * Own prototypes, since a machine without libsodium's headers should be able to run it too, and functions from a
 * handle that Python passes in, so that both sides call the very same library. Not part of the product.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char u8;
typedef unsigned long long u64;

static int (*from_hash)(u8 *, const u8 *);
static int (*multiply)(u8 *, const u8 *, const u8 *);
static int (*sha512)(u8 *, const u8 *, u64);
static int (*hmac512)(u8 *, const u8 *, u64, const u8 *);
static int (*hmac256)(u8 *, const u8 *, u64, const u8 *);
static int (*encrypt)(u8 *, u64 *, const u8 *, u64, const u8 *, u64, const u8 *, const u8 *, const u8 *);

struct deposit {
    const u8 *k_match, *k_open, *salt, *series_id, *space_id, *deposit_id;
    uint32_t size_class, with_payload;
};

static const u8 DST[] = "HashToGroup-OPRFV1-\x01-ristretto255-SHA512";
enum { DST_BYTES = sizeof DST - 1, MAX_CANONICAL = 1024, MAX_CLASS = 32768 };

int bind_library(void *library)
{
    *(void **)&from_hash = dlsym(library, "crypto_core_ristretto255_from_hash");
    *(void **)&multiply = dlsym(library, "crypto_scalarmult_ristretto255");
    *(void **)&sha512 = dlsym(library, "crypto_hash_sha512");
    *(void **)&hmac512 = dlsym(library, "crypto_auth_hmacsha512");
    *(void **)&hmac256 = dlsym(library, "crypto_auth_hmacsha256");
    *(void **)&encrypt = dlsym(library, "crypto_aead_chacha20poly1305_ietf_encrypt");
    return from_hash && multiply && sha512 && hmac512 && hmac256 && encrypt ? 0 : -1;
}

static u8 *put(u8 *end, const void *data, size_t size)
{
    memcpy(end, data, size);
    return end + size;
}

static u8 *put_u32(u8 *end, uint32_t value)
{
    const u8 bytes[4] = {(u8)(value >> 24), (u8)(value >> 16), (u8)(value >> 8), (u8)value};
    return put(end, bytes, 4);
}

static int hash_to_group(u8 element[32], const u8 h[64])
{
    u8 first[128 + 64 + 3 + DST_BYTES + 1] = {0}, second[64 + 1 + DST_BYTES + 1], uniform[64];
    u8 *end = put(first + 128, h, 64);
    end = put(end, "\x00\x40\x00", 3);
    end = put(end, DST, DST_BYTES);
    *end++ = DST_BYTES;
    sha512(second, first, (u64)(end - first));
    end = put(second + 64, "\x01", 1);
    end = put(end, DST, DST_BYTES);
    *end++ = DST_BYTES;
    sha512(uniform, second, (u64)(end - second));
    return from_hash(element, uniform);
}

static int evaluate(u8 y[64], const u8 h[64], const u8 *key, const u8 element[32])
{
    u8 evaluated[32], transcript[2 + 64 + 2 + 32 + 8], *end;
    if (multiply(evaluated, key, element) != 0) return -1;
    end = put(transcript, "\x00\x40", 2);
    end = put(end, h, 64);
    end = put(end, "\x00\x20", 2);
    end = put(end, evaluated, 32);
    end = put(end, "Finalize", 8);
    return sha512(y, transcript, (u64)(end - transcript));
}

static void hkdf(u8 out[32], const struct deposit *d, const u8 *y, size_t y_size, const u8 *label, size_t label_size)
{
    u8 extracted[32], info[128], *end;
    hmac256(extracted, y, y_size, d->series_id);
    end = put(info, label, label_size);
    end = put(end, d->space_id, 16);
    end = put(end, d->deposit_id, 32);
    end = put(end, "\x01", 1);
    hmac256(out, info, (u64)(end - info), extracted);
}

static int one(const struct deposit *d, const u8 *canonical, size_t size, const u8 *plaintext, uint32_t plain_size,
               const u8 *nonce, u8 *token, u8 *sealed)
{
    static const u8 id[] = "narrowgate/v1/id", token_label[] = "narrowgate/v1/token", seal[] = "narrowgate/v1/seal";
    static const u8 record[] = "narrowgate/v1/record";
    u8 message[sizeof id + MAX_CANONICAL], h[64], element[32], y[128], derived[32], key[32], binding[128], *end;
    static u8 padded[MAX_CLASS];
    if (size > MAX_CANONICAL || plain_size + 4 > d->size_class || d->size_class > MAX_CLASS) return -1;
    end = put(put(message, id, sizeof id), canonical, size);
    hmac512(h, message, (u64)(end - message), d->salt);
    if (hash_to_group(element, h) != 0 || evaluate(y, h, d->k_match, element) != 0) return -1;
    if (d->with_payload && evaluate(y + 64, h, d->k_open, element) != 0) return -1;
    hkdf(derived, d, y, 64, token_label, sizeof token_label);
    memcpy(token, derived, 16);
    hkdf(key, d, y, d->with_payload ? 128 : 64, seal, sizeof seal);
    end = put(put(put_u32(padded, plain_size), plaintext, plain_size), "", 0);
    memset(end, 0, d->size_class - 4 - plain_size);
    end = put(put(put(put(binding, record, sizeof record), d->space_id, 16), d->deposit_id, 32), token, 16);
    end = put_u32(put_u32(end, 1), d->size_class);
    memcpy(sealed, nonce, 12);
    return encrypt(sealed + 12, NULL, padded, d->size_class, binding, (u64)(end - binding), NULL, nonce, key);
}

/* `count` records: canonical forms and plaintexts each `stride` bytes apart, nonces 12, tokens 16, sealed 28 + class. */
int mask_records(const struct deposit *d, uint32_t count, const u8 *canonical, const uint32_t *canonical_sizes,
                 uint32_t canonical_stride, const u8 *plaintext, uint32_t plain_size, const u8 *nonces, u8 *tokens,
                 u8 *sealed)
{
    for (uint32_t i = 0; i < count; i++) {
        if (one(d, canonical + (size_t)i * canonical_stride, canonical_sizes[i], plaintext + (size_t)i * plain_size,
                plain_size, nonces + (size_t)i * 12, tokens + (size_t)i * 16,
                sealed + (size_t)i * (d->size_class + 28)) != 0)
            return -1;
    }
    return 0;
}

/* The group alone: hash to group and one multiplication of `count` 64-byte strings. */
int multiply_hashes(uint32_t count, const u8 *key, const u8 *hashes, u8 *elements)
{
    u8 element[32];
    for (uint32_t i = 0; i < count; i++)
        if (hash_to_group(element, hashes + (size_t)i * 64) != 0
            || multiply(elements + (size_t)i * 32, key, element) != 0)
            return -1;
    return 0;
}
