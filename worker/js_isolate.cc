/* SPDX-License-Identifier: MIT */
/*
 * js_isolate.cc - V8 and the isolate: start, limits of heap and stack, entries into JavaScript and
 * how they are stopped. What the entries do is elsewhere (js_load, js_render, js_timers).
 */
#include "worker/js_render.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MIB_BYTES ((size_t)1 << 20)
#define STACK_BYTES ((uint64_t)984 << 10)
/* Measured: the table in worker/README.md. */
#define SEMI_SPACE_BYTES (2 * MIB_BYTES)
/* V8's young generation: two semi-spaces, and as much as one for large objects. */
#define YOUNG_BYTES (3 * SEMI_SPACE_BYTES)
#define HEADROOM_BYTES (64 * MIB_BYTES)
#define WASM_PAGE_BYTES 65536u
#define WASM_BYTES_MAX (UINT64_C(1) << 32)

std::unique_ptr<v8::Platform> js_platform;

bool Allocator::admit(size_t bytes, const void *data)
{
    refused = !data;
    if (data)
        used_bytes += bytes;
    return data != nullptr;
}

void *Allocator::Allocate(size_t bytes)
{
    void *data = bytes > limit_bytes - used_bytes ? nullptr : calloc(bytes ? bytes : 1, 1);

    return admit(bytes, data) ? data : nullptr;
}

void *Allocator::AllocateUninitialized(size_t bytes)
{
    void *data = bytes > limit_bytes - used_bytes ? nullptr : malloc(bytes ? bytes : 1);

    return admit(bytes, data) ? data : nullptr;
}

void Allocator::Free(void *data, size_t bytes)
{
    if (data)
        used_bytes -= bytes;
    free(data);
}

uint64_t js_clock_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void js_bound_memories(uint64_t bytes)
{
    char flag[64];

    if (js_platform)
        return;
    (void)snprintf(flag, sizeof flag, "--wasm-max-mem-pages=%llu",
                   (unsigned long long)(bytes < WASM_BYTES_MAX ? bytes : WASM_BYTES_MAX) /
                       WASM_PAGE_BYTES);
    v8::V8::SetFlagsFromString(flag);
}

void js_start(const char *flags)
{
    if (js_platform)
        return;
    v8::V8::SetFlagsFromString("--single-threaded");
    /* Renderers walk trees of objects with many shapes (the props of each component). With V8's own
     * limit of 4 their sites look shapes up in a table that thrashes; compared one after another React's page
     * takes a fifth less. More than 32 cost where there are as many (perf/README.md, "Renders"). */
    v8::V8::SetFlagsFromString("--max-valid-polymorphic-map-count=32");
#if !JS_V8_AT_LEAST(12, 0) /* 12.6 took the keyword away again */
    v8::V8::SetFlagsFromString("--harmony-import-assertions"); /* import … assert {type: 'json'} */
#endif
    if (flags) {
        v8::V8::SetFlagsFromString(flags);
        js_snapshot_refuse();
    }
    js_platform = v8::platform::NewSingleThreadedDefaultPlatform();
    v8::V8::InitializePlatform(js_platform.get());
    v8::V8::Initialize();
}

const char *js_v8_version(void)
{
    return v8::V8::GetVersion();
}

/*
 * As much again as the limit. 64 MiB over a limit of 256 MiB kept arrays and strings in bounds, but
 * growing a Map, a Set or an object used as a table asks for twice its size in one allocation and
 * ended the process; with the double limit all of them end as JS_OOM, and room for three or four
 * limits changes nothing more. Only that one allocation ever uses it.
 */
static size_t headroom(size_t limit_bytes)
{
    return limit_bytes > HEADROOM_BYTES ? limit_bytes : HEADROOM_BYTES;
}

js_error *js_heap_error(js *js, bool is_there)
{
    char text[96];
    int bytes = snprintf(text, sizeof text, "stopped: %s the heap limit of %llu MiB%s",
                         js->loading ? "the bundle met" : "it met",
                         (unsigned long long)(js->options.heap_bytes >> 20),
                         js->loading ? " while it loaded" : "");

    return is_there ? js_error_here(js->isolate, text) : js_error_new(text, (size_t)bytes);
}

/* Where the JavaScript can be stopped: notes where it stands, then ends it. What is shielded too: there is
 * no memory to finish it with. */
static void on_heap_limit(v8::Isolate *isolate, void *data)
{
    js *js = js_of(isolate);

    if (js->running.load(std::memory_order_relaxed) != (uint64_t)(uintptr_t)data || js->stopped)
        return; /* meant for an entry that has ended meanwhile */
    v8::HandleScope handle_scope(isolate);
    js_error_free(js->stood);
    js->stood = js_heap_error(js, true);
    isolate->TerminateExecution();
}

/*
 * Inside a GC, where no stack can be looked at: V8 is asked for an interrupt, which it takes wherever it
 * would be terminated. The room is given once an entry, for the way from here to the next place where the
 * JavaScript can be stopped; what needs more than that ends the process in last_words().
 */
static size_t near_heap_limit(void *data, size_t limit_bytes, size_t)
{
    js *js = static_cast<struct js *>(data);

    if (js->out_of_memory)
        return limit_bytes;
    js->out_of_memory = true;
    js->isolate->RequestInterrupt(on_heap_limit,
                                  (void *)(uintptr_t)js->running.load(std::memory_order_relaxed));
    return limit_bytes + headroom(limit_bytes);
}

static void last_words(const char *location, JS_V8_OOM_PARAMETER)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = isolate ? js_of(isolate) : nullptr;
    char text[160];
    int bytes = snprintf(text, sizeof text, "V8 is out of memory for good, in %s: the process ends",
                         location ? location : "?");

    if (js && js->options.console)
        js->options.console(js->options.arg, JS_CONSOLE_ERROR, text, (size_t)bytes);
    if (js && js->fatal)
        js->fatal(js->fatal_arg);
    abort();
}

void js_forget_rejection(js *js, v8::Local<v8::Value> promise)
{
    for (size_t i = 0; i < js->rejections.size(); i++) {
        if (js->rejections[i].promise == promise) {
            js->rejections.erase(js->rejections.begin() + (ptrdiff_t)i);
            return;
        }
    }
}

static void on_rejection(v8::PromiseRejectMessage message)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = js_of(isolate);

    if (message.GetEvent() == v8::kPromiseRejectWithNoHandler) {
        const js_open *render = js_current(js);
        js->rejections.push_back({render ? render->serial : 0,
                                  v8::Global<v8::Promise>(isolate, message.GetPromise()),
                                  v8::Global<v8::Value>(isolate, message.GetValue())});
    } else if (message.GetEvent() == v8::kPromiseHandlerAddedAfterReject) {
        js_forget_rejection(js, message.GetPromise());
    }
}

/* An exception thrown by a microtask or a listener of ours: nobody above catches it. */
static void on_message(v8::Local<v8::Message> message, v8::Local<v8::Value> reason)
{
    js *js = js_of(v8::Isolate::GetCurrent());

    if (!js_stopped(js))
        js_report(js, reason, message, "Uncaught");
}

static bool set_up(js *js)
{
    v8::Isolate::CreateParams params;
    size_t heap_bytes = (size_t)js->options.heap_bytes;
    uint64_t stack_bytes = js->options.stack_bytes ? js->options.stack_bytes : STACK_BYTES;

    js->allocator = std::make_shared<Allocator>(heap_bytes);
    params.array_buffer_allocator_shared = js->allocator;
    params.constraints.set_max_old_generation_size_in_bytes(heap_bytes);
    params.constraints.set_max_young_generation_size_in_bytes(YOUNG_BYTES);
    v8::StartupData *snapshot = js->options.without_snapshot ? nullptr : js_snapshot();
    js->has_snapshot = snapshot != nullptr;
    if (snapshot) {
        params.snapshot_blob = snapshot;
        params.external_references = js_references();
    }
    js->isolate = v8::Isolate::New(params);
    if (!js->isolate)
        return false;
    js->isolate->SetData(0, js);
    js->isolate->SetStackLimit((uintptr_t)__builtin_frame_address(0) - (uintptr_t)stack_bytes);
    js->isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
    js->isolate->SetCaptureStackTraceForUncaughtExceptions(true, 20);
    js->isolate->SetPromiseRejectCallback(on_rejection);
    js->isolate->SetOOMErrorHandler(last_words);
    js->isolate->AddNearHeapLimitCallback(near_heap_limit, js);
    js->isolate->AutomaticallyRestoreInitialHeapLimit(0.5);
    v8::Isolate::Scope isolate_scope(js->isolate);
    v8::HandleScope handle_scope(js->isolate);
    js->isolate->AddMessageListener(on_message);
    return js_realm_context(js);
}

struct js *js_new(const struct js_options *options, struct js_error **ret_error)
{
    js *js = new (std::nothrow) struct js;
    js_error *error = nullptr;

    if (!js)
        return nullptr;
    js->options = *options;
    js->slots.push_back(std::make_unique<js_open>());
    TAILQ_INIT(&js->ready);
    LIST_INIT(&js->load.timers);
    js_random_seed(js);
    if (!set_up(js) || !js_realm_open(js, &error)) {
        js_free(js);
        if (ret_error)
            *ret_error = error;
        else
            js_error_free(error);
        return nullptr;
    }
    return js;
}

static void drop_handles(js *js)
{
    js_context_end(js);
    js->code = Code();
    js->rejections.clear();
    js_timers_clear(js);
    js->watch.Reset();
    js->restore.Reset();
    js->shapes.clear();
    js->native.Reset();
    js->describe.Reset();
    js->whole.Reset();
    js->call.Reset();
    js->gateway.Reset();
    js_modules_close(js);
    js->context.Reset();
    js->random.reset();
    js->url_offsets.reset();
}

/* The rule that keeps ticks safe: who is called from JavaScript's midst does not enter it again. */
static js *not_in_a_tick(js *js)
{
    assert(!js->ticking);
    return js;
}

void js_free(struct js *js)
{
    if (!js)
        return;
    (void)not_in_a_tick(js);
    js_end_all(js);
    drop_handles(js);
    if (js->isolate)
        js->isolate->Dispose();
    js_error_free(js->stood);
    delete js;
}

/* Where each render has a realm of its own, that one is to be current. */
static js *prepared(js *js, js_open *render)
{
    if (js->options.isolation == JS_CONTEXT)
        js_context_switch(js, render);
    return not_in_a_tick(js);
}

Entry::Entry(js *js, js_open *render)
    : owner(prepared(js, render)), isolate_scope(js->isolate), handle_scope(js->isolate),
      context(js->context.Get(js->isolate)), context_scope(context), caught(js->isolate)
{
    if (js->out_of_memory) /* a GC between entries met the limit: nobody to blame, nothing to stop
                            */
        js->isolate->CancelTerminateExecution();
    js->stopped = false;
    js->out_of_memory = false;
    js->entered = render;
    js_frame_enter(js, render);
    js->running.store(++js->entries, std::memory_order_release); /* pairs js_terminate()'s load */
}

Entry::~Entry()
{
    (void)leave();
}

/*
 * A stopped entry may leave microtasks behind that would run in the next render. V8 has no call to
 * drop them, but a checkpoint that is terminated empties the queue.
 */
static void drop_microtasks(v8::Isolate *isolate)
{
    isolate->TerminateExecution();
    isolate->PerformMicrotaskCheckpoint();
    isolate->CancelTerminateExecution();
}

js_outcome Entry::leave()
{
    if (!left) {
        left = true;
        owner->running.store(0, std::memory_order_relaxed); /* a late interrupt compares serials */
        if (js_stopped(owner)) {
            drop_microtasks(owner->isolate);
            owner->rejections.clear();
            js_render_scan(owner);
        }
        owner->entered = nullptr;
        js_frame_enter(owner, nullptr);
    }
    if (owner->stopped)
        return JS_TIMEOUT;
    return owner->out_of_memory ? JS_OOM : JS_OK;
}

/* On the owner's thread, in the midst of JavaScript: notes where it stands, then ends it. */
static void on_interrupt(v8::Isolate *isolate, void *data)
{
    js *js = js_of(isolate);

    if (js->running.load(std::memory_order_relaxed) != (uint64_t)(uintptr_t)data || js_stopped(js))
        return; /* meant for an entry that has ended meanwhile */
    if (js->shields > 0) {
        js->stop_is_due = true;
        return;
    }
    js->stopped = true;
    v8::HandleScope handle_scope(isolate);
    js_error_free(js->stood);
    js->stood = js_error_here(isolate, "stopped: the time for it was over");
    isolate->TerminateExecution();
}

void js_shield_lower(js *js)
{
    if (--js->shields > 0 || !js->stop_is_due)
        return;
    js->stop_is_due = false;
    on_interrupt(js->isolate, (void *)(uintptr_t)js->running.load(std::memory_order_relaxed));
}

void js_terminate(struct js *js)
{
    uint64_t entry = js->running.load(std::memory_order_acquire); /* pairs Entry's store */

    /* Once an entry: V8 works off its queue of interrupts before it goes on, and a caller that
     * never tires would keep it there. Relaxed: only other callers of this function look at it. */
    if (entry && js->shot.exchange(entry, std::memory_order_relaxed) != entry)
        js->isolate->RequestInterrupt(on_interrupt, (void *)(uintptr_t)entry);
}

/*
 * WebAssembly's memories don't come from the allocator. V8 counts them with what is outside of its heap, and
 * so does this, in ticks: what one passes over between two of them is bounded by js_bound_memories().
 * Memories that nobody has any more count until a GC.
 */
static bool has_too_much_outside(js *js)
{
    /* by nothing: it is how to ask, without the walk over all pages that GetHeapStatistics() is */
    int64_t bytes = js->isolate->AdjustAmountOfExternalAllocatedMemory(0);

    return bytes > (int64_t)(js->options.heap_bytes + js->allocator->used());
}

static void look_outside(js *js)
{
    if (js->shields > 0 || !has_too_much_outside(js))
        return;
    js->isolate->LowMemoryNotification();
    if (js_stopped(js) || !has_too_much_outside(js))
        return;
    js->out_of_memory = true;
    on_heap_limit(js->isolate, (void *)(uintptr_t)js->running.load(std::memory_order_relaxed));
}

/* On the owner's thread, in the midst of JavaScript. An ask that its entry did not live to see is
 * answered in the next one: a tick too many does no harm. */
static void on_tick(v8::Isolate *isolate, void *)
{
    js *js = js_of(isolate);

    if (!js_stopped(js))
        look_outside(js);
    if (js->tick && !js_stopped(js)) {
        v8::Isolate::DisallowJavascriptExecutionScope never(
            isolate, v8::Isolate::DisallowJavascriptExecutionScope::CRASH_ON_FAILURE);

        js->ticking = true;
        js->tick(js->tick_arg);
        js->ticking = false;
    }
    /* Only now: asked for again while it ran, V8 would work off that one too before it goes on. */
    js->tick_asked.store(false, std::memory_order_relaxed);
}

void js_set_tick(struct js *js, void (*tick)(void *arg), void *arg)
{
    js->tick = tick;
    js->tick_arg = arg;
}

void js_set_fatal(struct js *js, void (*fatal)(void *arg), void *arg)
{
    js->fatal = fatal;
    js->fatal_arg = arg;
}

void js_request_tick(struct js *js)
{
    /* Relaxed: nothing is handed over with them; V8's queue has a lock of its own. */
    if (js->running.load(std::memory_order_relaxed) != 0 &&
        !js->tick_asked.exchange(true, std::memory_order_relaxed))
        js->isolate->RequestInterrupt(on_tick, nullptr);
}

void js_microtasks(js *js)
{
    v8::Isolate *isolate = js->isolate;

    if (js_stopped(js))
        return;
    isolate->PerformMicrotaskCheckpoint();
    if (js->rejections.empty() || js_stopped(js))
        return;
    std::vector<Rejection> lost;
    lost.swap(js->rejections);
    for (Rejection &rejection : lost) {
        Speaks speaks(js, rejection.serial);
        v8::Local<v8::Value> reason = rejection.reason.Get(isolate);
        js_report(js, reason, v8::Exception::CreateMessage(isolate, reason), "Unhandled rejection");
    }
}

void js_pump(js *js)
{
    while (!js_stopped(js) && v8::platform::PumpMessageLoop(js_platform.get(), js->isolate)) {
    }
}

/* Outside of entries. The limit falls back to what it was, or to 5/4 of what lives if that is more.
 */
void js_recover(js *js)
{
    v8::Isolate::Scope isolate_scope(js->isolate);
    v8::HandleScope handle_scope(js->isolate);

    js->isolate->LowMemoryNotification();
    js->isolate->RemoveNearHeapLimitCallback(near_heap_limit, (size_t)js->options.heap_bytes);
    js->isolate->AddNearHeapLimitCallback(near_heap_limit, js);
}

void js_heap(const struct js *js, struct js_heap *ret_heap)
{
    v8::HeapStatistics statistics;

    js->isolate->GetHeapStatistics(&statistics);
    ret_heap->used_bytes = statistics.used_heap_size();
    ret_heap->committed_bytes = statistics.total_heap_size();
    ret_heap->limit_bytes = statistics.heap_size_limit();
}

void js_collect(struct js *js)
{
    Entry entry(js); /* finalizers are JavaScript */

    js->isolate->LowMemoryNotification();
    js_pump(js);
    js_microtasks(js);
}
