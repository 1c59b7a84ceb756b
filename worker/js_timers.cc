/* SPDX-License-Identifier: MIT */
/*
 * js_timers.cc - setTimeout and its family (HTML, section 8.6 "Timers") with setImmediate and
 * queueMicrotask. Timers belong to the render that set them and end with it: kept longer, they would
 * grow the heap from render to render and run in a page that isn't theirs. Those set while a bundle
 * loads are dropped when it has loaded, and what a render sets that has ended never runs.
 */
#include "worker/js_render.h"

#include <math.h>

#define DELAY_MAX_MS 2147483647.0 /* longer ones fire after 1 ms, as in Node.js */
#define NS_PER_MS 1000000u

/*
 * Rounded up, so that nothing fires early; a delay of 0 is due at once. Where the caller of
 * js_step() is ahead of the clock (a test that owns time), its time counts.
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
    Timer *kept = &timers->queue.emplace(key, std::move(timer)).first->second;
    LIST_INSERT_HEAD(&kept->owner->timers, kept, link);
}

/* Out of the queue and of its owner's list. */
static std::map<Timers::Key, Timer>::node_type extract(Timers *timers, Timers::Key key)
{
    auto node = timers->queue.extract(key);

    LIST_REMOVE(&node.mapped(), link);
    timers->keys.erase(node.mapped().id);
    return node;
}

/* Whose timer this is; nullptr: nobody's, it never runs. */
static js_open *owner_of_new(js *js)
{
    js_open *render = js_current(js);

    if (render)
        return render->ending ? nullptr : render;
    return js->loading && !js->entered ? &js->load : nullptr;
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
    timer.frame.Reset(isolate, js_v8_frame(isolate, 0));
    timer.id = ++js->timers.last_id;
    timer.repeat_ms = repeat ? delay_ms : -1;
    timer.owner = owner_of_new(js);
    info.GetReturnValue().Set(timer.id);
    if (timer.owner)
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

/* Only a render's own: ids that outlived theirs name nobody else's timers. */
static void clear(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    js *js = js_of(info.GetIsolate());
    Timers *timers = &js->timers;

    if (!info[0]->IsUint32())
        return;
    auto found = timers->keys.find(info[0].As<v8::Uint32>()->Value());
    if (found == timers->keys.end())
        return;
    js_open *owner = timers->queue.find(found->second)->second.owner;
    if (owner == &js->load || owner == js_current(js))
        (void)extract(timers, found->second);
}

static void queue_microtask(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();

    if (info[0]->IsFunction()) /* polyfills/timers.js checks and wraps it */
        isolate->EnqueueMicrotask(info[0].As<v8::Function>());
}

static const js_native list[] = {
    {"setTimeout", set_timeout},
    {"setInterval", set_interval},
    {"setImmediate", set_immediate},
    {"clearTimeout", clear},
    {"clearInterval", clear},
    {"clearImmediate", clear},
    {"queueMicrotask", queue_microtask},
};
const js_native_list js_timers_natives = {list, sizeof list / sizeof list[0]};

void js_timers_end(js *js, js_open *owner)
{
    Timer *timer;

    while ((timer = LIST_FIRST(&owner->timers)))
        (void)extract(&js->timers, js->timers.keys[timer->id]);
}

void js_timers_clear(js *js)
{
    js_timers_end(js, &js->load);
}

js_open *js_timers_due(js *js, uint64_t now_ms, uint64_t sequence)
{
    const Timers *timers = &js->timers;

    if (timers->queue.empty())
        return nullptr;
    auto first = timers->queue.begin();
    return first->first.first <= now_ms && first->first.second < sequence ? first->second.owner
                                                                          : nullptr;
}

/* Takes the first timer out, or re-arms it before its call, so that the call may clear it. */
void js_timers_fire(js *js, Entry &entry, uint64_t now_ms)
{
    v8::Isolate *isolate = js->isolate;
    v8::HandleScope handle_scope(isolate);
    auto node = extract(&js->timers, js->timers.queue.begin()->first);
    Timer &timer = node.mapped();
    v8::Local<v8::Function> callback = timer.callback.Get(isolate);
    std::vector<v8::Local<v8::Value>> arguments;

    js->timers.run_ms = now_ms;
    for (auto &argument : timer.arguments)
        arguments.push_back(argument.Get(isolate));
    js_v8_set_frame(isolate, timer.frame.Get(isolate), 0);
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
void js_timers_load(js *js, Entry &entry, uint64_t now_ms)
{
    uint64_t sequence = js->timers.sequence;

    while (!js_stopped(js) && js_timers_due(js, now_ms, sequence) == &js->load)
        js_timers_fire(js, entry, now_ms);
}
