/* SPDX-License-Identifier: MIT */
/*
 * js_zlib.cc - deflate and inflate for polyfills/compression.js. A stream of zlib's lives in an ArrayBuffer that no page
 * sees, and is freed with it.
 */
#include "worker/js_internal.h"

#include <limits.h>
#include <zlib.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

#define CHUNK_BYTES 32768
#define OUT_BYTES_MAX                                                                              \
    ((size_t)64 << 20) /* of one chunk: a few bytes may inflate to a thousand times as many */

/* What zlib allocates for one (zlib.h, "Memory Footprint" of zconf.h). V8 is told it as the length of the buffer, which nobody
 * reads: it counts towards render.heap, and asks for the garbage collection that frees them. */
#define DEFLATE_BYTES ((size_t)268 << 10)
#define INFLATE_BYTES ((size_t)40 << 10)

struct ZlibStream {
    z_stream z = {};
    bool deflates, ended = false;
    ~ZlibStream()
    {
        (void)(deflates ? deflateEnd(&z) : inflateEnd(&z));
    }
};

/* (deflate?, window bits as zlib has them) -> stream, or undefined: no memory */
static void open(Info &info)
{
    if (!info[1]->IsInt32())
        return;
    auto *stream = new ZlibStream();
    int bits = info[1].As<v8::Int32>()->Value();
    stream->deflates = info[0]->IsTrue();
    int result = stream->deflates ? deflateInit2(&stream->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                                                 bits, 8, Z_DEFAULT_STRATEGY)
                                  : inflateInit2(&stream->z, bits);
    std::unique_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(
        stream, stream->deflates ? DEFLATE_BYTES : INFLATE_BYTES,
        [](void *held, size_t, void *) { delete static_cast<ZlibStream *>(held); }, nullptr);
    if (result == Z_OK)
        info.GetReturnValue().Set(v8::ArrayBuffer::New(info.GetIsolate(), std::move(store)));
}

/* (stream, bytes, last?) -> Uint8Array; undefined: not of the format, cut off, something behind its end, or too
 * large. */
static void run(Info &info)
{
    js_bytes from = js_bytes_of(info[1]);

    if (!info[0]->IsArrayBuffer() || from.count > UINT_MAX)
        return;
    auto *stream =
        static_cast<ZlibStream *>(info[0].As<v8::ArrayBuffer>()->GetBackingStore()->Data());
    bool last = info[2]->IsTrue();
    std::vector<uint8_t> out;
    int result = Z_OK;

    stream->z.next_in = from.data;
    stream->z.avail_in = (unsigned)from.count;
    do {
        if (stream->ended || out.size() > OUT_BYTES_MAX)
            break;
        size_t used = out.size();
        out.resize(used + CHUNK_BYTES);
        stream->z.next_out = out.data() + used;
        stream->z.avail_out = CHUNK_BYTES;
        result = stream->deflates ? deflate(&stream->z, last ? Z_FINISH : Z_NO_FLUSH)
                                  : inflate(&stream->z, Z_NO_FLUSH);
        out.resize(used + CHUNK_BYTES - stream->z.avail_out);
        if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END)
            return;
        stream->ended = result == Z_STREAM_END;
    } while (stream->z.avail_out == 0 && result != Z_STREAM_END);
    if (stream->z.avail_in || (last && !stream->ended))
        return;
    js_return_bytes(info, out.data(), out.size());
}

static const js_native list[] = {{"zlibOpen", open}, {"zlibRun", run}};
const js_native_list js_zlib_natives = {list, sizeof list / sizeof list[0]};
