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
static v8::Local<v8::Value> changed(js *js)
{
    std::vector<v8::Local<v8::Value>> numbers;

    if (js->shapes.empty())
        return v8::True(js->isolate);
    for (size_t i = 0; i < js->shapes.size(); i++)
        if (!js_shape_is_same(&js->shapes[i]))
            numbers.push_back(v8::Number::New(js->isolate, (double)i));
    if (numbers.empty())
        return v8::Undefined(js->isolate);
    return v8::Array::New(js->isolate, numbers.data(), numbers.size()); /* asks no setter */
}

static void note_leftovers(js *js, v8::Local<v8::Context> context, v8::Local<v8::Array> names)
{
    v8::Local<v8::Value> name;

    js->traced.clear();
    for (uint32_t i = 0; i < names->Length(); i++)
        if (names->Get(context, i).ToLocal(&name)) {
            js->traced.push_back({js_std_string(js->isolate, name), "", 0, 0});
            js->leftovers += js->traced.back().name + " ";
        }
}

void js_reset(js *js)
{
    if (js->open_count > 0 || js->restore.IsEmpty())
        return;
    bool traced = js->tracing;
    js_outcome left;

    js->tracing = false;
    if (!traced)
        js->leftovers.clear();
    {
        Entry entry(js);
        v8::Local<v8::Value> names, numbers = changed(js);

        js->shields++; /* stopped midway it would leave to the next render what this one has set */
        if (js->restore.Get(js->isolate)
                ->Call(entry.context, v8::Undefined(js->isolate), 1, &numbers)
                .ToLocal(&names)) {
            if (names->IsArray() && !traced)
                note_leftovers(js, entry.context, names.As<v8::Array>());
            if (names->IsArray() || numbers->IsArray())
                for (js_shape &shape : js->shapes)
                    js_shape_retake(&shape);
        } else if (!js_stopped(js)) {
            js_report(js, entry.caught.Exception(), entry.caught.Message(), "isolation:");
            entry.caught.Reset();
        }
        js_shield_lower(js);
        left = entry.leave();
    }
    if (left == JS_OOM)
        js_recover(js);
}

const char *js_leftovers(const struct js *js)
{
    return js->leftovers.c_str();
}

/* ---- where they were set ---- */

void js_trace_leftovers(struct js *js)
{
    v8::Local<v8::Value> ignored;

    if (js->restore.IsEmpty() || js->leftovers.empty())
        return;
    Entry entry(js);
    js->tracing = call_native(js, entry, "trap").ToLocal(&ignored);
}

/* (index): the first time counts. */
static void note_set(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);

    if (!js->tracing || !info[0]->IsUint32())
        return;
    uint32_t i = info[0].As<v8::Uint32>()->Value();
    if (i >= js->traced.size() || js->traced[i].line)
        return;
    js_error *error = js_error_here(isolate, js->traced[i].name.c_str());
    js_error_locate(js, error);
    js->traced[i].file = error->file;
    js->traced[i].line = error->line;
    js->traced[i].column = error->column;
    js_error_free(error);
}

const struct js_place *js_traced_places(const struct js *js, size_t *ret_count)
{
    js->places.clear();
    for (const auto &place : js->traced)
        js->places.push_back({place.name.c_str(), place.file.c_str(), place.line, place.column});
    *ret_count = js->places.size();
    return js->places.data();
}

static const js_native list[] = {{"noteSet", note_set}};
const js_native_list js_reset_natives = {list, sizeof list / sizeof list[0]};
