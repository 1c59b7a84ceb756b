/* SPDX-License-Identifier: MIT */
/*
 * js_crypto.cc - what polyfills/subtle.js and node:crypto need of OpenSSL's libcrypto: digests, HMAC, AES-GCM and
 * AES-CBC, PBKDF2. Names of digests are checked there; bytes in, a new Uint8Array out, undefined where OpenSSL refuses.
 */
#include "worker/js_internal.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <limits.h>
#include <string.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

#define GCM_TAG_BYTES_MAX 16

static const EVP_MD *digest_of(Info &info, int at)
{
    return EVP_get_digestbyname(js_std_string(info.GetIsolate(), info[at]).c_str());
}

/* (name, bytes) */
static void digest(Info &info)
{
    const EVP_MD *md = digest_of(info, 0);
    js_bytes from = js_bytes_of(info[1]);
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;

    if (md && EVP_Digest(from.data, from.count, out, &bytes, md, nullptr) == 1)
        js_return_bytes(info, out, bytes);
}

/* (name, key, bytes) */
static void hmac(Info &info)
{
    const EVP_MD *md = digest_of(info, 0);
    js_bytes key = js_bytes_of(info[1]), from = js_bytes_of(info[2]);
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;

    if (md && key.count <= INT_MAX &&
        HMAC(md, key.count ? key.data : out, (int)key.count, from.data, from.count, out, &bytes))
        js_return_bytes(info, out, bytes);
}

/* (name, password, salt, iterations, bytes) */
static void pbkdf2(Info &info)
{
    const EVP_MD *md = digest_of(info, 0);
    js_bytes password = js_bytes_of(info[1]), salt = js_bytes_of(info[2]);

    if (!md || !info[3]->IsInt32() || !info[4]->IsInt32() || password.count > INT_MAX ||
        salt.count > INT_MAX)
        return;
    int iterations = info[3].As<v8::Int32>()->Value(), bytes = info[4].As<v8::Int32>()->Value();
    if (iterations < 1 || bytes < 0 || bytes > 1 << 20)
        return;
    std::vector<uint8_t> out((size_t)bytes);
    if (bytes == 0 ||
        PKCS5_PBKDF2_HMAC(reinterpret_cast<const char *>(password.data), (int)password.count,
                          salt.data, (int)salt.count, iterations, md, bytes, out.data()) == 1)
        js_return_bytes(info, out.data(), out.size());
}

static const EVP_CIPHER *cipher_of(size_t key_bytes, bool gcm)
{
    switch (key_bytes) {
    case 16:
        return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
    case 24:
        return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
    case 32:
        return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
    default:
        return nullptr;
    }
}

struct Aes {
    bool encrypt, gcm;
    js_bytes key, iv, more, from;
    int tag_bytes;
};

/* Returns false when OpenSSL refuses, wrong tags and paddings among it. */
static bool aes_run(EVP_CIPHER_CTX *context, const Aes &in, std::vector<uint8_t> *out)
{
    size_t body = in.encrypt || !in.gcm ? in.from.count : in.from.count - (size_t)in.tag_bytes;
    int count = 0, last = 0, ignored = 0;

    out->resize(body + GCM_TAG_BYTES_MAX + EVP_MAX_BLOCK_LENGTH);
    if (EVP_CipherInit_ex(context, cipher_of(in.key.count, in.gcm), nullptr, nullptr, nullptr,
                          in.encrypt) != 1 ||
        (in.gcm &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)in.iv.count, nullptr) != 1) ||
        EVP_CipherInit_ex(context, nullptr, nullptr, in.key.data, in.iv.data, in.encrypt) != 1 ||
        (in.more.count &&
         EVP_CipherUpdate(context, nullptr, &ignored, in.more.data, (int)in.more.count) != 1) ||
        (body && EVP_CipherUpdate(context, out->data(), &count, in.from.data, (int)body) != 1) ||
        (!in.encrypt && in.gcm &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, in.tag_bytes, in.from.data + body) !=
             1) ||
        EVP_CipherFinal_ex(context, out->data() + count, &last) != 1)
        return false;
    count += last;
    if (in.encrypt && in.gcm) {
        if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, in.tag_bytes,
                                out->data() + count) != 1)
            return false;
        count += in.tag_bytes;
    }
    out->resize((size_t)count);
    return true;
}

/* (encrypt?, GCM?, key, iv, additional data or undefined, bytes, tag bytes) */
static void aes(Info &info)
{
    Aes in = {info[0]->IsTrue(),
              info[1]->IsTrue(),
              js_bytes_of(info[2]),
              js_bytes_of(info[3]),
              js_bytes_of(info[4]),
              js_bytes_of(info[5]),
              0};
    std::vector<uint8_t> out;

    if (info[6]->IsInt32())
        in.tag_bytes = info[6].As<v8::Int32>()->Value();
    if (!cipher_of(in.key.count, in.gcm) || in.from.count > INT_MAX / 2 ||
        in.more.count > INT_MAX || in.iv.count > INT_MAX || !in.iv.count ||
        (!in.gcm && in.iv.count != 16) || in.tag_bytes < 0 || in.tag_bytes > GCM_TAG_BYTES_MAX ||
        (!in.encrypt && in.gcm && in.from.count < (size_t)in.tag_bytes))
        return;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context && aes_run(context, in, &out))
        js_return_bytes(info, out.data(), out.size());
    EVP_CIPHER_CTX_free(context);
}

/* (bytes, bytes) -> are they the same? The time taken tells only of the lengths. */
static void same_bytes(Info &info)
{
    js_bytes a = js_bytes_of(info[0]), b = js_bytes_of(info[1]);

    info.GetReturnValue().Set(a.count == b.count && CRYPTO_memcmp(a.data, b.data, a.count) == 0);
}

static const js_native list[] = {
    {"digest", digest}, {"hmac", hmac}, {"pbkdf2", pbkdf2}, {"aes", aes}, {"sameBytes", same_bytes},
};
const js_native_list js_crypto_natives = {list, sizeof list / sizeof list[0]};
