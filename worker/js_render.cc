/* SPDX-License-Identifier: MIT */
/*
 * js_render.cc - renders from their call to their one done: now, after steps (timers, what came from
 * outside), or cancelled. Any number may be open, each in a slot of its own; what a page is made of
 * reads js_result; what the request shows js_request; which render runs knows js_frame.
 */
#include "worker/js_render.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>

/* What the largest page has needed is kept for the next, up to this. */
#define BODY_KEEP_BYTES ((size_t)1 << 20)
#define UNSETTLED "the promise that renderPage returned was still open when it was ended"
#define LEFT "the client has gone"
#define SILENT "the stream that is the page's body has given no chunk for render.stall"
#define LASTED "promises were still open when the render was ended"

enum progress { OPEN, ENDED };

/* nullptr: all are taken. The last one freed first: one render at a time always has the same. */
static js_open *take_slot(js *js)
{
    uint32_t slot = (uint32_t)js->slots.size();

    if (!js->free_slots.empty()) {
        slot = js->free_slots.back();
        js->free_slots.pop_back();
        return js->slots[slot].get();
    }
    if (slot >= JS_OPEN_MAX)
        return nullptr;
    js->slots.push_back(std::make_unique<js_open>());
    js_open *render = js->slots.back().get();
    render->js = js;
    render->slot = slot;
    LIST_INIT(&render->timers);
    TAILQ_INIT(&render->waits);
    return render;
}

static void begin(js *js, js_open *render, const js_request *request, js_done *done, void *arg)
{
    js_timers_clear(js);
    js->allocator->refused = false;
    js_error_free(js->stood);
    js->stood = nullptr;
    if (js->open_count++ == 0)
        js->timers.run_ms = 0;
    render->open = true;
    render->ending = render->kept_request = render->is_settled = false;
    render->is_answered = render->is_kept = false;
    render->lasting.clear();
    render->serial = ++js->renders * JS_OPEN_MAX + render->slot;
    render->done = done;
    render->arg = arg;
    render->request = *request;
    render->read_cookie = render->read_authorization = render->read_all = render->read_other =
        false;
    render->read_nonce = js->nonce_for_all;
    render->read_names.clear();
    render->read_text.reset();
}

/* js_render() is about to return with the promise open: what it borrowed goes away with it. */
static void keep_request(js_open *render)
{
    js_request *r = &render->request;

    if (render->kept_request)
        return;
    render->kept_request = true;
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

/* native.abort(signal, gone, reader): the listeners of request.signal, and the stream that was the
 * body. The answer is out already. */
static void abort_signal(js *js, js_open *render, js_outcome outcome)
{
    js_outcome left;
    {
        Entry entry(js, render);
        v8::Local<v8::Value> abort;
        v8::Local<v8::Value> nothing = v8::Undefined(js->isolate);
        v8::Local<v8::Value> arguments[] = {
            nothing, v8::Boolean::New(js->isolate, outcome == JS_GONE), nothing};

        if (!render->signal.IsEmpty())
            arguments[0] = render->signal.Get(js->isolate);
        if (!render->reader.IsEmpty())
            arguments[2] = render->reader.Get(js->isolate);

        if (js->native.Get(js->isolate)
                ->Get(entry.context, js_name(js->isolate, "abort"))
                .ToLocal(&abort) &&
            abort->IsFunction() &&
            abort.As<v8::Function>()->Call(entry.context, nothing, 3, arguments).IsEmpty())
            entry.caught.Reset();
        js_microtasks(js);
        left = entry.leave();
    }
    if (left == JS_OOM)
        js_recover(js);
}

/* Nobody finds it any more. */
static void release(js *js, js_open *render)
{
    js_stream_end(js, render);
    js_context_drop(js, render);
    render->open = false;
    render->signal.Reset();
    render->kept.reset();
    js->open_count--;
    js->free_slots.push_back(render->slot);
}

static void unsettle(js *js, js_open *render)
{
    if (render->is_settled)
        js->settled.erase(std::find(js->settled.begin(), js->settled.end(), render->serial));
    render->is_settled = false;
}

/* The answer is out, or goes out now: the room that it took. */
static void clear_page(js *js)
{
    js->page.text.reset();
    js->page.body.trim(BODY_KEEP_BYTES);
}

/* The end of a render that has had its answer and went on for ctx.waitUntil(). Takes error. */
static void finish_lasting(js *js, js_open *render, js_outcome outcome, js_error *error)
{
    js_over *over = render->is_kept ? render->over : nullptr;

    js_error_locate(js, error);
    unsettle(js, render);
    js_timers_end(js, render);
    js_wait_end(js, render);
    render->lasting.clear();
    if (outcome != JS_OK && render->is_kept)
        js_lasting_tell(js, render, error);
    js_error_free(error);
    render->ending = true;
    if (over)
        over(render->arg);
    if (outcome == JS_OOM)
        js_recover(js);
    if (outcome != JS_OK && !render->signal.IsEmpty())
        abort_signal(js, render, outcome);
    release(js, render);
}

/* done, while promises of ctx.waitUntil() are open. Takes error. */
static void answer_and_go_on(js *js, js_open *render, js_result *result, js_error *error)
{
    keep_request(render); /* done may free what was borrowed */
    unsettle(js, render);
    render->is_answered = true;
    result->lasting = render;
    render->done(render->arg, result);
    js_error_free(error);
    js_stream_end(js, render);
    clear_page(js);
    if (!render->is_kept)
        finish_lasting(js, render, JS_OK, nullptr);
}

/* The one call of done, or the end of what came after it. Outside of entries; error is taken. */
static void finish(js *js, js_open *render, js_result *result, js_error *error)
{
    bool aborts =
        result->outcome != JS_OK && (!render->signal.IsEmpty() || !render->reader.IsEmpty());
    js_done *done = render->done;

    if (render->is_answered) {
        finish_lasting(js, render, result->outcome, error);
        return;
    }
    if (result->outcome == JS_ERROR && js->allocator->refused)
        result->outcome = JS_OOM;
    js_error_locate(js, error);
    result->error = error;
    js_result_reads(js, render, result);
    render->promise.Reset();
    if ((result->outcome == JS_OK || result->outcome == JS_ERROR) && js_lasts(js, render)) {
        answer_and_go_on(js, render, result, error);
        return;
    }
    unsettle(js, render);
    js_timers_end(js, render);
    js_wait_end(js, render);
    if (aborts) { /* done may free what was borrowed */
        keep_request(render);
        render->ending = true;
    } else {
        render->open = false;
    }
    done(render->arg, result);
    js_error_free(error);
    clear_page(js);
    if (result->outcome == JS_OOM)
        js_recover(js);
    if (aborts)
        abort_signal(js, render, result->outcome);
    release(js, render);
}

static js_error *literal_error(const char *text)
{
    return js_error_new(text, strlen(text));
}

/* A value, or an exception in entry.caught, or stopped. */
static v8::MaybeLocal<v8::Value> call(js *js, Entry &entry, const js_open *render,
                                      js_error **ret_error)
{
    v8::Isolate *isolate = js->isolate;
    const js_request *request = &render->request;
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
    v8::Local<v8::Value> arguments[] = {v8::Number::New(isolate, (double)render->serial),
                                        js_string(isolate, request->url, request->url_bytes), data,
                                        v8::Number::New(isolate, request->call)};
    if (request->call != JS_CALL_PAGE)
        return js->gateway.Get(isolate)->Call(entry.context, v8::Undefined(isolate), 4, arguments);
    return js->call.Get(isolate)->Call(entry.context, v8::Undefined(isolate), 3, arguments);
}

/* The page, or the error that stands for it; then the microtasks that reading it has queued. */
static js_error *read_page(js *js, Entry &entry, js_open *render, v8::Local<v8::Value> value,
                           js_result *result)
{
    js_error *error = nullptr;

    if (!render->flat.IsEmpty())
        return js_stream_page(js, entry, render, result);
    if (!js_result_read(js, entry, value, result, &error))
        result->outcome = JS_ERROR;
    if (!value->IsString())
        js_microtasks(js);
    return error;
}

static progress conclude(js *js, Entry &entry, js_open *render, v8::Local<v8::Value> value,
                         js_result *result, js_error **ret_error);
static void watch(js *js, Entry &entry, js_open *render, v8::Local<v8::Promise> promise);

static void note_unsettled(js *js, js_open *render)
{
    if (render->is_settled)
        js->settled.erase(std::find(js->settled.begin(), js->settled.end(), render->serial));
    render->is_settled = false;
}

/* What a promise gave. Where its body is a stream, the promise of the page with the stream read takes
 * the first one's place; what that gives is a page without. */
static progress conclude_fulfilled(js *js, Entry &entry, js_open *render,
                                   v8::Local<v8::Value> value, js_result *result,
                                   js_error **ret_error)
{
    v8::Local<v8::Value> whole = value;

    if (value->IsObject() && !js->whole.Get(js->isolate)
                                  ->Call(entry.context, v8::Undefined(js->isolate), 1, &value)
                                  .ToLocal(&whole)) {
        result->outcome = JS_ERROR;
        if (!js_stopped(js))
            *ret_error = js_error_caught(js, entry);
        return ENDED;
    }
    if (!whole->IsPromise()) {
        *ret_error = read_page(js, entry, render, whole, result);
        return ENDED;
    }
    whole.As<v8::Promise>()->MarkAsHandled();
    note_unsettled(js, render);
    js_microtasks(js);
    if (js_stopped(js) || conclude(js, entry, render, whole, result, ret_error) == ENDED)
        return ENDED;
    watch(js, entry, render, whole.As<v8::Promise>());
    return OPEN;
}

/* `value` is what renderPage returned, after a checkpoint. */
static progress conclude(js *js, Entry &entry, js_open *render, v8::Local<v8::Value> value,
                         js_result *result, js_error **ret_error)
{
    js_frame_enter(js, render); /* the checkpoint has left none */
    if (!value->IsPromise()) {
        *ret_error = read_page(js, entry, render, value, result);
        return ENDED;
    }
    v8::Local<v8::Promise> promise = value.As<v8::Promise>();
    if (promise->State() == v8::Promise::kPending) {
        js_pump(js); /* WebAssembly settles its promises in tasks */
        js_microtasks(js);
        js_frame_enter(js, render);
    }
    if (js_stopped(js))
        return ENDED;
    if (promise->State() == v8::Promise::kPending)
        return OPEN;
    if (promise->State() == v8::Promise::kFulfilled)
        return conclude_fulfilled(js, entry, render, promise->Result(), result, ret_error);
    v8::Local<v8::Value> reason = promise->Result();
    result->outcome = JS_ERROR;
    *ret_error = js_error_from(js, entry.context, reason,
                               v8::Exception::CreateMessage(js->isolate, reason), "rejected with");
    return ENDED;
}

void js_render_note(js *js, js_open *render)
{
    if (!render->is_settled) {
        render->is_settled = true;
        js->settled.push_back(render->serial);
    }
}

/* A reaction of a render's promise: its frame says whose. */
static void on_settled(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js *js = js_of(info.GetIsolate());
    js_open *render = js_current(js);

    if (render && render->serial && !render->promise.IsEmpty())
        js_render_note(js, render);
}

/* Another render's step, or a task, may settle its promise: V8 then tells us. */
static void watch(js *js, Entry &entry, js_open *render, v8::Local<v8::Promise> promise)
{
    v8::Local<v8::Function> function;

    render->promise.Reset(js->isolate, promise);
    if (js->watch.IsEmpty()) {
        if (!v8::Function::New(entry.context, on_settled, {}, 0, v8::ConstructorBehavior::kThrow)
                 .ToLocal(&function))
            return;
        js->watch.Reset(js->isolate, function);
    }
    function = js->watch.Get(js->isolate);
    js_frame_enter(js, render);
    (void)promise->Then(entry.context, function, function).IsEmpty();
}

void js_render_scan(js *js)
{
    if (js->open_count == 0)
        return;
    v8::HandleScope handle_scope(js->isolate);
    for (auto &render : js->slots)
        if (render->open && (render->is_answered ? !js_lasts(js, render.get())
                                                 : !render->promise.IsEmpty() &&
                                                       render->promise.Get(js->isolate)->State() !=
                                                           v8::Promise::kPending))
            js_render_note(js, render.get());
}

/* Between renders: V8's tasks (GC, finalizers), which would pile up. The page is out already. */
static void idle(js *js)
{
    Entry entry(js);

    js_pump(js);
    js_microtasks(js);
}

/* How the entry was left goes before what the JavaScript gave. */
static void end(js *js, js_open *render, js_outcome left, js_result *result, js_error *error)
{
    if (left != JS_OK) {
        js_error_free(error);
        result->outcome = left;
        error = js->stood;
        js->stood = nullptr;
        if (!error && left == JS_OOM)
            error = js_heap_error(js, false);
    }
    finish(js, render, result, error);
    idle(js);
    js_reset(js);
}

static progress start(js *js, Entry &entry, js_open *render, js_result *result,
                      js_error **ret_error)
{
    v8::Local<v8::Value> value;

    if (!call(js, entry, render, ret_error).ToLocal(&value)) {
        result->outcome = JS_ERROR;
        if (!*ret_error && !js_stopped(js))
            *ret_error = js_error_caught(js, entry);
        js_microtasks(js);
        return ENDED;
    }
    if (value->IsPromise()) {
        value.As<v8::Promise>()->MarkAsHandled();
        js_forget_rejection(js, value);
    }
    js_microtasks(js);
    if (js_stopped(js) || conclude(js, entry, render, value, result, ret_error) == ENDED)
        return ENDED;
    if (render->promise.IsEmpty()) /* else it watches what came in its place */
        watch(js, entry, render, value.As<v8::Promise>());
    return OPEN;
}

struct js_open *js_render(struct js *js, const struct js_request *request, js_done *done, void *arg)
{
    assert(!js->ticking);
    js_result result = js_result_blank(js);
    js_open *render = take_slot(js);
    js_error *error = nullptr;
    js_outcome left;

    if (!render) {
        result.outcome = JS_ERROR;
        result.error = error = literal_error("too many renders are open");
        done(arg, &result);
        js_error_free(error);
        return nullptr;
    }
    begin(js, render, request, done, arg);
    if (!js_context_take(js, render, &result, &error)) {
        finish(js, render, &result, error);
        return nullptr;
    }
    {
        Entry entry(js, render);
        if (start(js, entry, render, &result, &error) == OPEN) {
            keep_request(render);
            return render;
        }
        left = entry.leave();
    }
    end(js, render, left, &result, error);
    return nullptr;
}

static bool advance(js *js, Entry &entry, js_open *render, uint64_t now_ms)
{
    js_wait *wait;

    if (render->is_settled)
        return true;
    if ((wait = js_wait_take(js, render)))
        js_wait_deliver(js, entry, wait);
    else if (js_timers_due(js, now_ms, UINT64_MAX) == render)
        js_timers_fire(js, entry, now_ms);
    else
        return false;
    return true;
}

/* True: it stays open. After an advance. */
static bool goes_on(js *js, Entry &entry, js_open *render, js_result *result, js_error **ret_error)
{
    if (!render->is_answered)
        return conclude(js, entry, render, render->promise.Get(js->isolate), result, ret_error) ==
               OPEN;
    unsettle(js, render);
    return js_lasts(js, render);
}

void js_step(struct js *js, struct js_open *render, uint64_t now_ms)
{
    js_result result = js_result_blank(js);
    js_error *error = nullptr;
    js_outcome left;
    {
        Entry entry(js, render);
        if (!advance(js, entry, render, now_ms))
            return;
        if (!js_stopped(js) && goes_on(js, entry, render, &result, &error))
            return;
        left = entry.leave();
    }
    end(js, render, left, &result, error);
}

static js_open *due(js *js, uint64_t now_ms, uint64_t sequence)
{
    if (!js->settled.empty())
        return js_find_open(js, (double)js->settled.front());
    js_open *waiting = js_wait_due(js);
    return waiting ? waiting : js_timers_due(js, now_ms, sequence);
}

struct js_open *js_due(struct js *js, uint64_t now_ms)
{
    return due(js, now_ms, UINT64_MAX);
}

void js_run_timers(struct js *js, uint64_t now_ms)
{
    uint64_t sequence = js->timers.sequence;
    js_open *render;

    assert(!js->ticking);
    while ((render = due(js, now_ms, sequence)))
        js_step(js, render, now_ms);
}

uint64_t js_next_timer_ms(struct js *js)
{
    if (!js->settled.empty() || js_wait_due(js))
        return 0;
    return js->timers.queue.empty() ? UINT64_MAX : js->timers.queue.begin()->first.first;
}

bool js_is_stuck(const struct js *js)
{
    return js->settled.empty() && js->wait_count == 0 && js->timers.queue.empty();
}

size_t js_pending(const struct js *js)
{
    return js->open_count;
}

void *js_arg(const struct js_open *open)
{
    return open->arg;
}

void js_cancel(struct js *js, struct js_open *open, enum js_outcome outcome)
{
    js_result result = js_result_blank(js);

    assert(!js->ticking); /* its JavaScript may be what runs */
    result.outcome = outcome;
    v8::Isolate::Scope isolate_scope(js->isolate); /* handles of timers go */
    finish(js, open, &result,
           literal_error(open->is_answered     ? LASTED
                         : outcome == JS_GONE  ? LEFT
                         : outcome == JS_STALL ? SILENT
                                               : UNSETTLED));
    js_reset(js);
}

void js_end_all(js *js)
{
    if (!js->isolate)
        return;
    js->restore.Reset();
    js->shapes.clear();
    for (auto &render : js->slots) {
        render->signal.Reset(); /* nothing of JavaScript runs any more */
        if (render->open)
            js_cancel(js, render.get(), JS_TIMEOUT);
    }
}
