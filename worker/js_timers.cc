/* SPDX-License-Identifier: MIT */
/*
 * js_timers.cc - setTimeout and its family (HTML, section 8.6 "Timers") with setImmediate and
 * queueMicrotask. Timers belong to the open render and end with it: kept longer, they would grow
 * the heap from render to render and run in a page that isn't theirs. Those set while a bundle
 * loads are dropped when it has loaded.
 */
#include "worker/js_render.h"

#include <math.h>

#define DELAY_MAX_MS 2147483647.0 /* longer ones fire after 1 ms, as in Node.js */
#define NS_PER_MS 1000000u

/*
 * Rounded up, so that nothing fires early; a delay of 0 is due at once. Where the caller of
 * js_run_timers() is ahead of the clock (a test that owns time), its time counts.
 */
static uint64_t deadline_ms(const Timers *timers, int64_t delay_ms)
{
    uint64_t now_ns = js_clock_ns();
    uint64_t now_ms = (now_ns + (delay_ms > 0 ? NS_PER_MS - 1 : 0)) / NS_PER_MS;

    return (now_ms > timers->run_ms ? now_ms : timers->run_ms) + (uint64_t)delay_ms;
}

static void insert(Timers *timers, Timer &&timer, int64_t delay_ms)
{
    Timers::Key key(deadline_ms(timers, delay_ms), timers->sequence++);

    timers->keys[timer.id] = key;
    timers->queue.emplace(key, std::move(timer));
}

/* False: the conversion of the delay has thrown. */
static bool read_delay(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
                       int64_t *ret_delay_ms)
{
    double number = 0;

    if (!value->IsUndefined() && !value->NumberValue(context).To(&number))
        return false;
    if (!(number >= 0)) /* also NaN */
        number = 0;
    *ret_delay_ms = number > DELAY_MAX_MS ? 1 : (int64_t)trunc(number);
    return true;
}

static void add(const v8::FunctionCallbackInfo<v8::Value> &info, int first_argument, bool repeat)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    int64_t delay_ms = 0;
    Timer timer;

    if (!info[0]->IsFunction()) {
        isolate->ThrowException(v8::Exception::TypeError(
            js_name(isolate, "The callback of a timer must be a function")));
        return;
    }
    if (first_argument > 1 && !read_delay(isolate->GetCurrentContext(), info[1], &delay_ms))
        return;
    if (repeat && delay_ms < 1)
        delay_ms = 1; /* or it would be due for ever */
    timer.callback.Reset(isolate, info[0].As<v8::Function>());
    for (int i = first_argument; i < info.Length(); i++)
        timer.arguments.emplace_back(isolate, info[i]);
    timer.id = ++js->timers.last_id;
    timer.repeat_ms = repeat ? delay_ms : -1;
    info.GetReturnValue().Set(timer.id);
    insert(&js->timers, std::move(timer), delay_ms);
}

static void set_timeout(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    add(info, 2, false);
}

static void set_interval(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    add(info, 2, true);
}

static void set_immediate(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    add(info, 1, false);
}

static void clear(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    Timers *timers = &js_of(info.GetIsolate())->timers;

    if (!info[0]->IsUint32())
        return;
    auto found = timers->keys.find(info[0].As<v8::Uint32>()->Value());
    if (found == timers->keys.end())
        return;
    timers->queue.erase(found->second);
    timers->keys.erase(found);
}

static void queue_microtask(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();

    if (!info[0]->IsFunction())
        isolate->ThrowException(v8::Exception::TypeError(
            js_name(isolate, "The argument of queueMicrotask must be a function")));
    else
        isolate->EnqueueMicrotask(info[0].As<v8::Function>());
}

void js_timers_install(js *js, v8::Local<v8::Object> native)
{
    static const js_native list[] = {
        {"setTimeout", set_timeout},
        {"setInterval", set_interval},
        {"setImmediate", set_immediate},
        {"clearTimeout", clear},
        {"clearInterval", clear},
        {"clearImmediate", clear},
        {"queueMicrotask", queue_microtask},
    };

    js_natives_add(js, native, list, sizeof list / sizeof list[0]);
}

void js_timers_clear(js *js)
{
    js->timers.run_ms = 0;
    if (js->timers.queue.empty())
        return;
    js->timers.queue.clear();
    js->timers.keys.clear();
}

uint64_t js_next_timer_ms(const struct js *js)
{
    return js->timers.queue.empty() ? UINT64_MAX : js->timers.queue.begin()->first.first;
}

/* Takes the first timer out, or re-arms it before its call, so that the call may clear it. */
static void fire_first(js *js, Entry &entry)
{
    v8::Isolate *isolate = js->isolate;
    v8::HandleScope handle_scope(isolate);
    auto node = js->timers.queue.extract(js->timers.queue.begin());
    Timer &timer = node.mapped();
    v8::Local<v8::Function> callback = timer.callback.Get(isolate);
    std::vector<v8::Local<v8::Value>> arguments;

    for (auto &argument : timer.arguments)
        arguments.push_back(argument.Get(isolate));
    js->timers.keys.erase(timer.id);
    if (timer.repeat_ms >= 0) {
        int64_t repeat_ms = timer.repeat_ms;
        insert(&js->timers, std::move(timer), repeat_ms);
    }
    bool failed =
        callback
            ->Call(entry.context, entry.context->Global(), (int)arguments.size(), arguments.data())
            .IsEmpty();
    if (failed && !js_stopped(js)) {
        js_report(js, entry.caught.Exception(), entry.caught.Message(), "Uncaught in a timer:");
        entry.caught.Reset();
    }
    js_microtasks(js);
}

/* What these set waits for the next call. */
static void run_due_while(js *js, Entry &entry, uint64_t now_ms, bool (*is_over)(const struct js *))
{
    Timers *timers = &js->timers;
    uint64_t sequence = timers->sequence;

    timers->run_ms = now_ms;
    while (!js_stopped(js) && !is_over(js) && !timers->queue.empty()) {
        Timers::Key first = timers->queue.begin()->first;

        if (first.first > now_ms || first.second >= sequence)
            break;
        fire_first(js, entry);
    }
}

static void run_due(js *js, Entry &entry, uint64_t now_ms)
{
    run_due_while(js, entry, now_ms, js_render_settled);
}

void js_timers_load(js *js, Entry &entry, uint64_t now_ms)
{
    run_due_while(js, entry, now_ms, [](const struct js *) { return false; });
}

void js_run_timers(struct js *js, uint64_t now_ms)
{
    if (js_pending(js))
        js_render_resume(js, run_due, now_ms);
}
