/* SPDX-License-Identifier: MIT */
/*
 * js_internal.h - what the files of the C edge share: the scopes of an entry into JavaScript, the
 * conversions, and each other's functions. Design: worker/README.md.
 */
#ifndef SSRD_WORKER_JS_INTERNAL_H
#define SSRD_WORKER_JS_INTERNAL_H

#include "worker/js_state.h"

extern std::unique_ptr<v8::Platform> js_platform;

/* One entry into JavaScript: scopes, a TryCatch, and the mark that js_terminate() looks for. */
class Entry
{
  public:
    /* for: the render that it is for; nullptr: none */
    explicit Entry(js *js, js_open *render = nullptr);
    ~Entry();
    /* Nothing of JavaScript runs any more; JS_OK, or how it was stopped. Once, or by the
     * destructor. */
    js_outcome leave();

  private:
    js *const owner;
    v8::Isolate::Scope isolate_scope;
    v8::HandleScope handle_scope;

  public:
    v8::Local<v8::Context> context;

  private:
    v8::Context::Scope context_scope;

  public:
    v8::TryCatch caught;

  private:
    bool left = false;
};

/* js_isolate.cc */
/* The end of what js.shields counts: a js_terminate() that came meanwhile stops the JavaScript now. */
void js_shield_lower(js *js);

static inline bool js_stopped(const js *js)
{
    return js->stopped || js->out_of_memory;
}
void js_microtasks(js *js); /* a checkpoint, and the report of lost rejections */
/* It is told as an error of load or render, not as one that nobody handles. */
void js_forget_rejection(js *js, v8::Local<v8::Value> promise);
void js_pump(js *js); /* tasks of the platform: GC, WebAssembly */
/* What is told of JS_OOM; is_there: with where the JavaScript stands, in the midst of it. Owned. */
js_error *js_heap_error(js *js, bool is_there);
void js_recover(js *js);    /* after JS_OOM, outside of entries: GC, limit restored */
uint64_t js_clock_ns(void); /* CLOCK_MONOTONIC */

/* js_realm.cc. Natives and polyfills in a fresh context. False: an exception was thrown. */
bool js_realm_make(js *js, v8::Local<v8::Context> context);
/* Then, or after the snapshot: what depends on options. False: an exception, or something is amiss. */
bool js_realm_configure(js *js, v8::Local<v8::Context> context);
/* Both, for js->context; the former only where js->native is not there yet. */
bool js_realm_open(js *js, js_error **ret_error);
/* A function that a polyfill has left on `native`. */
bool js_realm_function(js *js, v8::Local<v8::Context> context, const char *name,
                       v8::Local<v8::Function> *ret);
bool js_realm_context(js *js); /* js->context anew, from the snapshot if there is one */
/* js_context.cc */
void js_context_switch(js *js, js_open *render); /* its realm becomes the one that runs */
/* A bundle is loaded, and the render has its realm, where each has one. False: *result tells why not. */
bool js_context_take(js *js, js_open *render, js_result *result, js_error **ret_error);
void js_context_drop(js *js, js_open *render); /* outside of entries */
void js_context_end(js *js);
int js_load_again(js *js,
                  js_error **ret_error); /* js_load.cc: the bundle into the realm that runs */
const intptr_t *js_references(void);     /* every C function that JavaScript holds; ends with 0 */

/* js_snapshot.cc. nullptr: there is none for this V8 and these flags. Valid for ever. */
v8::StartupData *js_snapshot(void);
void js_snapshot_refuse(void); /* V8's flags are not those it was made with */

void js_end_all(js *js); /* js_render.cc: before js_free() */

/* js_reset.cc: isolation. Outside of entries. False: an exception, told in *ret_error. */
bool js_reset_record(js *js, js_error **ret_error);
void js_reset(js *js);

/* js_error.cc */
js_error *js_error_new(const char *message, size_t bytes);
js_error *js_error_caught(js *js, Entry &entry); /* the exception in entry.caught */
js_error *js_error_from(js *js, v8::Local<v8::Context> context, v8::Local<v8::Value> reason,
                        v8::Local<v8::Message> message, const char *verb);
void js_error_locate(const js *js, js_error *error); /* before it is told; takes NULL */
js_error *js_error_here(v8::Isolate *isolate, const char *message); /* with the current stack */
void js_report(js *js, v8::Local<v8::Value> reason, v8::Local<v8::Message> message,
               const char *what); /* uncaught, to the console */

/* js_hint.cc: what helps against `message` of the error at `line` of `file`; "": nothing is known. Valid for ever. */
const char *js_hint(const std::string &message, const std::string &file, const std::string &line);

/* js_code.cc: what V8 compiled before. Both compile; empty: an exception was thrown. */
void js_code_open(js *js, const js_bundle *bundle);
bool js_code_has_module(js *js, const char *name, const char *text, size_t bytes);
v8::MaybeLocal<v8::Script> js_code_script(js *js, v8::Local<v8::Context> context, const char *name,
                                          const char *text, size_t bytes);
v8::MaybeLocal<v8::Module> js_code_module(js *js, const char *name, const char *text, size_t bytes);

/* js_modules.cc: ES modules, static and dynamic. Empty: an exception was thrown, or stopped. */
void js_modules_open(js *js, const js_bundle *bundle);
v8::MaybeLocal<v8::Module> js_modules_entry(js *js, v8::Local<v8::Context> context,
                                            const js_bundle *bundle);
/* Runs it; a promise, which is pending while a top-level await is. */
v8::MaybeLocal<v8::Promise> js_modules_run(js *js, v8::Local<v8::Context> context,
                                           v8::Local<v8::Module> module);
void js_modules_position(js *js, js_error *error); /* of an import that failed, or the bundle's */
void js_modules_close(js *js);

/* js_result.cc: the value that the bundle returned -> result; or false and an error, owned. */
bool js_result_read(js *js, Entry &entry, v8::Local<v8::Value> value, js_result *result,
                    js_error **ret_error);
bool js_result_read_flat(js *js, v8::Local<v8::Context> context, v8::Local<v8::Array> flat,
                         js_result *result, js_error **ret_error);
js_result js_result_blank(const js *js); /* a page without anything */

/* js_text.cc */
v8::Local<v8::String> js_string(v8::Isolate *isolate, const char *text, size_t bytes);
v8::Local<v8::String> js_latin1(v8::Isolate *isolate, const void *text, size_t bytes);
v8::Local<v8::String> js_name(v8::Isolate *isolate, const char *literal); /* internalized */
size_t js_to_utf8(v8::Isolate *isolate, v8::Local<v8::String> text, Utf8Buffer *buffer);
std::string js_std_string(v8::Isolate *isolate, v8::Local<v8::Value> value);

struct js_bytes {
    uint8_t *data;
    size_t count;
};
/* Of any view or buffer; {nullptr, 0} for other values. */
js_bytes js_bytes_of(v8::Local<v8::Value> value);
/* A Uint8Array of a copy; undefined when the memory can't be had: the polyfill then throws. */
void js_return_bytes(const v8::FunctionCallbackInfo<v8::Value> &info, const void *data,
                     size_t count);

/* js_frame.cc: which render's JavaScript runs. nullptr: none, or one that has ended. */
js_open *js_current(const js *js);
js_open *js_find_open(const js *js, double serial);
void js_frame_enter(js *js, js_open *render); /* the frame that a render begins with */

/* One after another, as a scope: who speaks in js_report(), outside of the JavaScript itself. */
class Speaks
{
  public:
    Speaks(js *js, uint64_t serial);
    ~Speaks();
    Speaks(const Speaks &) = delete;
    Speaks &operator=(const Speaks &) = delete;

  private:
    js *const owner;
    js_open *const before;
};

/* js_natives.cc, js_random.cc, js_request.cc, js_timers.cc: functions put on `native` for the
 * polyfills. */
struct js_native {
    const char *name;
    v8::FunctionCallback function;
};
void js_native_set(js *js, v8::Local<v8::Object> native, const char *name,
                   v8::Local<v8::Value> value);
/* What each file gives to polyfills; js_realm.cc lists them. */
struct js_native_list {
    const js_native *first;
    size_t count;
};
extern const js_native_list js_natives_natives, js_random_natives, js_lazy_natives, js_url_natives,
    js_fragment_natives, js_encoding_natives, js_crypto_natives, js_zlib_natives,
    js_request_natives, js_timers_natives, js_frame_natives, js_wait_natives, js_lasting_natives,
    js_stream_natives, js_reset_natives;
extern const intptr_t js_lazy_getter;

void js_random_arrays(js *js, v8::Local<v8::Object> native); /* onto native, for a new realm */
void js_url_arrays(js *js, v8::Local<v8::Object> native);
void js_random_seed(js *js);  /* also the origin of performance.now() */
void js_random_empty(js *js); /* nothing left of what this realm has in store */
void js_timers_clear(js *js); /* those set while a bundle loads */
void js_timers_load(js *js, Entry &entry, uint64_t now_ms); /* those due while a bundle loads */

#define JS_CONTEXT_NATIVE 1 /* embedder data of a context: its `native`; 0 is V8's debugger's */

static inline js *js_of(v8::Isolate *isolate)
{
    return static_cast<js *>(isolate->GetData(0));
}

#endif
