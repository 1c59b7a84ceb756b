/* SPDX-License-Identifier: MIT */
/*
 * js_frame.cc - which render's JavaScript runs. V8 keeps one value with every promise reaction and
 * brings it back when the reaction runs ("continuation preserved embedder data"); we call it the
 * frame. It is the serial of a render, or, once AsyncLocalStorage is used, an array [serial, storage,
 * value, ...] that polyfills/async_hooks.js makes and nobody changes. Timers, queueMicrotask and
 * waits carry it along themselves.
 *
 * V8 does not bring it back for the then() of a thenable (it is undefined there) nor for tasks of
 * the platform. The render is then taken to be the one that this entry is for: the queue of
 * microtasks is worked off before an entry ends, so what runs without a frame was caused by it, but
 * where one render had settled another's promise. The storages read undefined, never another's.
 */
#include "worker/js_internal.h"

#define SLOT_MASK (JS_OPEN_MAX - 1)

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

js_open *js_find_open(const js *js, double serial)
{
    if (!(serial >= 1 && serial < 9007199254740992.0))
        return nullptr;
    uint64_t whole = (uint64_t)serial;
    size_t slot = (size_t)(whole & SLOT_MASK);
    if (slot >= js->slots.size() || js->slots[slot]->serial != whole || !js->slots[slot]->open)
        return nullptr;
    return js->slots[slot].get();
}

js_open *js_current(const js *js)
{
    v8::Isolate *isolate = js->isolate;

    if (!isolate->InContext())
        return js->entered;
    v8::Local<v8::Value> frame = js_v8_frame(isolate, 0);
    if (!frame.IsEmpty() && frame->IsArray() &&
        !frame.As<v8::Array>()->Get(isolate->GetCurrentContext(), 0).ToLocal(&frame))
        return nullptr;
    if (frame.IsEmpty() || !frame->IsNumber())
        return js->entered;
    return js_find_open(js, frame.As<v8::Number>()->Value());
}

void js_frame_enter(js *js, js_open *render)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> frame = v8::Undefined(isolate);

    if (render && render->serial)
        frame = v8::Number::New(isolate, (double)render->serial);
    js_v8_set_frame(isolate, frame, 0);
}

Speaks::Speaks(js *js, uint64_t serial) : owner(js), before(js->entered)
{
    js->entered = js_find_open(js, (double)serial);
    js_frame_enter(js, js->entered);
}

Speaks::~Speaks()
{
    owner->entered = before;
    js_frame_enter(owner, before);
}

bool js_speaker(const struct js *js, const char **ret_id, size_t *ret_bytes)
{
    const js_open *render = js_current(js);

    if (!render || !render->serial || !render->request.id_bytes)
        return false;
    *ret_id = render->request.id;
    *ret_bytes = render->request.id_bytes;
    return true;
}

static void frame(Info &info)
{
    info.GetReturnValue().Set(js_v8_frame(info.GetIsolate(), 0));
}

/* (frame): as frame() or async_hooks.js made it. */
static void set_frame(Info &info)
{
    js_v8_set_frame(info.GetIsolate(), info[0], 0);
}

/* () -> the serial of the render that runs, undefined if none does. */
static void current_serial(Info &info)
{
    const js_open *render = js_current(js_of(info.GetIsolate()));

    if (render && render->serial)
        info.GetReturnValue().Set((double)render->serial);
}

/* (serial) -> has that render not ended? */
static void is_open(Info &info)
{
    info.GetReturnValue().Set(
        info[0]->IsNumber() &&
        js_find_open(js_of(info.GetIsolate()), info[0].As<v8::Number>()->Value()) != nullptr);
}

static const js_native list[] = {
    {"frame", frame},
    {"setFrame", set_frame},
    {"currentSerial", current_serial},
    {"isOpen", is_open},
};
const js_native_list js_frame_natives = {list, sizeof list / sizeof list[0]};
