/* SPDX-License-Identifier: MIT */
/*
 * js_load.cc - the bundle into its realm: a classic script or a module (js_modules.cc), in which
 * polyfills/contract.js then finds what renders.
 */
#include "worker/js_internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u
/* Of top-level await, in each realm after the first. */
#define AGAIN_NS (UINT64_C(5) * NS_PER_S)

/* ---- script or module ---- */

/* What V8 says of a module that is compiled as a script. */
static bool speaks_of_modules(v8::Isolate *isolate, const v8::TryCatch &caught)
{
    static const char *const signs[] = {"outside a module", "Unexpected token 'export'",
                                        "await is only valid"};
    v8::Local<v8::Message> message = caught.Message();

    if (message.IsEmpty())
        return false;
    std::string text = js_std_string(isolate, message->Get());
    for (const char *sign : signs)
        if (text.find(sign) != std::string::npos)
            return true;
    return false;
}

static v8::MaybeLocal<v8::Script> compile_script(js *js, v8::Local<v8::Context> context,
                                                 const js_bundle *bundle)
{
    if (!js->code.script.IsEmpty()) /* a realm after the first */
        return js->code.script.Get(js->isolate)->BindToCurrentContext();
    return js_code_script(js, context, bundle->name, bundle->source, bundle->source_bytes);
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);

    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

static js_format named_format(const js_bundle *bundle)
{
    if (bundle->format != JS_FORMAT_AUTO)
        return bundle->format;
    if (ends_with(bundle->name, ".mjs"))
        return JS_FORMAT_MODULE;
    return ends_with(bundle->name, ".cjs") ? JS_FORMAT_SCRIPT : JS_FORMAT_AUTO;
}

/* One of the two is set, or an exception is in entry.caught. */
static bool compile(js *js, Entry &entry, const js_bundle *bundle,
                    v8::Local<v8::Script> *ret_script, v8::Local<v8::Module> *ret_module)
{
    js_format format = js->bundle.is_module ? JS_FORMAT_MODULE : named_format(bundle);

    if (format == JS_FORMAT_AUTO &&
        js_code_has_module(js, js->modules.entry.c_str(), bundle->source, bundle->source_bytes))
        format = JS_FORMAT_MODULE;
    if (format != JS_FORMAT_MODULE) {
        if (compile_script(js, entry.context, bundle).ToLocal(ret_script))
            return true;
        if (format == JS_FORMAT_SCRIPT || !speaks_of_modules(js->isolate, entry.caught))
            return false;
        entry.caught.Reset();
    }
    return js_modules_entry(js, entry.context, bundle).ToLocal(ret_module);
}

/* ---- running it ---- */

static void settle(js *js)
{
    js_microtasks(js);
    js_pump(js);
    js_microtasks(js);
}

static void sleep_until(uint64_t until_ns)
{
    struct timespec at = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
}

enum await_end { AWAITED, NOTHING_LEFT, TOO_LATE };

/* A top-level await: what can settle it while a bundle loads are microtasks and timers. */
static await_end await_load(js *js, Entry &entry, v8::Local<v8::Promise> promise,
                            const js_bundle *bundle)
{
    uint64_t left_ns = bundle->sleep_ns ? bundle->sleep_ns : UINT64_MAX;

    settle(js);
    while (!js_stopped(js) && promise->State() == v8::Promise::kPending) {
        uint64_t next_ms = js_next_timer_ms(js);

        if (next_ms == UINT64_MAX)
            return NOTHING_LEFT;
        if (bundle->until_ns && next_ms >= bundle->until_ns / NS_PER_MS)
            return TOO_LATE;
        uint64_t now_ns = js_clock_ns();
        uint64_t wait_ns = next_ms * NS_PER_MS > now_ns ? next_ms * NS_PER_MS - now_ns : 0;
        if (wait_ns > left_ns)
            return TOO_LATE;
        left_ns -= wait_ns; /* what it asked for, however late it is woken */
        sleep_until(next_ms * NS_PER_MS);
        js_timers_load(js, entry, js_clock_ns() / NS_PER_MS);
        settle(js);
    }
    return AWAITED;
}

/* Loads a bundle: what is wrong, and how it ended. */
struct Loading {
    js *owner;
    const js_bundle *bundle;
    js_error *error = nullptr;
    bool is_late = false;
    bool is_module = false;
};

static js_error *literal_error(const char *text)
{
    return js_error_new(text, strlen(text));
}

static bool run_module(Loading *loading, Entry &entry, v8::Local<v8::Module> module)
{
    js *js = loading->owner;
    v8::Local<v8::Promise> promise;

    if (!js_modules_run(js, entry.context, module).ToLocal(&promise))
        return false;
    promise->MarkAsHandled(); /* told as the error of the load */
    js_forget_rejection(js, promise);
    switch (await_load(js, entry, promise, loading->bundle)) {
    case TOO_LATE:
        loading->is_late = true;
        return false;
    case NOTHING_LEFT:
        loading->error = literal_error("a top-level await waits for a promise that nothing is left "
                                       "to settle");
        return false;
    case AWAITED:
        break;
    }
    if (js_stopped(js))
        return false;
    if (promise->State() == v8::Promise::kRejected) {
        v8::Local<v8::Value> reason = promise->Result();
        loading->error = js_error_from(js, entry.context, reason,
                                       v8::Exception::CreateMessage(js->isolate, reason), "threw");
        return false;
    }
    return true;
}

static void keep_contract(js *js, v8::Local<v8::Context> context, v8::Local<v8::Array> found)
{
    v8::Local<v8::Value> field[5];

    for (uint32_t i = 0; i < 5; i++)
        if (!found->Get(context, i).ToLocal(&field[i]))
            return;
    js->call.Reset(js->isolate, field[0].As<v8::Function>());
    if (field[4]->IsFunction())
        js->gateway.Reset(js->isolate, field[4].As<v8::Function>());
    if (js->contract_text.empty()) /* later realms say the same, and somebody may hold the text */
        js->contract_text = js_std_string(js->isolate, field[1]);
    js->contract = {js->contract_text.c_str(), field[2]->IsTrue(), field[3]->IsTrue()};
}

/* native.find(name, namespace, gateways) -> [(serial, url, data) => result, text, is fetch, takes
 * Request, call of the gateways], or throws what is wrong. */
static bool find(js *js, Entry &entry, const js_bundle *bundle, v8::Local<v8::Value> name_space)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> arguments[] = {
        js_string(isolate, bundle->function, strlen(bundle->function)), name_space,
        v8::Number::New(isolate, bundle->gateways)};
    v8::Local<v8::Function> finder;
    v8::Local<v8::Value> found, call;

    if (!js_realm_function(js, entry.context, "find", &finder) ||
        !finder->Call(entry.context, v8::Undefined(isolate), 3, arguments).ToLocal(&found) ||
        !found->IsArray() || !found.As<v8::Array>()->Get(entry.context, 0).ToLocal(&call) ||
        !call->IsFunction())
        return false;
    keep_contract(js, entry.context, found.As<v8::Array>());
    return true;
}

/* native.env, before the bundle runs: modules may read it at their top level. */
static bool set_env(js *js, Entry &entry, const js_bundle *bundle)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> env = v8::Object::New(isolate), ignored;
    v8::Local<v8::Function> setter;

    if (bundle->env_bytes &&
        !v8::JSON::Parse(entry.context, js_string(isolate, bundle->env, bundle->env_bytes))
             .ToLocal(&env))
        return false;
    return js_realm_function(js, entry.context, "setEnv", &setter) &&
           setter->Call(entry.context, v8::Undefined(isolate), 1, &env).ToLocal(&ignored);
}

/* native.setTemplate(before, between, behind): polyfills/page.js */
static bool set_template(js *js, Entry &entry, const js_bundle *bundle)
{
    v8::Local<v8::Value> part[3], ignored;
    v8::Local<v8::Function> setter;

    js->has_template = bundle->template_part[0] != nullptr;
    if (!js->has_template)
        return true;
    for (int i = 0; i < 3; i++)
        part[i] = js_string(js->isolate, bundle->template_part[i], bundle->template_part_bytes[i]);
    return js_realm_function(js, entry.context, "setTemplate", &setter) &&
           setter->Call(entry.context, v8::Undefined(js->isolate), 3, part).ToLocal(&ignored);
}

/* native.setManifest(text, base, before, between, behind): polyfills/manifest.js */
static bool set_manifest(js *js, Entry &entry, const js_bundle *bundle)
{
    v8::Local<v8::Value> argument[5], ignored;
    v8::Local<v8::Function> setter;

    if (bundle->manifest_bytes == 0)
        return true;
    js->has_template = true;
    argument[0] = js_string(js->isolate, bundle->manifest, bundle->manifest_bytes);
    argument[1] = js_string(js->isolate, bundle->base, strlen(bundle->base));
    for (int i = 0; i < 3; i++)
        argument[2 + i] =
            js_string(js->isolate, bundle->template_part[i], bundle->template_part_bytes[i]);
    return js_realm_function(js, entry.context, "setManifest", &setter) &&
           setter->Call(entry.context, v8::Undefined(js->isolate), 5, argument).ToLocal(&ignored);
}

/* The global that bundles of Inertia may call in place of the one of its package. */
static bool offer_create_server(js *js, Entry &entry)
{
    v8::Local<v8::Function> offer;
    v8::Local<v8::Value> ignored;

    return js_realm_function(js, entry.context, "offerCreateServer", &offer) &&
           offer->Call(entry.context, v8::Undefined(js->isolate), 0, nullptr).ToLocal(&ignored);
}

static bool load(Loading *loading, Entry &entry)
{
    js *js = loading->owner;
    const js_bundle *bundle = loading->bundle;
    v8::Local<v8::Value> name_space = v8::Undefined(js->isolate), ignored;
    v8::Local<v8::Script> script;
    v8::Local<v8::Module> module;

    js_modules_open(js, bundle);
    if (bundle->gateways & JS_CALL_INERTIA && !offer_create_server(js, entry))
        return false;
    if (!set_env(js, entry, bundle) || !set_template(js, entry, bundle) ||
        !set_manifest(js, entry, bundle) || !compile(js, entry, bundle, &script, &module))
        return false;
    loading->is_module = script.IsEmpty();
    if (script.IsEmpty()) {
        if (!run_module(loading, entry, module))
            return false;
        name_space = module->GetModuleNamespace();
    } else {
        if (!script->Run(entry.context).ToLocal(&ignored))
            return false;
        settle(js);
    }
    return !js_stopped(js) && find(js, entry, bundle, name_space);
}

static int stopped_error(js *js, js_outcome left, js_error **ret_error)
{
    *ret_error = js->stood;
    js->stood = nullptr;
    if (left == JS_TIMEOUT) {
        if (!*ret_error)
            *ret_error = literal_error("stopped: the bundle took too long to load");
        return -ETIME;
    }
    js_recover(js);
    if (!*ret_error)
        *ret_error = js_heap_error(js, false);
    return -EINVAL;
}

/* Into the realm that runs. */
static int load_here(js *js, const js_bundle *bundle, bool *ret_is_module, js_error **ret_error)
{
    Loading loading = {js, bundle};
    js_outcome left;

    js->loading = true;
    {
        Entry entry(js);
        bool loaded = load(&loading, entry);
        if (!loaded && !js_stopped(js) && !loading.error && !loading.is_late)
            loading.error = js_error_caught(js, entry);
        left = entry.leave();
    }
    js_timers_clear(js);
    *ret_is_module = loading.is_module;
    if (left != JS_OK || loading.is_late) {
        int error = stopped_error(js, loading.is_late ? JS_TIMEOUT : left, ret_error);

        js->loading = false;
        js_error_free(loading.error);
        return error;
    }
    js->loading = false;
    if (!loading.error && js_reset_record(js, &loading.error))
        return 0;
    js_modules_position(js, loading.error);
    js_error_locate(js, loading.error);
    *ret_error = loading.error;
    return -EINVAL;
}

/* For realms that come later: what js_load_bundle() borrows is copied. */
static void keep_bundle(js *js, const js_bundle *bundle, bool is_module)
{
    KeptBundle *kept = &js->bundle;

    kept->name = bundle->name;
    kept->source.assign(bundle->source, bundle->source_bytes);
    kept->function = bundle->function;
    kept->folder = bundle->folder ? bundle->folder : "";
    kept->env.assign(bundle->env_bytes ? bundle->env : "", bundle->env_bytes);
    kept->fields = *bundle;
    kept->fields.name = kept->name.c_str();
    kept->fields.source = kept->source.data();
    kept->fields.function = kept->function.c_str();
    kept->fields.folder = bundle->folder ? kept->folder.c_str() : nullptr;
    kept->fields.env = kept->env.data();
    kept->is_module = is_module;
}

int js_load_again(js *js, js_error **ret_error)
{
    js_bundle bundle = js->bundle.fields;
    bool is_module;

    if (bundle.until_ns)
        bundle.until_ns = js_clock_ns() + AGAIN_NS;
    return load_here(js, &bundle, &is_module, ret_error);
}

int js_load_bundle(struct js *js, const struct js_bundle *bundle, struct js_error **ret_error)
{
    bool is_module = false;

    if (bundle->source_bytes > (size_t)v8::String::kMaxLength) {
        *ret_error = literal_error("the bundle is longer than a string of V8 may be");
        return -EINVAL;
    }
    js_context_end(js);
    js_code_open(js, bundle);
    js->contract_text.clear();
    int error = load_here(js, bundle, &is_module, ret_error);
    if (!error && js->options.isolation == JS_CONTEXT)
        keep_bundle(js, bundle, is_module);
    return error;
}

int js_load(struct js *js, const char *source, size_t source_bytes, const char *name,
            const char *function, struct js_error **ret_error)
{
    struct js_bundle bundle = {};

    bundle.name = name;
    bundle.source = source;
    bundle.source_bytes = source_bytes;
    bundle.function = function;
    return js_load_bundle(js, &bundle, ret_error);
}

const struct js_contract *js_contract(const struct js *js)
{
    return &js->contract;
}
