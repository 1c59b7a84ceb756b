/* SPDX-License-Identifier: MIT */
/*
 * js_realm.cc - a context and what the polyfills make of it. They run once for each realm, each compiled
 * as a function that gets `native`, or come out of the startup snapshot as they stood when they had run
 * (js_snapshot.cc). What depends on options comes after either: native.configured().
 */
#include "worker/js_internal.h"

#include "polyfills/polyfills.h"

#include <string.h>

static const js_native_list *const lists[] = {
    &js_natives_natives,  &js_random_natives,   &js_lazy_natives,   &js_url_natives,
    &js_fragment_natives, &js_encoding_natives, &js_crypto_natives, &js_zlib_natives,
    &js_request_natives,  &js_timers_natives,   &js_frame_natives,  &js_wait_natives,
    &js_lasting_natives,  &js_stream_natives,   &js_reset_natives,
};

const intptr_t *js_references(void)
{
    static std::vector<intptr_t> all;

    if (all.empty()) {
        for (const js_native_list *list : lists)
            for (size_t i = 0; i < list->count; i++)
                all.push_back(reinterpret_cast<intptr_t>(list->first[i].function));
        all.push_back(js_lazy_getter);
        all.push_back(0);
    }
    return all.data();
}

static void add_natives(js *js, v8::Local<v8::Object> native)
{
    v8::Local<v8::Context> context = js->isolate->GetCurrentContext();

    for (const js_native_list *list : lists) {
        for (size_t i = 0; i < list->count; i++) {
            const js_native *row = &list->first[i];
            v8::Local<v8::Function> function;

            if (!v8::Function::New(context, row->function, {}, 0, v8::ConstructorBehavior::kThrow)
                     .ToLocal(&function))
                continue;
            function->SetName(js_name(js->isolate, row->name));
            js_native_set(js, native, row->name, function);
        }
    }
    js_random_arrays(js, native);
    js_url_arrays(js, native);
}

static v8::MaybeLocal<v8::Value> run_polyfill(js *js, v8::Local<v8::Context> context,
                                              const struct polyfill *file,
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

    if (!v8::ScriptCompiler::CompileFunction(context, &source, 1, &parameter).ToLocal(&function))
        return {};
    return function->Call(context, v8::Undefined(isolate), 1, &argument);
}

bool js_realm_make(js *js, v8::Local<v8::Context> context)
{
    v8::Local<v8::Object> native = v8::Object::New(js->isolate);
    v8::Local<v8::Value> ignored;

    js->native.Reset(js->isolate, native);
    add_natives(js, native);
    for (size_t i = 0; i < polyfill_count; i++)
        if (!run_polyfill(js, context, &polyfill_table[i], native).ToLocal(&ignored))
            return false;
    return true;
}

bool js_realm_function(js *js, v8::Local<v8::Context> context, const char *name,
                       v8::Local<v8::Function> *ret)
{
    v8::Local<v8::Value> value;

    if (!js->native.Get(js->isolate)->Get(context, js_name(js->isolate, name)).ToLocal(&value) ||
        !value->IsFunction())
        return false;
    *ret = value.As<v8::Function>();
    return true;
}

/* Tests reach what no bundle does. */
static void expose(js *js, v8::Local<v8::Context> context, v8::Local<v8::Object> native)
{
    v8::Local<v8::Value> value;

    if (!js->options.expose)
        return;
    v8::Local<v8::String> name = js_name(js->isolate, js->options.expose);
    if (native->Get(context, name).ToLocal(&value))
        (void)context->Global()->Set(context, name, value).FromMaybe(false);
}

static void set_options(js *js, v8::Local<v8::Object> native)
{
    v8::Isolate *isolate = js->isolate;
    const js_options *options = &js->options;
    const char *version = options->version ? options->version : "";

    js_native_set(js, native, "browserGlobals",
                  v8::Boolean::New(isolate, options->browser_globals));
    js_native_set(js, native, "laterCollections",
                  v8::Boolean::New(isolate, options->later_collections));
    js_native_set(js, native, "ownLocation", v8::Boolean::New(isolate, options->own_location));
    js_native_set(js, native, "isReset", v8::Boolean::New(isolate, options->isolation == JS_RESET));
    js_native_set(js, native, "generation", v8::Number::New(isolate, options->generation));
    js_native_set(js, native, "version", js_string(isolate, version, strlen(version)));
}

/* The memory of an array that both sides see. */
static std::shared_ptr<v8::BackingStore> store_of(js *js, v8::Local<v8::Context> context,
                                                  const char *name)
{
    v8::Local<v8::Value> array;

    if (!js->native.Get(js->isolate)->Get(context, js_name(js->isolate, name)).ToLocal(&array) ||
        !array->IsTypedArray())
        return nullptr;
    return array.As<v8::TypedArray>()->Buffer()->GetBackingStore();
}

bool js_realm_configure(js *js, v8::Local<v8::Context> context)
{
    v8::Local<v8::Object> native = js->native.Get(js->isolate);
    v8::Local<v8::Function> configured, describe, whole;
    v8::Local<v8::Value> ignored;

    context->SetEmbedderData(JS_CONTEXT_NATIVE, native);
    js->random = store_of(js, context, "randomBatch");
    js->url_offsets = store_of(js, context, "urlOffsets");
    js_random_empty(js);
    set_options(js, native);
    if (!js->random || !js->url_offsets ||
        !js_realm_function(js, context, "configured", &configured) ||
        !configured->Call(context, v8::Undefined(js->isolate), 0, nullptr).ToLocal(&ignored) ||
        !js_realm_function(js, context, "describe", &describe) ||
        !js_realm_function(js, context, "whole", &whole))
        return false;
    js->describe.Reset(js->isolate, describe);
    js->whole.Reset(js->isolate, whole);
    expose(js, context, native);
    return true;
}

bool js_realm_context(js *js)
{
    v8::Isolate::Scope isolate_scope(js->isolate);
    v8::HandleScope handle_scope(js->isolate);
    v8::Local<v8::Context> context;
    v8::Local<v8::Object> native;

    if (!js->has_snapshot) {
        context = v8::Context::New(js->isolate);
        js->context.Reset(js->isolate, context);
        return !context.IsEmpty();
    }
    if (!v8::Context::FromSnapshot(js->isolate, 0).ToLocal(&context) ||
        !context->GetDataFromSnapshotOnce<v8::Object>(0).ToLocal(&native))
        return false;
    js->context.Reset(js->isolate, context);
    js->native.Reset(js->isolate, native);
    return true;
}

bool js_realm_open(js *js, js_error **ret_error)
{
    Entry entry(js);

    if ((js->native.IsEmpty() && !js_realm_make(js, entry.context)) ||
        !js_realm_configure(js, entry.context)) {
        *ret_error = entry.caught.HasCaught()
                         ? js_error_caught(js, entry)
                         : js_error_new("the polyfills have left something out", 37);
        return false;
    }
    return true;
}
