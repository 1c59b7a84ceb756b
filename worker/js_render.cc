/* SPDX-License-Identifier: MIT */
/*
 * js_render.cc - a render from its call to its one done: now, after timers, or cancelled. What a
 * page is made of reads js_result; what the request shows js_request.
 */
#include "worker/js_render.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the largest page has needed is kept for the next, up to this. */
#define BODY_KEEP_BYTES ((size_t)1 << 20)
#define UNSETTLED "the promise that renderPage returned was still open when it was ended"

enum progress { OPEN, ENDED };

static void begin(js *js, const js_request *request, js_done *done, void *arg)
{
    Render *render = &js->render;

    js_timers_clear(js); /* what a task between renders may have set */
    js->allocator->refused = false;
    js_error_free(js->stood);
    js->stood = nullptr;
    render->open = true;
    render->serial++;
    render->done = done;
    render->arg = arg;
    render->request = *request;
    render->read_cookie = render->read_authorization = render->read_all = false;
    render->read_names.clear();
    render->read_text.reset();
}

/* js_render() is about to return with the promise open: what it borrowed goes away with it. */
static void keep_request(Render *render)
{
    js_request *r = &render->request;

    r->url = render->kept.keep(r->url, r->url_bytes);
    r->method = render->kept.keep(r->method, r->method_bytes);
    r->origin = render->kept.keep(r->origin, r->origin_bytes);
    r->id = render->kept.keep(r->id, r->id_bytes);
    r->body = render->kept.keep(r->body, r->body_bytes);
    r->data = nullptr; /* parsed already */
    r->data_bytes = 0;
    render->request_headers.assign(r->headers, r->headers + r->header_count);
    for (js_header &header : render->request_headers) {
        header.name = render->kept.keep(header.name, header.name_bytes);
        header.value = render->kept.keep(header.value, header.value_bytes);
    }
    r->headers = render->request_headers.data();
}

/* The one call of done. Outside of entries; error is taken. */
static void finish(js *js, js_result *result, js_error *error)
{
    Render *render = &js->render;
    js_done *done = render->done;

    if (result->outcome == JS_ERROR && js->allocator->refused)
        result->outcome = JS_OOM;
    js_error_locate(js, error);
    result->error = error;
    result->reads.cookie = render->read_cookie;
    result->reads.authorization = render->read_authorization;
    result->reads.all = render->read_all;
    result->reads.header = render->read_names.data();
    result->reads.header_count = render->read_names.size();
    render->open = false;
    render->promise.Reset();
    js_timers_clear(js);
    done(render->arg, result);
    js_error_free(error);
    render->kept.reset();
    js->page.text.reset();
    js->page.body.trim(BODY_KEEP_BYTES);
    if (result->outcome == JS_OOM)
        js_recover(js);
}

static js_error *heap_error(const js *js)
{
    char text[96];
    int bytes = snprintf(text, sizeof text, "stopped: the heap limit of %llu MiB was met",
                         (unsigned long long)(js->options.heap_bytes >> 20));

    return js_error_new(text, (size_t)bytes);
}

static js_error *literal_error(const char *text)
{
    return js_error_new(text, strlen(text));
}

/* A value, or an exception in entry.caught, or stopped. */
static v8::MaybeLocal<v8::Value> call(js *js, Entry &entry, js_error **ret_error)
{
    v8::Isolate *isolate = js->isolate;
    const js_request *request = &js->render.request;
    v8::Local<v8::Value> data = v8::Undefined(isolate);

    if (request->data_bytes &&
        !v8::JSON::Parse(entry.context, js_string(isolate, request->data, request->data_bytes))
             .ToLocal(&data)) {
        if (js_stopped(js))
            return {};
        js_error *error = js_error_caught(js, entry);
        std::string text = std::string("the data is not JSON: ") + error->message;
        js_error_free(error);
        *ret_error = js_error_new(text.data(), text.size());
        return {};
    }
    v8::Local<v8::Value> arguments[] = {v8::Number::New(isolate, (double)js->render.serial),
                                        js_string(isolate, request->url, request->url_bytes), data,
                                        v8::Number::New(isolate, request->call)};
    if (request->call != JS_CALL_PAGE)
        return js->gateway.Get(isolate)->Call(entry.context, v8::Undefined(isolate), 4, arguments);
    return js->call.Get(isolate)->Call(entry.context, v8::Undefined(isolate), 3, arguments);
}

/* The page, or the error that stands for it; then the microtasks that reading it has queued. */
static js_error *read_page(js *js, Entry &entry, v8::Local<v8::Value> value, js_result *result)
{
    js_error *error = nullptr;

    if (!js_result_read(js, entry, value, result, &error))
        result->outcome = JS_ERROR;
    if (!value->IsString())
        js_microtasks(js);
    return error;
}

/* `value` is what renderPage returned, after a checkpoint. */
static progress conclude(js *js, Entry &entry, v8::Local<v8::Value> value, js_result *result,
                         js_error **ret_error)
{
    if (!value->IsPromise()) {
        *ret_error = read_page(js, entry, value, result);
        return ENDED;
    }
    v8::Local<v8::Promise> promise = value.As<v8::Promise>();
    if (promise->State() == v8::Promise::kPending) {
        js_pump(js); /* WebAssembly settles its promises in tasks */
        js_microtasks(js);
    }
    if (js_stopped(js))
        return ENDED;
    if (promise->State() == v8::Promise::kPending) {
        js->render.promise.Reset(js->isolate, promise);
        return OPEN;
    }
    if (promise->State() == v8::Promise::kFulfilled) {
        *ret_error = read_page(js, entry, promise->Result(), result);
        return ENDED;
    }
    v8::Local<v8::Value> reason = promise->Result();
    result->outcome = JS_ERROR;
    *ret_error = js_error_from(js, entry.context, reason,
                               v8::Exception::CreateMessage(js->isolate, reason), "rejected with");
    return ENDED;
}

/* Between renders: V8's tasks (GC, finalizers), which would pile up. The page is out already. */
static void idle(js *js)
{
    Entry entry(js);

    js_pump(js);
    js_microtasks(js);
}

/* How the entry was left goes before what the JavaScript gave. */
static void end(js *js, js_outcome left, js_result *result, js_error *error)
{
    if (left != JS_OK) {
        js_error_free(error);
        result->outcome = left;
        error = left == JS_OOM ? heap_error(js) : js->stood;
        js->stood = nullptr;
    }
    finish(js, result, error);
    idle(js);
}

/* Its rejection is told as the render's error, not as one that nobody handles. */
static void forget_rejection(js *js, v8::Local<v8::Value> value)
{
    for (size_t i = 0; i < js->rejections.size(); i++) {
        if (js->rejections[i].promise == value) {
            js->rejections.erase(js->rejections.begin() + (ptrdiff_t)i);
            return;
        }
    }
}

static progress start(js *js, Entry &entry, js_result *result, js_error **ret_error)
{
    v8::Local<v8::Value> value;

    if (!call(js, entry, ret_error).ToLocal(&value)) {
        result->outcome = JS_ERROR;
        if (!*ret_error && !js_stopped(js))
            *ret_error = js_error_caught(js, entry);
        js_microtasks(js);
        return ENDED;
    }
    if (value->IsPromise()) {
        value.As<v8::Promise>()->MarkAsHandled();
        forget_rejection(js, value);
    }
    js_microtasks(js);
    return js_stopped(js) ? ENDED : conclude(js, entry, value, result, ret_error);
}

static js_result blank_result(const js *js)
{
    js_result result = {};

    result.outcome = JS_OK;
    result.status = 200;
    result.body = "";
    result.is_fetch = js->contract.is_fetch;
    result.ttl_ms = result.swr_ms = result.sie_ms = JS_UNSET;
    return result;
}

int js_render(struct js *js, const struct js_request *request, js_done *done, void *arg)
{
    js_result result = blank_result(js);
    js_error *error = nullptr;
    js_outcome left;

    if (js->render.open || js->ticking)
        return -EBUSY;
    begin(js, request, done, arg);
    if (js->call.IsEmpty()) {
        result.outcome = JS_ERROR;
        finish(js, &result, literal_error("no bundle is loaded"));
        return 0;
    }
    {
        Entry entry(js);
        if (start(js, entry, &result, &error) == OPEN) {
            keep_request(&js->render);
            return 0;
        }
        left = entry.leave();
    }
    end(js, left, &result, error);
    return 0;
}

void js_render_resume(js *js, js_render_step *step, uint64_t now_ms)
{
    js_result result = blank_result(js);
    js_error *error = nullptr;
    js_outcome left;
    {
        Entry entry(js);
        step(js, entry, now_ms);
        if (!js_stopped(js) &&
            conclude(js, entry, js->render.promise.Get(js->isolate), &result, &error) == OPEN)
            return;
        left = entry.leave();
    }
    end(js, left, &result, error);
}

bool js_render_settled(const js *js)
{
    v8::HandleScope handle_scope(js->isolate);

    return js->render.promise.Get(js->isolate)->State() != v8::Promise::kPending;
}

bool js_pending(const struct js *js)
{
    return js->render.open;
}

void js_cancel(struct js *js, enum js_outcome outcome)
{
    js_result result = blank_result(js);

    assert(!js->ticking); /* its JavaScript may be what runs */
    if (!js->render.open)
        return;
    result.outcome = outcome == JS_OK ? JS_TIMEOUT : outcome;
    v8::Isolate::Scope isolate_scope(js->isolate); /* handles of timers go */
    finish(js, &result, literal_error(UNSETTLED));
}
