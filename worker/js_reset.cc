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

/* What record() has taken down, in its order. */
static void take_shapes(js *js, Entry &entry, v8::Local<v8::Value> recorded)
{
    if (js->options.blind_to_shapes || !recorded->IsArray() ||
        !js_shape_works(js->isolate, entry.context))
        return;
    v8::Local<v8::Array> targets = recorded.As<v8::Array>();
    js->shapes.resize(targets->Length());
    for (uint32_t i = 0; i < targets->Length(); i++) {
        v8::Local<v8::Value> target;
        if (!targets->Get(entry.context, i).ToLocal(&target) || !target->IsObject()) {
            js->shapes.clear();
            return;
        }
        js_shape_take(js->isolate, target.As<v8::Object>(), &js->shapes[i]);
    }
}

bool js_reset_record(js *js, js_error **ret_error)
{
    v8::Local<v8::Value> recorded, restore;

    if (js->options.isolation != JS_RESET)
        return true;
    Entry entry(js);
    if (!call_native(js, entry, "record").ToLocal(&recorded) ||
        !js->native.Get(js->isolate)
             ->Get(entry.context, js_name(js->isolate, "restore"))
             .ToLocal(&restore) ||
        !restore->IsFunction()) {
        *ret_error = js_error_caught(js, entry);
        return false;
    }
    js->restore.Reset(js->isolate, restore.As<v8::Function>());
    take_shapes(js, entry, recorded);
    return true;
}

/* For restore(): the numbers of those whose shape has changed; undefined: of none; true: nobody
 * knows. */
static v8::Local<v8::Value> changed(js *js, Entry &entry)
{
    v8::Local<v8::Array> numbers;
    uint32_t count = 0;

    if (js->shapes.empty())
        return v8::True(js->isolate);
    for (size_t i = 0; i < js->shapes.size(); i++) {
        if (js_shape_is_same(&js->shapes[i]))
            continue;
        if (numbers.IsEmpty())
            numbers = v8::Array::New(js->isolate);
        numbers->Set(entry.context, count++, v8::Number::New(js->isolate, (double)i)).Check();
    }
    if (numbers.IsEmpty())
        return v8::Undefined(js->isolate);
    return numbers;
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
        v8::Local<v8::Value> keys, numbers = changed(js, entry);

        if (js->restore.Get(js->isolate)
                ->Call(entry.context, v8::Undefined(js->isolate), 1, &numbers)
                .ToLocal(&keys)) {
            if (keys->IsArray())
                note_leftovers(js, entry.context, keys.As<v8::Array>());
            if (keys->IsArray() || numbers->IsArray())
                for (js_shape &shape : js->shapes)
                    js_shape_retake(&shape);
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
