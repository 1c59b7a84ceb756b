/* SPDX-License-Identifier: MIT */
/*
 * js_lasting.cc - ctx.waitUntil(): the promises that keep a render open when its answer is out. What
 * that changes in a render's life is in js_render.cc; this holds the promises and knows which of
 * them are open.
 */
#include "worker/js_render.h"

#include <algorithm>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

bool js_lasts(js *js, js_open *render)
{
    if (render->lasting.empty())
        return false;
    v8::Isolate *isolate = js->isolate;
    v8::Isolate::Scope isolate_scope(isolate);
    v8::HandleScope handle_scope(isolate);
    auto settled = std::remove_if(render->lasting.begin(), render->lasting.end(),
                                  [isolate](v8::Global<v8::Promise> &p) {
                                      return p.Get(isolate)->State() != v8::Promise::kPending;
                                  });

    render->lasting.erase(settled, render->lasting.end());
    return !render->lasting.empty();
}

/* A reaction of each, in the frame of its render: another render's step may settle it. */
static void on_settled(Info &info)
{
    js *js = js_of(info.GetIsolate());
    js_open *render = js_current(js);

    if (render && render->serial && render->is_answered)
        js_render_note(js, render);
}

/* (serial, promise): that render stays open for it. Without effect once it has ended. */
static void last(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    js *js = js_of(isolate);
    v8::Local<v8::Function> function;

    if (!info[0]->IsNumber() || !info[1]->IsPromise())
        return;
    js_open *render = js_find_open(js, info[0].As<v8::Number>()->Value());
    if (!render || render->ending ||
        !v8::Function::New(context, on_settled, {}, 0, v8::ConstructorBehavior::kThrow)
             .ToLocal(&function))
        return;
    v8::Local<v8::Promise> promise = info[1].As<v8::Promise>();
    v8::Local<v8::Value> frame = js_v8_frame(isolate, 0);
    render->lasting.emplace_back(isolate, promise);
    js_frame_enter(js, render);
    (void)promise->Then(context, function, function).IsEmpty();
    js_v8_set_frame(isolate, frame, 0);
}

/* Its client has its answer, and the log has had it: what goes wrong now is told on the console. */
void js_lasting_tell(js *js, js_open *render, const js_error *error)
{
    std::string text = "ctx.waitUntil: ";
    js_open *before = js->entered;

    if (!js->options.console)
        return;
    text += error ? error->message : "ended";
    if (error && error->stack && error->stack[0])
        text += std::string("\n") + error->stack;
    js->entered = render; /* js_speaker() */
    js->options.console(js->options.arg, JS_CONSOLE_ERROR, text.data(), text.size());
    js->entered = before;
}

void js_keep(struct js_open *open, js_over *over, void *arg)
{
    open->is_kept = true;
    open->over = over;
    open->arg = arg;
}

static const js_native list[] = {{"last", last}};
const js_native_list js_lasting_natives = {list, sizeof list / sizeof list[0]};
