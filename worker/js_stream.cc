/* SPDX-License-Identifier: MIT */
/*
 * js_stream.cc - bodies that are streams. polyfills/page.js reads them and gives each chunk here. Who
 * asked for parts (js_request.takes_parts) fetches what has come between two steps, by
 * js_next_part(); nothing is called while JavaScript runs, so no lane is needed. What nobody fetches
 * stands here until the end and is the result's body. Design: worker/README.md, "Streams".
 */
#include "worker/js_render.h"

#include <string.h>

#include <algorithm>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

/* Reading stops here until the owner has fetched what there is. Before the first part there is more
 * room: a page that is complete at once is no stream. */
#define PART_BYTES ((size_t)64 << 10)
#define FIRST_PART_BYTES ((size_t)1 << 20)

static void throw_error(js *js, const char *text)
{
    js->isolate->ThrowException(
        v8::Exception::TypeError(js_string(js->isolate, text, strlen(text))));
}

static js_open *render_of(js *js, Info &info)
{
    js_open *render =
        info[0]->IsNumber() ? js_find_open(js, info[0].As<v8::Number>()->Value()) : nullptr;

    if (!render || render->ending || render->flat.IsEmpty()) {
        throw_error(js, "the render that this stream belongs to has ended");
        return nullptr;
    }
    return render;
}

/* (flat array of page.js without body, reader) -> serial. Throws when the array is no page. */
static void stream_open(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    js_open *render = js_current(js);
    js_result head = js_result_blank(js);
    js_error *error = nullptr;

    if (!render || !render->serial || render->ending || !render->flat.IsEmpty() ||
        !info[0]->IsArray() || !info[1]->IsObject()) {
        throw_error(js, "a stream can be the body of one page only");
        return;
    }
    if (!js_result_read_flat(js, isolate->GetCurrentContext(), info[0].As<v8::Array>(), &head,
                             &error)) {
        throw_error(js, error->message);
        js_error_free(error);
        return;
    }
    render->flat.Reset(isolate, info[0].As<v8::Array>());
    render->reader.Reset(isolate, info[1].As<v8::Object>());
    render->chunk_count = 1;
    info.GetReturnValue().Set((double)render->serial);
}

static bool is_full(const js_open *render)
{
    if (!render->request.takes_parts)
        return false;
    if (!render->parted)
        return render->chunks.size() >= FIRST_PART_BYTES;
    return render->held || render->chunks.size() >= PART_BYTES;
}

/* (serial, Uint8Array) -> must the reader wait for stream_room()? */
static void stream_chunk(Info &info)
{
    js *js = js_of(info.GetIsolate());
    js_open *render = render_of(js, info);
    js_bytes bytes = js_bytes_of(info[1]);

    if (!render)
        return;
    if (render->chunks.size() + bytes.count > js->options.heap_bytes) {
        js->allocator->refused = true; /* counts as the heap limit */
        throw_error(js, "the body is larger than render.heap");
        return;
    }
    render->chunk_count++;
    render->chunks.append(reinterpret_cast<const char *>(bytes.data), bytes.count);
    if (render->request.takes_parts && !render->has_part && bytes.count > 0) {
        render->has_part = true;
        js->parts.push_back(render->serial);
    }
    info.GetReturnValue().Set(is_full(render));
}

/* (serial) -> a promise; js_resume() settles it. */
static void stream_room(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    js_open *render = render_of(js, info);
    v8::Local<v8::Promise::Resolver> resolver;

    if (!render || !v8::Promise::Resolver::New(isolate->GetCurrentContext()).ToLocal(&resolver))
        return;
    render->room = js_wait_new(js, render, resolver);
    info.GetReturnValue().Set(resolver->GetPromise());
}

struct js_open *js_next_part(struct js *js, struct js_part *ret_part)
{
    js_error *error = nullptr;
    js_open *render = nullptr;

    auto is_ready = [js](uint64_t serial) {
        js_open *open = js_find_open(js, (double)serial);
        return open && !open->held && open->request.takes_parts;
    };
    auto at = std::find_if(js->parts.begin(), js->parts.end(), is_ready);
    if (at == js->parts.end())
        return nullptr;
    render = js_find_open(js, (double)*at);
    js->parts.erase(at);
    js->part_text.clear();
    js->part_text.swap(render->chunks);
    *ret_part = {};
    ret_part->is_first = !render->parted;
    ret_part->data = js->part_text.data();
    ret_part->bytes = js->part_text.size();
    if (!render->parted) { /* reads numbers and strings out of an array of page.js: no JavaScript */
        v8::Isolate::Scope isolate_scope(js->isolate);
        v8::HandleScope handle_scope(js->isolate);
        v8::Local<v8::Context> context = js->context.Get(js->isolate);
        v8::Context::Scope context_scope(context);
        ret_part->head = js_result_blank(js);
        if (!js_result_read_flat(js, context, render->flat.Get(js->isolate), &ret_part->head,
                                 &error))
            js_error_free(error); /* it was read before: what is missing now stays blank */
        js_result_reads(js, render, &ret_part->head);
    }
    render->has_part = false;
    render->parted = true;
    render->held = true;
    return render;
}

void js_resume(struct js_open *render)
{
    js_wait *room = render->room;

    render->held = false;
    render->room = nullptr;
    if (room)
        js_settle(room, JS_VALUE_NOTHING, nullptr, 0);
}

uint64_t js_stream_chunks(const struct js_open *render)
{
    return render->chunk_count;
}

void js_result_reads(const js *js, const js_open *render, js_result *result)
{
    result->reads.cookie = render->read_cookie;
    result->reads.authorization = render->read_authorization;
    result->reads.all = render->read_all;
    result->reads.nonce = render->read_nonce;
    result->reads.nonce_about = js->nonce_seen;
    result->reads.other = render->read_other;
    result->reads.header = render->read_names.data();
    result->reads.header_count = render->read_names.size();
}

js_error *js_stream_page(js *js, Entry &entry, js_open *render, js_result *result)
{
    js_error *error = nullptr;

    if (!js_result_read_flat(js, entry.context, render->flat.Get(js->isolate), result, &error))
        result->outcome = JS_ERROR;
    result->body = render->chunks.data();
    result->body_bytes = render->chunks.size();
    return error;
}

/* Outside of entries, when the render ends. */
void js_stream_end(js *js, js_open *render)
{
    render->flat.Reset();
    render->reader.Reset();
    render->chunk_count = 0;
    render->room = nullptr;
    if (render->has_part)
        js->parts.erase(std::find(js->parts.begin(), js->parts.end(), render->serial));
    render->has_part = render->parted = render->held = false;
    if (render->chunks.capacity() > FIRST_PART_BYTES)
        std::string().swap(render->chunks);
    render->chunks.clear();
}

static const js_native list[] = {
    {"streamOpen", stream_open}, {"streamChunk", stream_chunk}, {"streamRoom", stream_room}};
const js_native_list js_stream_natives = {list, sizeof list / sizeof list[0]};
