/* SPDX-License-Identifier: MIT */
/*
 * js_random.cc - randomness: getrandom(2) for crypto, and the numbers behind
 * polyfills/math_random.js, which a forked child seeds anew (js_after_fork).
 */
#include "worker/js_internal.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

#define RANDOM_BATCH 64 /* a batch costs one call into C; slot 0 counts what is left */
#define UUID_CHARS 36

/* getrandom(2) can fail before the kernel is seeded, or be interrupted; there is no second source.
 */
static void random_bytes(void *to, size_t bytes)
{
    char *at = static_cast<char *>(to);

    while (bytes) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}

static void random_fill(Info &info)
{
    js_bytes to = js_bytes_of(info[0]);

    random_bytes(to.data, to.count);
}

/* RFC 9562, section 5.4: version 4 */
static void random_uuid(Info &info)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t id[16];
    char text[UUID_CHARS];
    size_t out = 0;

    random_bytes(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof id; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[out++] = '-';
        text[out++] = hex[id[i] >> 4];
        text[out++] = hex[id[i] & 15];
    }
    info.GetReturnValue().Set(js_string(info.GetIsolate(), text, out));
}

/* xorshift128+, as V8's own Math.random: not for secrets. */
static uint64_t random_next(uint64_t state[2])
{
    uint64_t a = state[0], b = state[1];

    state[0] = b;
    a ^= a << 23;
    a ^= a >> 17;
    a ^= b ^ (b >> 26);
    state[1] = a;
    return state[0] + state[1];
}

/* Fills slots 1 to RANDOM_BATCH of the array that math_random.js reads backwards. */
static void random_refill(Info &info)
{
    js *js = js_of(info.GetIsolate());
    double *slot = static_cast<double *>(js->random->Data());

    for (int i = 1; i <= RANDOM_BATCH; i++)
        slot[i] = (double)(random_next(js->random_state) >> 11) * 0x1p-53;
    slot[0] = RANDOM_BATCH;
}

void js_random_empty(js *js)
{
    if (js->random)
        *static_cast<double *>(js->random->Data()) = 0;
}

/* Also the clock's origin: both belong to the process, not to the zygote it came from. */
void js_random_seed(js *js)
{
    struct timespec ts;

    random_bytes(js->random_state, sizeof js->random_state);
    js->random_state[0] |= 1; /* never all zero */
    js_random_empty(js);      /* nothing left of the shared batch */
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    js->origin_wall_us = (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
    js->origin_mono_ns = js_clock_ns();
}

static const js_native list[] = {
    {"randomFill", random_fill},
    {"randomUUID", random_uuid},
    {"randomRefill", random_refill},
};
const js_native_list js_random_natives = {list, sizeof list / sizeof list[0]};

void js_random_arrays(js *js, v8::Local<v8::Object> native)
{
    v8::Local<v8::ArrayBuffer> buffer =
        v8::ArrayBuffer::New(js->isolate, (RANDOM_BATCH + 1) * sizeof(double));

    js_native_set(js, native, "randomBatch", v8::Float64Array::New(buffer, 0, RANDOM_BATCH + 1));
}
