/* SPDX-License-Identifier: MIT */
/*
 * js_code.cc - what V8 has compiled of a bundle, as bytes for other isolates that load the same: V8's own cache of each file,
 * and a table. V8 compares the length of the text, its own version and flags; that it is the very text under its very name, and
 * that nobody has changed a byte of the code since, is seen to here, by digests. Made and read on one machine by one program.
 */
#include "worker/js_internal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <string.h>

#include <algorithm>

#define MAGIC UINT64_C(0x3165646f63727373) /* "ssrcode1" */
#define ALIGN_BYTES ((size_t)16)           /* V8 reads words of it */
#define CODE_BYTES_MAX ((size_t)1 << 30)

struct Head {
    uint64_t magic;
    uint64_t row_count;
    uint64_t digest; /* of the rows */
};

/* Sorted by `of`. */
struct Row {
    uint64_t of;     /* name, text, script or module */
    uint64_t digest; /* of the code */
    uint64_t at, bytes;
};

enum kind : uint64_t { SCRIPT = 1, MODULE = 2 };

static uint64_t digest_of(kind kind, const char *name, const char *text, size_t bytes)
{
    uint64_t seed = XXH3_64bits_withSeed(name, strlen(name), kind);

    return XXH3_64bits_withSeed(text, bytes, seed);
}

static const Row *rows_of(const uint8_t *data)
{
    return reinterpret_cast<const Row *>(data + sizeof(Head));
}

static bool is_whole(const uint8_t *data, size_t bytes)
{
    Head head;

    if (bytes < sizeof head || reinterpret_cast<uintptr_t>(data) % alignof(Row) != 0)
        return false;
    memcpy(&head, data, sizeof head);
    return head.magic == MAGIC && head.row_count <= (bytes - sizeof head) / sizeof(Row) &&
           head.digest == XXH3_64bits(rows_of(data), (size_t)head.row_count * sizeof(Row));
}

void js_code_open(js *js, const js_bundle *bundle)
{
    Code *code = &js->code;

    *code = Code();
    if (bundle->code_bytes == 0)
        return;
    code->data = static_cast<const uint8_t *>(bundle->code);
    code->bytes = bundle->code_bytes;
    if (!is_whole(code->data, code->bytes)) {
        code->data = nullptr;
        code->use.refused++;
    }
}

static const Row *find(const Code *code, uint64_t of)
{
    Head head;

    if (!code->data)
        return nullptr;
    memcpy(&head, code->data, sizeof head);
    const Row *first = rows_of(code->data), *end = first + head.row_count;
    const Row *row =
        std::lower_bound(first, end, of, [](const Row &a, uint64_t b) { return a.of < b; });
    return row != end && row->of == of ? row : nullptr;
}

/* For v8::ScriptCompiler::Source, which takes it; nullptr: there is none, or it is not what was written. */
static v8::ScriptCompiler::CachedData *cached(Code *code, uint64_t of)
{
    const Row *row = find(code, of);

    if (!row)
        return nullptr;
    if (row->at > code->bytes || row->bytes > code->bytes - row->at ||
        row->bytes > CODE_BYTES_MAX ||
        XXH3_64bits(code->data + row->at, (size_t)row->bytes) != row->digest) {
        code->use.refused++;
        return nullptr;
    }
    return new v8::ScriptCompiler::CachedData(code->data + row->at, (int)row->bytes);
}

static v8::ScriptCompiler::CompileOptions how(const v8::ScriptCompiler::CachedData *data)
{
    return data ? v8::ScriptCompiler::kConsumeCodeCache : v8::ScriptCompiler::kNoCompileOptions;
}

/* After the compilation: V8 has taken what it was given, or compiled. */
static void note_use(Code *code, const v8::ScriptCompiler::Source &source)
{
    const v8::ScriptCompiler::CachedData *data = source.GetCachedData();

    if (data)
        (data->rejected ? code->use.refused : code->use.taken)++;
}

bool js_code_has_module(js *js, const char *name, const char *text, size_t bytes)
{
    return js->code.data && find(&js->code, digest_of(MODULE, name, text, bytes)) != nullptr;
}

v8::MaybeLocal<v8::Script> js_code_script(js *js, v8::Local<v8::Context> context, const char *name,
                                          const char *text, size_t bytes)
{
    v8::Isolate *isolate = js->isolate;
    Code *code = &js->code;
    uint64_t of = digest_of(SCRIPT, name, text, bytes);
    v8::ScriptCompiler::CachedData *data = cached(code, of);
    v8::ScriptCompiler::Source source(js_string(isolate, text, bytes),
                                      js_v8_origin(isolate, js_string(isolate, name, strlen(name))),
                                      data);
    v8::Local<v8::Script> script;

    if (!v8::ScriptCompiler::Compile(context, &source, how(data)).ToLocal(&script))
        return {};
    note_use(code, source);
    code->script.Reset(isolate, script->GetUnboundScript());
    code->script_of = of;
    return script;
}

v8::MaybeLocal<v8::Module> js_code_module(js *js, const char *name, const char *text, size_t bytes)
{
    v8::Isolate *isolate = js->isolate;
    Code *code = &js->code;
    uint64_t of = digest_of(MODULE, name, text, bytes);
    v8::ScriptCompiler::CachedData *data = cached(code, of);
    v8::ScriptCompiler::Source source(
        js_string(isolate, text, bytes),
        js_v8_module_origin(isolate, js_string(isolate, name, strlen(name))), data);
    v8::Local<v8::Module> module;

    if (!v8::ScriptCompiler::CompileModule(isolate, &source, how(data)).ToLocal(&module))
        return {};
    note_use(code, source);
    code->modules[of].Reset(isolate, module->GetUnboundModuleScript());
    return module;
}

/* ---- making it ---- */

typedef std::unique_ptr<v8::ScriptCompiler::CachedData> Piece;

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
}

/* By `of`, as the rows are to be. */
static std::map<uint64_t, Piece> pieces_of(js *js)
{
    std::map<uint64_t, Piece> all;
    v8::Isolate *isolate = js->isolate;

    if (!js->code.script.IsEmpty())
        all[js->code.script_of].reset(
            v8::ScriptCompiler::CreateCodeCache(js->code.script.Get(isolate)));
    for (const auto &module : js->code.modules)
        all[module.first].reset(v8::ScriptCompiler::CreateCodeCache(module.second.Get(isolate)));
    for (auto at = all.begin(); at != all.end();)
        at = at->second && at->second->length > 0 ? std::next(at) : all.erase(at);
    return all;
}

static void write(uint8_t *data, size_t at, const std::map<uint64_t, Piece> &pieces)
{
    Head head = {MAGIC, pieces.size(), 0};
    std::vector<Row> rows;

    for (const auto &piece : pieces) {
        size_t bytes = (size_t)piece.second->length;

        memcpy(data + at, piece.second->data, bytes);
        rows.push_back({piece.first, XXH3_64bits(data + at, bytes), at, bytes});
        at += aligned(bytes);
    }
    head.digest = XXH3_64bits(rows.data(), rows.size() * sizeof(Row));
    memcpy(data, &head, sizeof head);
    memcpy(data + sizeof head, rows.data(), rows.size() * sizeof(Row));
}

int js_code(struct js *js, void **ret_code, size_t *ret_bytes)
{
    v8::Isolate::Scope isolate_scope(js->isolate);
    v8::HandleScope handle_scope(js->isolate);
    std::map<uint64_t, Piece> pieces = pieces_of(js);
    size_t first = aligned(sizeof(Head) + pieces.size() * sizeof(Row)), bytes = first;

    if (pieces.empty())
        return -ENOENT;
    for (const auto &piece : pieces)
        bytes += aligned((size_t)piece.second->length);
    uint8_t *data = bytes <= CODE_BYTES_MAX ? static_cast<uint8_t *>(calloc(1, bytes)) : nullptr;
    if (!data)
        return -ENOMEM;
    write(data, first, pieces);
    *ret_code = data;
    *ret_bytes = bytes;
    return 0;
}

struct js_code_use js_code_used(const struct js *js)
{
    return js->code.use;
}
