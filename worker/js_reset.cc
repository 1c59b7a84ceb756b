/* SPDX-License-Identifier: MIT */
/*
 * js_reset.cc - render.isolation = reset: when the last open render has ended, what renders have
 * changed in globals and intrinsics is put back to what it was when the bundle had loaded. What that
 * means is in polyfills/isolation.js; this calls it.
 */
#include "worker/js_internal.h"

static v8::MaybeLocal<v8::Value> call_native(js *js, Entry &entry, const char *name)
{
    v8::Local<v8::Value> function;

    if (!js->native.Get(js->isolate)
             ->Get(entry.context, js_name(js->isolate, name))
             .ToLocal(&function) ||
        !function->IsFunction())
        return {};
    return function.As<v8::Function>()->Call(entry.context, v8::Undefined(js->isolate), 0, nullptr);
}

bool js_reset_record(js *js, js_error **ret_error)
{
    v8::Local<v8::Value> ignored, restore;

    if (js->options.isolation != JS_RESET)
        return true;
    Entry entry(js);
    if (!call_native(js, entry, "record").ToLocal(&ignored) ||
        !js->native.Get(js->isolate)
             ->Get(entry.context, js_name(js->isolate, "restore"))
             .ToLocal(&restore) ||
        !restore->IsFunction()) {
        *ret_error = js_error_caught(js, entry);
        return false;
    }
    js->restore.Reset(js->isolate, restore.As<v8::Function>());
    return true;
}

static void note_leftovers(js *js, v8::Local<v8::Context> context, v8::Local<v8::Array> keys)
{
    v8::Local<v8::Value> key;

    for (uint32_t i = 0; i < keys->Length(); i++)
        if (keys->Get(context, i).ToLocal(&key))
            js->leftovers +=
                (key->IsSymbol() ? "Symbol(" +
                                       js_std_string(js->isolate, key.As<v8::Symbol>()->Description(
                                                                      js->isolate)) +
                                       ")"
                                 : js_std_string(js->isolate, key)) +
                " ";
}

void js_reset(js *js)
{
    if (js->open_count > 0 || js->restore.IsEmpty())
        return;
    js->leftovers.clear();
    js_outcome left;
    {
        Entry entry(js);
        v8::Local<v8::Value> keys;

        if (js->restore.Get(js->isolate)
                ->Call(entry.context, v8::Undefined(js->isolate), 0, nullptr)
                .ToLocal(&keys)) {
            if (keys->IsArray())
                note_leftovers(js, entry.context, keys.As<v8::Array>());
        } else if (!js_stopped(js)) {
            js_report(js, entry.caught.Exception(), entry.caught.Message(), "isolation:");
            entry.caught.Reset();
        }
        left = entry.leave();
    }
    if (left == JS_OOM)
        js_recover(js);
}

const char *js_leftovers(const struct js *js)
{
    return js->leftovers.c_str();
}
