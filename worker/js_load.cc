/* SPDX-License-Identifier: MIT */
/*
 * js_load.cc - scripts into the context: the polyfills, each compiled as a function that gets
 * `native`, and the bundle, a classic script, whose function polyfills/page.js then finds.
 */
#include "worker/js_internal.h"

#include "polyfills/polyfills.h"

#include <errno.h>
#include <string.h>

static v8::MaybeLocal<v8::Value> run_polyfill(js *js, Entry &entry, const struct polyfill *file,
                                              v8::Local<v8::Object> native)
{
    v8::Isolate *isolate = js->isolate;
    std::string name = std::string("ssr:") + file->name;
    v8::Local<v8::Value> argument = native;
    v8::Local<v8::String> parameter = js_name(isolate, "native");
    v8::Local<v8::Function> function;
    v8::ScriptCompiler::Source source(
        js_string(isolate, file->source, file->source_bytes),
        js_v8_origin(isolate, js_string(isolate, name.data(), name.size())));

    if (!v8::ScriptCompiler::CompileFunction(entry.context, &source, 1, &parameter)
             .ToLocal(&function))
        return {};
    return function->Call(entry.context, v8::Undefined(isolate), 1, &argument);
}

static bool get_function(js *js, Entry &entry, const char *name, v8::Local<v8::Function> *ret)
{
    v8::Local<v8::Value> value;

    if (!js->native.Get(js->isolate)
             ->Get(entry.context, js_name(js->isolate, name))
             .ToLocal(&value) ||
        !value->IsFunction())
        return false;
    *ret = value.As<v8::Function>();
    return true;
}

bool js_install_polyfills(js *js, js_error **ret_error)
{
    Entry entry(js);
    v8::Local<v8::Object> native = v8::Object::New(js->isolate);
    v8::Local<v8::Function> describe;
    v8::Local<v8::Value> ignored;
    const char *version = js->options.version ? js->options.version : "";

    js->native.Reset(js->isolate, native);
    js_natives_install(js, native);
    js_request_install(js, native);
    js_timers_install(js, native);
    js_native_set(js, native, "generation", v8::Number::New(js->isolate, js->options.generation));
    js_native_set(js, native, "version", js_string(js->isolate, version, strlen(version)));
    for (size_t i = 0; i < polyfill_count; i++) {
        if (!run_polyfill(js, entry, &polyfill_table[i], native).ToLocal(&ignored)) {
            *ret_error = js_error_caught(js, entry);
            return false;
        }
    }
    if (!get_function(js, entry, "describe", &describe)) {
        *ret_error = js_error_new("page.js left no describe", 24);
        return false;
    }
    js->describe.Reset(js->isolate, describe);
    return true;
}

static bool evaluate(js *js, Entry &entry, const char *source, size_t source_bytes,
                     const char *name)
{
    v8::Isolate *isolate = js->isolate;
    v8::ScriptCompiler::Source text(js_string(isolate, source, source_bytes),
                                    js_v8_origin(isolate, js_string(isolate, name, strlen(name))));
    v8::Local<v8::Script> script;
    v8::Local<v8::Value> ignored;

    if (!v8::ScriptCompiler::Compile(entry.context, &text).ToLocal(&script) ||
        !script->Run(entry.context).ToLocal(&ignored))
        return false;
    js_microtasks(js);
    js_pump(js);
    js_microtasks(js);
    return !js_stopped(js);
}

/* native.find(name) -> (serial, url, data) => result, or throws what is wrong. */
static bool find(js *js, Entry &entry, const char *function)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> name = js_string(isolate, function, strlen(function));
    v8::Local<v8::Function> finder;
    v8::Local<v8::Value> call;

    if (!get_function(js, entry, "find", &finder) ||
        !finder->Call(entry.context, v8::Undefined(isolate), 1, &name).ToLocal(&call) ||
        !call->IsFunction())
        return false;
    js->call.Reset(isolate, call.As<v8::Function>());
    return true;
}

static int stopped_error(js *js, js_outcome left, js_error **ret_error)
{
    static const char heap[] = "stopped: the bundle met the heap limit while it loaded";
    static const char clock[] = "stopped: the bundle took too long to load";

    if (left == JS_TIMEOUT) {
        *ret_error = js->stood ? js->stood : js_error_new(clock, sizeof clock - 1);
        js->stood = nullptr;
        return -ETIME;
    }
    js_recover(js);
    *ret_error = js_error_new(heap, sizeof heap - 1);
    return -EINVAL;
}

int js_load(struct js *js, const char *source, size_t source_bytes, const char *name,
            const char *function, struct js_error **ret_error)
{
    static const char too_long[] = "the bundle is longer than a string of V8 may be";
    js_error *error = nullptr;
    js_outcome left;

    if (source_bytes > (size_t)v8::String::kMaxLength) {
        *ret_error = js_error_new(too_long, sizeof too_long - 1);
        return -EINVAL;
    }
    {
        Entry entry(js);
        bool loaded = evaluate(js, entry, source, source_bytes, name) && find(js, entry, function);
        if (!loaded && !js_stopped(js))
            error = js_error_caught(js, entry);
        left = entry.leave();
    }
    js_timers_clear(js);
    if (left != JS_OK) {
        js_error_free(error);
        return stopped_error(js, left, ret_error);
    }
    if (!error)
        return 0;
    *ret_error = error;
    return -EINVAL;
}
