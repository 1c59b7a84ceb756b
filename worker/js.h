/* SPDX-License-Identifier: MIT */
/*
 * js.h - the C edge of V8: everything the rest of ssrd knows of JavaScript. C that
 * also compiles as C++. Implemented by worker/js_*.cc, the only files that see v8.h.
 *
 * Rules of the edge:
 *  1. Opaque types, pointer and length; no text is NUL-terminated unless it says so.
 *  2. No C++ or JavaScript exception crosses; each entry opens its own scopes and a TryCatch.
 *  3. One isolate, one thread: every call but js_terminate() belongs to the thread that
 *     made the struct js (in a worker: the one that forked).
 *  4. JavaScript runs only inside js_load, js_load_bundle, js_render, js_step (js_run_timers) and, for
 *     the listeners of request.signal, js_cancel. Nothing else enters it; js_settle() only notes.
 *     In a tick (js_set_tick) JavaScript is on the stack already: nothing enters it then.
 *  5. This header holds no _Atomic, includes nothing of shm/, and never logs: text goes to
 *     the callbacks that the owner gave.
 */
#ifndef SSRD_WORKER_JS_H
#define SSRD_WORKER_JS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct js;      /* an isolate with its context, polyfills and, after js_load(), a bundle */
struct js_open; /* a render that has begun; valid until its done is called */
struct js_wait; /* what a render waits for outside of JavaScript; see struct js_outside */

/* An exception as people need it. All strings are NUL-terminated, never NULL, "" if unknown. */
struct js_error {
    char *message; /* "TypeError: x is not a function" */
    char *file;
    uint32_t line;   /* 1-based; 0: unknown */
    uint32_t column; /* 1-based; 0: unknown */
    char *source;    /* the source line it points to, cut to 200 characters */
    char *stack;     /* as V8 writes it, with newlines */
    char *hint;      /* what to do about a classic mistake */
    char *frame;     /* the lines around the place in its source, with a caret; from `locate` */
};
void js_error_free(struct js_error *error); /* takes NULL */

enum js_outcome {
    JS_OK,
    JS_ERROR,   /* threw, rejected, or returned what is not a page */
    JS_TIMEOUT, /* ended by js_terminate() or js_cancel() */
    JS_OOM,     /* met the heap limit */
    JS_GONE,    /* js_cancel(): the client has gone, nobody wants it any more */
    JS_STALL,   /* js_cancel(): the stream that is its body has been silent for too long */
};

enum js_console {
    JS_CONSOLE_DEBUG,
    JS_CONSOLE_LOG,
    JS_CONSOLE_INFO,
    JS_CONSOLE_WARN,
    JS_CONSOLE_ERROR
};

/*
 * Work outside of JavaScript that a render waits for: a fetch, a native function. Polyfills begin it
 * by native.ask(what, data), which gives a promise; C does it, in the loop, and ends it by
 * js_settle(). Both callbacks: on the owner's thread, in the midst of JavaScript, without the lane
 * (lane.h): what they share with the loop they touch after lane_take(). They must not enter the edge.
 */
struct js_outside {
    /* Begin it. what and data (text as UTF-8, or bytes) are borrowed for the call. The wait stays
     * valid until it is settled or `forget` has returned. False: refused; the promise is rejected. */
    bool (*ask)(void *arg, struct js_wait *wait, const char *what, size_t what_bytes,
                const void *data, size_t data_bytes);
    /* The render has ended before: stop the work; the wait goes. To settle it at this moment, on the
     * thread that turns the loop, has no effect. */
    void (*forget)(void *arg, struct js_wait *wait);
};

/* What a render may leave behind for the next; worker/README.md, "Isolation". */
enum js_isolation {
    JS_SHARED,  /* all of the realm */
    JS_CONTEXT, /* nothing: each has a realm of its own, into which the bundle is loaded anew */
    JS_RESET,   /* nothing that stands in globals or intrinsics: put back when no render is open */
};

struct js_options {
    uint64_t heap_bytes;  /* old generation; the render that meets it ends with JS_OOM */
    uint64_t stack_bytes; /* 0: default (984 KiB) */
    uint32_t generation;  /* globalThis.ssr.generation */
    const char *version;  /* globalThis.ssr.version; kept */
    const char *nonce;    /* globalThis.ssr.nonce, a mark that the owner replaces; kept; NULL: "" */
    bool browser_globals; /* stand-ins for window, document, … (polyfills/browser_stubs.js) */
    bool later_collections; /* later methods of Map and Set too (polyfills/later.js) */
    bool own_location;      /* the bundle sets globalThis.location: each render's is its own */
    /* console.*: called on the owner's thread during JavaScript; text borrowed for the call. */
    void (*console)(void *arg, enum js_console level, const char *text, size_t bytes);
    /* Put the places of an error where people look for them (source maps): may replace any of its
     * strings, by malloc. Called for each error before it is told. NULL: as V8 tells them. */
    void (*locate)(struct js_error *error);
    struct js_outside outside; /* NULLs: every ask is refused */
    void *arg;                 /* kept, handed to console and outside */
    enum js_isolation isolation;
    bool without_snapshot; /* run the polyfills, even where the program holds a startup snapshot */
    bool blind_to_shapes;  /* tests: isolation as on a V8 where js_shape.h does not work */
    const char *expose;    /* tests: one function of `native` set on globalThis; or NULL */
};

/*
 * Start V8 in this process: once, before the first js_new(). Single-threaded platform, so that
 * no V8 thread exists when the zygote forks.
 * flags: further V8 flags ("--perf-basic-prof"), NUL-terminated, or NULL.
 */
void js_start(const char *flags);
/* Before it: no memory of WebAssembly grows beyond this. All of an isolate together are bounded by its heap_bytes. */
void js_bound_memories(uint64_t bytes);
bool js_has_snapshot(void);      /* is there a startup snapshot of the V8 that is here? */
const char *js_v8_version(void); /* a literal, "10.2.154.26-node.36" */

/* A fresh isolate with the polyfills loaded. NULL: out of memory, or a polyfill threw
 * (our own fault; *ret_error then says which, owned by the caller). */
struct js *js_new(const struct js_options *options, struct js_error **ret_error);
void js_free(struct js *js); /* takes NULL */

enum js_format {
    JS_FORMAT_AUTO, /* by the name (.mjs, .cjs), else a script, unless it only parses as a module */
    JS_FORMAT_SCRIPT,
    JS_FORMAT_MODULE
};

/* A file beside the bundle that its modules may import. */
struct js_file {
    const char *name; /* as the bundle's own name: "dist/chunks/a.js"; NUL-terminated */
    const char *text;
    size_t bytes;
};

/* What a render is for. */
enum js_call {
    JS_CALL_PAGE = 0,
    JS_CALL_INERTIA = 1,  /* data: Inertia's page object; gives JSON {head, body} */
    JS_CALL_HYPERNOVA = 2 /* data: a batch; gives JSON {success, error, results} */
};

struct js_bundle {
    const char *name;   /* its path, for stack traces, and what its imports are relative to */
    const char *source; /* UTF-8 */
    size_t source_bytes;
    const char *function; /* "renderPage"; dots allowed ("app.render"), NUL-terminated */
    enum js_format format;
    const char *folder; /* absolute, without a slash at its end: where relative names begin, for
                           import.meta.url; NULL: unknown */
    const struct js_file *file; /* sorted by name (strcmp); kept */
    size_t file_count;
    /* A file that is not among them (an import() with a computed name), from wherever the owner
     * likes: allocated by malloc, or NULL. May be NULL. Kept; called during JavaScript. */
    char *(*read_file)(void *arg, const char *name, size_t *ret_bytes);
    void *arg;       /* kept, handed to read_file */
    const char *env; /* JSON object: the second argument of fetch handlers; bytes 0: {} */
    size_t env_bytes;
    /* An HTML page that what the bundle returns is put into: before the head's outlet, up to the
     * page's, behind it. NULL: none. Kept. */
    const char *template_part[3];
    size_t template_part_bytes[3];
    /* Vite's manifest: Link headers for what a page's client side loads; where its files are. Bytes 0: none. */
    const char *manifest;
    size_t manifest_bytes;
    const char *base;  /* NUL-terminated */
    unsigned gateways; /* bits of enum js_call: what js_request.call may be, besides JS_CALL_PAGE */
    /* What js_code() gave for this bundle, to spare V8 most of the compiling. Bytes 0: none. What of it is not of the
     * very text, name and V8 that are here is not used, and the text compiled instead. Kept; never written to. */
    const void *code;
    size_t code_bytes;
    uint64_t until_ns; /* mono: top-level await and its timers end by then; 0: never */
    uint64_t sleep_ns; /* what they may sleep in all; 0: till then */
};

/*
 * Evaluate the bundle, with all that it imports, and find what renders in it (README.md, "What a
 * bundle is").
 * 0 / -EINVAL: *ret_error (owned by the caller) says what is wrong: syntax, an exception at load,
 * a file that is not there, nothing that renders (with what was found instead and what is wanted)
 * / -ETIME: ended by js_terminate(), or not done by until_ns or within sleep_ns.
 */
int js_load_bundle(struct js *js, const struct js_bundle *bundle, struct js_error **ret_error);

/* The same for one piece of text without imports. */
int js_load(struct js *js, const char *source, size_t source_bytes, const char *name,
            const char *function, struct js_error **ret_error);

/*
 * V8's code of all that js_load_bundle() has loaded, for js_bundle.code of other isolates of this program. Functions
 * are in it that have run until now: best after the warm-up pages.
 * 0 / -ENOENT: no bundle is loaded, or V8 gives nothing for it / -ENOMEM. *ret_code: by malloc, the caller's.
 */
int js_code(struct js *js, void **ret_code, size_t *ret_bytes);

/* How many files of js_load_bundle() came out of js_bundle.code, and how many that were in it V8 or a checksum has
 * refused. */
struct js_code_use {
    unsigned taken, refused;
};
struct js_code_use js_code_used(const struct js *js);

/* What a loaded bundle turned out to be. Valid until js_free(). */
struct js_contract {
    const char *text;   /* for the log: "an ES module that exports renderPage(url, data)" */
    bool is_fetch;      /* a fetch handler: cached only as its answers say */
    bool takes_request; /* its function takes a Request: methods but GET and HEAD reach it */
};
const struct js_contract *js_contract(const struct js *js);

struct js_header {
    const char *name; /* lower case in requests */
    size_t name_bytes;
    const char *value;
    size_t value_bytes;
};

/* What goes into a render; all borrowed for the call of js_render(). */
struct js_request {
    const char *url; /* path and query: the first argument of renderPage */
    size_t url_bytes;
    const char *data; /* JSON text of the second argument; bytes 0: {} */
    size_t data_bytes;
    const char *method;
    size_t method_bytes;
    const char *origin; /* "http://host:port", for request.url */
    size_t origin_bytes;
    const struct js_header *headers;
    size_t header_count;
    const char *id; /* request id, for console lines */
    size_t id_bytes;
    enum js_call call;
    const char *body; /* of the HTTP request */
    size_t body_bytes;
    bool takes_parts; /* the owner fetches parts (js_next_part()) of a body that is a stream */
    unsigned depth;   /* renders of this very server that wait for it, one for another: fetch() */
};

#define JS_UNSET INT64_MIN

/* What a render looked at: decides whether its page may be shared (README.md, "What a page's answer tells"). */
struct js_reads {
    bool cookie;
    bool authorization;
    bool all;         /* walked over all headers */
    bool nonce;       /* ssr.nonce: its page has the mark */
    bool nonce_about; /* not by this render, but its page may have it from what the bundle keeps */
    bool other;       /* something of another render's request, which is nobody else's */
    const struct js_header *header; /* names (lower case) of the other headers it read; no values */
    size_t header_count;
};

/* What comes out. Borrowed: valid until the done callback returns. */
struct js_result {
    enum js_outcome outcome;

    /* JS_OK */
    uint16_t status;                 /* 100 to 599, checked */
    const struct js_header *headers; /* names lower case and values checked: no CR, LF, NUL */
    size_t header_count;
    const char *body; /* UTF-8; of a stream: what was not fetched in parts */
    size_t body_bytes;
    bool is_text;   /* the bundle returned a bare string: text/html */
    bool is_fetch;  /* of a fetch handler: without a word of its own it is not stored */
    int64_t ttl_ms; /* `cache` of the returned object; JS_UNSET where absent */
    int64_t swr_ms;
    int64_t sie_ms;
    bool is_private;
    const struct js_header *tags; /* name: the tag */
    size_t tag_count;
    struct js_reads reads;

    /* ctx.waitUntil() was given promises that are open: the render goes on after its answer if done
     * calls js_keep(), else it ends with it. NULL: there are none. JS_OK and JS_ERROR only. */
    struct js_open *lasting;

    /* otherwise */
    const struct js_error *error; /* set for JS_ERROR; for JS_TIMEOUT and JS_OOM the stack where it
                                     stood, if V8 could tell, else NULL */
};

typedef void js_done(void *arg, const struct js_result *result);

/*
 * Render: calls the bundle's function. `done` is called exactly once, on this thread: before
 * js_render() returns, which then is NULL, when the answer (or a promise that settles in microtasks)
 * is there; else from a later js_step() or js_cancel(). It may free arg, but must not enter the edge
 * again. Any number may be open at once, JS_OPEN_MAX at most: beyond it the render ends as JS_ERROR.
 * Never in a tick.
 */
struct js_open *js_render(struct js *js, const struct js_request *request, js_done *done,
                          void *arg);
#define JS_OPEN_MAX 16384u

/* Who does what renders wait for outside, from now on: kept. In a worker, whose loop came after the
 * isolate. No render is open. arg also goes to console. */
void js_set_outside(struct js *js, const struct js_outside *outside, void *arg);

/*
 * In done, for result->lasting: the render stays open until the promises that ctx.waitUntil() was
 * given have settled, or js_cancel(). Its timers and what it waits for go on in js_step(), its
 * Request can be read, js_arg() gives this arg. over: called once at its end, as done would be;
 * what went wrong has been told on the console by then. May be NULL.
 */
typedef void js_over(void *arg);
void js_keep(struct js_open *open, js_over *over, void *arg);

/* How many renders are open. */
size_t js_pending(const struct js *js);

/* The arg of an open render: js_render()'s until done, js_keep()'s from then on. */
void *js_arg(const struct js_open *open);

/* When there is something to do for an open render: mono milliseconds; 0: now; UINT64_MAX: nothing
 * is known to come. */
uint64_t js_next_timer_ms(struct js *js);

/* The render that js_step() would go on with at now_ms, or NULL. */
struct js_open *js_due(struct js *js, uint64_t now_ms);

/*
 * Go on with a render that js_due() has given: one timer, or one thing that was settled, and the
 * microtasks. May call its done; another render whose promise that settled is due next.
 */
void js_step(struct js *js, struct js_open *open, uint64_t now_ms);

/* Steps for all that is due at now_ms, timers FIFO for equal deadlines. What they set waits for the
 * next call. */
void js_run_timers(struct js *js, uint64_t now_ms);

/* No timer and nothing outside is left that could settle the promises that are open. */
bool js_is_stuck(const struct js *js);

/*
 * End an open render: JS_TIMEOUT, JS_GONE or JS_STALL. The stream that is its body is cancelled too. Its timers go, what it waits for outside is forgotten,
 * done is called; then the listeners of its request.signal run, which is JavaScript.
 */
void js_cancel(struct js *js, struct js_open *open, enum js_outcome outcome);

/* Some of a body that is a stream and goes on. Borrowed: valid until the next call of the edge. */
struct js_part {
    bool is_first;
    struct js_result head; /* with the first one: outcome JS_OK, no body; reads up to now */
    const char *data;
    size_t bytes; /* 1 or more */
};

/*
 * After js_render() or js_step(): an open render that takes parts and has one, or NULL. From then on
 * it is held: chunks are kept, and soon no more are read, until js_resume(). Between steps only. What
 * is left when the stream ends comes with done, as the result's body.
 */
struct js_open *js_next_part(struct js *js, struct js_part *ret_part);
void js_resume(struct js_open *open);

/* An open render: the chunks that a body which is a stream has given so far, and one; 0: its body is
 * no stream, or it has not come to its body yet. */
uint64_t js_stream_chunks(const struct js_open *open);

enum js_value {
    JS_VALUE_NOTHING, /* undefined */
    JS_VALUE_TEXT,    /* UTF-8 -> a string */
    JS_VALUE_BYTES,   /* -> Uint8Array */
    JS_VALUE_JSON,    /* parsed */
    JS_VALUE_ERROR,   /* rejects, with a TypeError of this text */
};

/*
 * What a render waited for outside is there: takes the wait. Enters no JavaScript, so any callback of
 * the loop may call it, on whatever thread has the lane; the render becomes due. data is copied.
 */
void js_settle(struct js_wait *wait, enum js_value kind, const void *data, size_t bytes);

/* The owner's own of a wait: NULL until set. */
void js_wait_set_work(struct js_wait *wait, void *work);
void *js_wait_work(const struct js_wait *wait);
unsigned js_wait_depth(const struct js_wait *wait); /* js_request.depth of whose it is */

/*
 * JS_CONTEXT: realms are made ahead of need when there is time; one that is missing is made by js_render(), which
 * then takes as long as loading the bundle takes. js_prepare() makes one, if one is wanted: an entry like a
 * render's, of some milliseconds, which js_terminate() ends.
 */
bool js_wants_realm(const struct js *js);
void js_prepare(struct js *js);

/* The names, each followed by a space, of what the last render had left in globals or intrinsics and was
 * put back; "" if nothing. JS_RESET only. Valid until the next render. */
const char *js_leftovers(const struct js *js);

/* Where a render has set one of these, as far as that was by assignment. Strings valid until the next trace. */
struct js_place {
    const char *name;
    const char *file; /* "": not seen */
    uint32_t line;
    uint32_t column;
};

/* The next render notes where it sets what js_leftovers() now names; it leaves js_leftovers() as it is. It
 * sees accessors in the place of those. */
void js_trace_leftovers(struct js *js);
const struct js_place *js_traced_places(const struct js *js, size_t *ret_count);

/* Within the console callback: the id of the request whose render speaks. False: none does. */
bool js_speaker(const struct js *js, const char **ret_id, size_t *ret_bytes);

/*
 * Stop the JavaScript that runs now; it ends with JS_TIMEOUT. Any thread, never a signal
 * handler. Does nothing where none runs, and never reaches over into the next render.
 */
void js_terminate(struct js *js);

/*
 * Ticks: moments in which running JavaScript lets the rest of its thread go on. js_request_tick()
 * asks for one; V8 then calls `tick` from the midst of the JavaScript, at a loop's end or a call.
 * None comes while a built-in runs that V8 can't interrupt, nor once the JavaScript is being
 * stopped.
 *
 * tick  on the owner's thread. Of this header it may call js_terminate(), js_request_tick(),
 *       js_heap(), js_pending(), js_next_timer_ms() and js_settle(): all that enters JavaScript or
 *       ends a render aborts, for it would do so under a render's feet.
 *       NULL: no ticks. arg: kept.
 */
void js_set_tick(struct js *js, void (*tick)(void *arg), void *arg);

/* Any thread, never a signal handler. Asks that come before the tick has run are one with it; does
 * nothing where no JavaScript runs. */
void js_request_tick(struct js *js);

/* Called when V8 is about to end the process for lack of memory, on the thread that met it, in the
 * midst of V8: nothing of this header may be called, and it may take its time. arg: kept. */
void js_set_fatal(struct js *js, void (*fatal)(void *arg), void *arg);

/*
 * Fragments: values that JavaScript keeps for itself by name, ssr.cache. The edge turns them into bytes and
 * back; where they are kept is the owner's. Called on the owner's thread during JavaScript.
 */
enum js_fragment_kind {
    JS_FRAGMENT_LATIN1, /* a string, a byte a unit */
    JS_FRAGMENT_UTF16,  /* a string, two bytes a unit: any string, lone surrogates too */
    JS_FRAGMENT_BYTES,  /* a Uint8Array */
    JS_FRAGMENT_JSON_LATIN1,
    JS_FRAGMENT_JSON_UTF16,
    JS_FRAGMENT_KINDS,
};
struct js_fragment {
    enum js_fragment_kind kind;
    const void *data; /* from get: aligned to 8 bytes, valid until the next call of any of these */
    size_t bytes;
};
struct js_fragments {
    bool (*get)(void *arg, const char *key, size_t key_bytes, struct js_fragment *ret_fragment);
    /* True: it is kept. name of a tag: its text. */
    bool (*set)(void *arg, const char *key, size_t key_bytes, const struct js_fragment *fragment,
                uint64_t ttl_ms, const struct js_header *tags, size_t tag_count);
    bool (*remove)(void *arg, const char *key, size_t key_bytes); /* true: there was one */
    void *arg;
};
/* kept; NULL, as at first: nothing is ever there, and nothing is kept. */
void js_set_fragments(struct js *js, const struct js_fragments *fragments);

/* Fork: before() in the zygote right before fork(2) (GC, MADV_DOFORK on V8's mappings:
 * 0 or negative errno), after() first thing in the child (new random seeds). */
int js_before_fork(struct js *js);
void js_after_fork(struct js *js);

/*
 * Where the JavaScript stands that runs on the owner's thread and can't be stopped: from another thread, in a copy of
 * the process made by fork(2), which may end in it by any signal or never, and is good for nothing else. Before that
 * fork: js_inherit(), while the JavaScript runs: 0 or negative errno. The stack is "" where V8's own machine code runs.
 * Returns owned.
 */
int js_inherit(struct js *js);
struct js_error *js_stands(struct js *js, const char *message); /* message: copied */

struct js_heap {
    uint64_t used_bytes;
    uint64_t committed_bytes;
    uint64_t limit_bytes;
};
void js_heap(const struct js *js, struct js_heap *ret_heap);

/* A full garbage collection: for warm-up and tests, milliseconds. */
void js_collect(struct js *js);

#ifdef __cplusplus
}
#endif
#endif
