/* SPDX-License-Identifier: MIT */
/*
 * js_wait.cc - promises that C settles: what JavaScript asks for outside of itself (a fetch, a native
 * function), its end, and its being forgotten with its render. A value from outside is copied when
 * it comes and handed to JavaScript in a step of the render, because callbacks of the loop must not
 * enter JavaScript. Those callbacks may run on another thread while JavaScript runs (lane.h): what
 * js_settle() touches is under a mutex, and a wait that ends by being forgotten is freed only when
 * `forget` has returned, which takes the lane, so that no callback is under way.
 */
#include "worker/js_render.h"

#include <string.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

/* Not in lists any more. */
static void free_wait(js *js, js_wait *wait)
{
    js->wait_count--;
    delete wait;
}

static void refuse(js *js, v8::Local<v8::Context> context,
                   v8::Local<v8::Promise::Resolver> resolver, const char *text)
{
    (void)resolver
        ->Reject(context, v8::Exception::TypeError(js_string(js->isolate, text, strlen(text))))
        .FromMaybe(false);
}

static bool hand_over(js *js, js_wait *wait, const std::string &what, v8::Local<v8::Value> data)
{
    Utf8Buffer text;
    js_bytes bytes = js_bytes_of(data);

    if (!js->options.outside.ask)
        return false;
    if (data->IsString()) {
        bytes.count = js_to_utf8(js->isolate, data.As<v8::String>(), &text);
        bytes.data = reinterpret_cast<uint8_t *>(text.data);
    }
    return js->options.outside.ask(js->options.arg, wait, what.data(), what.size(), bytes.data,
                                   bytes.count);
}

static js_wait *begin_wait(js *js, js_open *owner, v8::Local<v8::Promise::Resolver> resolver)
{
    js_wait *wait = new js_wait;

    wait->owner = owner;
    wait->resolver.Reset(js->isolate, resolver);
    wait->frame.Reset(js->isolate, js_v8_frame(js->isolate, 0));
    TAILQ_INSERT_TAIL(&owner->waits, wait, link);
    js->wait_count++;
    return wait;
}

js_wait *js_wait_new(js *js, js_open *owner, v8::Local<v8::Promise::Resolver> resolver)
{
    js_wait *wait = begin_wait(js, owner, resolver);

    wait->is_own = true;
    return wait;
}

/* (what, string or bytes or undefined) -> promise */
static void ask(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    js *js = js_of(isolate);
    js_open *render = js_current(js);
    v8::Local<v8::Promise::Resolver> resolver;

    if (!v8::Promise::Resolver::New(context).ToLocal(&resolver))
        return;
    info.GetReturnValue().Set(resolver->GetPromise());
    if (!render || !render->serial || render->ending) {
        refuse(js, context, resolver,
               "the render that this belongs to has ended, or none has begun");
        return;
    }
    std::string what = js_std_string(isolate, info[0]);
    js_wait *wait = begin_wait(js, render, resolver);
    if (!hand_over(js, wait, what, info[1])) {
        TAILQ_REMOVE(&render->waits, wait, link);
        free_wait(js, wait);
        refuse(js, context, resolver, (what + " is not available here").c_str());
    }
}

void js_settle(struct js_wait *wait, enum js_value kind, const void *data, size_t bytes)
{
    js *js = wait->owner->js;
    std::lock_guard<std::mutex> lock(js->inbox);

    if (wait->forgotten || wait->settled)
        return; /* its render is ending at this moment */
    wait->settled = true;
    wait->kind = kind;
    wait->data.assign(static_cast<const char *>(bytes ? data : ""), bytes);
    TAILQ_INSERT_TAIL(&js->ready, wait, ready);
}

void js_set_outside(struct js *js, const struct js_outside *outside, void *arg)
{
    js->options.outside = *outside;
    js->options.arg = arg;
}

void js_wait_set_work(struct js_wait *wait, void *work)
{
    wait->work = work;
}

void *js_wait_work(const struct js_wait *wait)
{
    return wait->work;
}

unsigned js_wait_depth(const struct js_wait *wait)
{
    return wait->owner->request.depth;
}

static v8::MaybeLocal<v8::Value> bytes_value(js *js, const std::string &data)
{
    void *memory = js->allocator->AllocateUninitialized(data.size());

    if (!memory)
        return {};
    js->allocator->Free(memory, data.size()); /* there is room: New() below can't end the process */
    v8::Local<v8::ArrayBuffer> buffer = v8::ArrayBuffer::New(js->isolate, data.size());
    if (!data.empty())
        memcpy(buffer->GetBackingStore()->Data(), data.data(), data.size());
    return v8::Uint8Array::New(buffer, 0, data.size());
}

static v8::MaybeLocal<v8::Value> value_of(js *js, v8::Local<v8::Context> context,
                                          const js_wait *wait)
{
    v8::Isolate *isolate = js->isolate;
    const std::string &data = wait->data;

    switch (wait->kind) {
    case JS_VALUE_NOTHING:
        break;
    case JS_VALUE_TEXT:
        return js_string(isolate, data.data(), data.size());
    case JS_VALUE_BYTES:
        return bytes_value(js, data);
    case JS_VALUE_JSON:
        return v8::JSON::Parse(context, js_string(isolate, data.data(), data.size()));
    case JS_VALUE_ERROR:
        return v8::Exception::TypeError(js_string(isolate, data.data(), data.size()));
    }
    return v8::Undefined(isolate);
}

void js_wait_deliver(js *js, Entry &entry, js_wait *wait)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Promise::Resolver> resolver = wait->resolver.Get(isolate);
    v8::Local<v8::Value> value;
    bool fails = wait->kind == JS_VALUE_ERROR;

    js_v8_set_frame(isolate, wait->frame.Get(isolate), 0);
    if (!value_of(js, entry.context, wait).ToLocal(&value)) {
        fails = true;
        value = entry.caught.HasCaught() && !js_stopped(js)
                    ? entry.caught.Exception()
                    : v8::Exception::RangeError(js_name(isolate, "no memory for what has come"));
        entry.caught.Reset();
    }
    TAILQ_REMOVE(&wait->owner->waits, wait, link);
    free_wait(js, wait);
    if (fails)
        (void)resolver->Reject(entry.context, value).FromMaybe(false);
    else
        (void)resolver->Resolve(entry.context, value).FromMaybe(false);
    js_microtasks(js);
}

js_open *js_wait_due(js *js)
{
    std::lock_guard<std::mutex> lock(js->inbox);

    return TAILQ_EMPTY(&js->ready) ? nullptr : TAILQ_FIRST(&js->ready)->owner;
}

js_wait *js_wait_take(js *js, const js_open *owner)
{
    std::lock_guard<std::mutex> lock(js->inbox);
    js_wait *wait = TAILQ_FIRST(&js->ready);

    if (!wait || wait->owner != owner)
        return nullptr;
    TAILQ_REMOVE(&js->ready, wait, ready);
    return wait;
}

/* True: it was settled already. Either way nobody settles it from now on. */
static bool close_wait(js *js, js_wait *wait)
{
    std::lock_guard<std::mutex> lock(js->inbox);

    wait->forgotten = true;
    if (wait->settled)
        TAILQ_REMOVE(&js->ready, wait, ready);
    return wait->settled;
}

void js_wait_end(js *js, js_open *owner)
{
    js_wait *wait;

    while ((wait = TAILQ_FIRST(&owner->waits))) {
        TAILQ_REMOVE(&owner->waits, wait, link);
        if (!close_wait(js, wait) && !wait->is_own && js->options.outside.forget)
            js->options.outside.forget(js->options.arg, wait);
        free_wait(js, wait);
    }
}

static const js_native list[] = {{"ask", ask}};
const js_native_list js_wait_natives = {list, sizeof list / sizeof list[0]};
