/* SPDX-License-Identifier: MIT */
/*
 * js_state.h - the data of the C edge: struct js and what it is made of. Memory of the edge itself
 * that can't be had ends the process, as V8 does with its own.
 */
#ifndef SSRD_WORKER_JS_STATE_H
#define SSRD_WORKER_JS_STATE_H

#include "worker/js.h"
#include "worker/js_shape.h"
#include "worker/js_utf8.h"
#include "worker/js_v8.h"

#include <sys/queue.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

/* Short texts that live until the next reset(): headers, tags, names. Pointers stay valid. */
class Arena
{
  public:
    Arena() = default;
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;
    ~Arena();
    char *room(size_t bytes);
    const char *keep(const char *text, size_t bytes);
    void reset(); /* keeps the first block for the next render */

  private:
    std::vector<char *> blocks;
    size_t used = 0;
    size_t block_bytes = 0;
};

/* Memory of ArrayBuffers, counted against the heap limit: outside of V8's heap nothing else would.
 */
class Allocator : public v8::ArrayBuffer::Allocator
{
  public:
    explicit Allocator(size_t limit) : limit_bytes(limit)
    {
    }
    void *Allocate(size_t bytes) override;
    void *AllocateUninitialized(size_t bytes) override;
    void Free(void *data, size_t bytes) override;
    bool refused = false; /* the last allocation */
    size_t used() const
    {
        return used_bytes;
    }

  private:
    bool admit(size_t bytes, const void *data);
    const size_t limit_bytes;
    size_t used_bytes = 0;
};

struct Timer {
    v8::Global<v8::Function> callback;
    std::vector<v8::Global<v8::Value>> arguments;
    v8::Global<v8::Value> frame; /* js_frame.cc */
    uint32_t id;
    int64_t repeat_ms; /* < 0: once */
    js_open *owner;
    LIST_ENTRY(Timer) link; /* of its owner; set while it is in the queue */
};

/* Timers of all open renders, by deadline, then in the order they were set. */
struct Timers {
    typedef std::pair<uint64_t, uint64_t> Key; /* mono ms, sequence */
    std::map<Key, Timer> queue;
    std::unordered_map<uint32_t, Key> keys;
    uint64_t run_ms = 0; /* the time that the last step was given */
    uint64_t sequence = 0;
    uint32_t last_id = 0;
};

/* Belongs to a render until it is settled or forgotten; then, until delivered, its value does. */
struct js_wait {
    js_open *owner;
    v8::Global<v8::Promise::Resolver> resolver;
    v8::Global<v8::Value> frame;
    void *work = nullptr;
    bool is_own = false;  /* the edge's: nobody outside knows of it */
    bool settled = false; /* this and what follows: under js.inbox */
    bool forgotten = false;
    js_value kind = JS_VALUE_NOTHING;
    std::string data;
    TAILQ_ENTRY(js_wait) link;  /* of its owner */
    TAILQ_ENTRY(js_wait) ready; /* once settled */
};

/* The modules of the bundle: polyfills/node.js has those of no file. js_modules.cc */
struct Modules {
    std::map<std::string, v8::Global<v8::Module>> loaded;  /* by name */
    std::unordered_multimap<int, std::string> names;       /* by identity hash */
    std::map<std::string, v8::Global<v8::Object>> exports; /* of those that are no source text */
    std::string entry, folder;
    const js_file *file = nullptr;
    size_t file_count = 0;
    char *(*read_file)(void *, const char *, size_t *) = nullptr;
    void *arg = nullptr;
    /* The import that failed last, where V8 knows of no position. */
    std::string failed_in;
    uint32_t failed_line = 0, failed_column = 0;
};

/* A context, and what of it the edge has in hand. */
struct Realm {
    v8::Global<v8::Context> context;
    v8::Global<v8::Object> native;     /* what polyfills call, and leave for C++ */
    v8::Global<v8::Function> describe; /* result -> string or flat array: polyfills/page.js */
    v8::Global<v8::Function> whole;    /* result -> it, or a promise of it with its stream read */
    v8::Global<v8::Function> gateway;  /* (serial, url, data, js_call) -> result */
    v8::Global<v8::Function> call;     /* (serial, url, data) -> result; made by js_load() */
    v8::Global<v8::Function> watch;    /* reaction that notes renders as settled: js_render.cc */
    std::shared_ptr<v8::BackingStore> random;      /* polyfills/math_random.js */
    std::shared_ptr<v8::BackingStore> url_offsets; /* polyfills/url.js */
    Modules modules;
};

/* A request and its reads; while its promise is open, the copies of what js_render() had borrowed.
 * The serial holds the slot in its low bits (JS_OPEN_MAX), so that it is found by it. */
struct js_open {
    struct js *js = nullptr;
    bool open = false;
    bool ending = false; /* done has been called, its abort listeners run */
    bool kept_request = false;
    bool is_settled = false;  /* is in js.settled */
    bool is_answered = false; /* done has been called; it goes on for `lasting` */
    bool is_kept = false;     /* js_keep(): over and arg are of then */
    js_over *over = nullptr;
    std::vector<v8::Global<v8::Promise>> lasting; /* js_lasting.cc */
    uint32_t slot = 0;
    uint64_t serial = 0; /* of the open or last render; Request objects carry it */
    js_done *done = nullptr;
    void *arg = nullptr;
    js_request request = {};
    std::vector<js_header> request_headers; /* once copied */
    Arena kept;
    v8::Global<v8::Promise> promise;
    v8::Global<v8::Object> signal; /* request.signal, if somebody asked for it */
    v8::Global<v8::Array> flat;    /* js_stream.cc: the page whose body is a stream, without it */
    v8::Global<v8::Object> reader; /* that reads it */
    std::string chunks;            /* of it, not fetched yet */
    uint64_t chunk_count = 0;      /* js_stream_chunks() */
    js_wait *room = nullptr;       /* what the reader waits for */
    bool has_part = false;         /* is in js.parts */
    bool parted = false;           /* a part was fetched */
    bool held = false;             /* no more parts until js_resume() */
    Realm realm;                   /* JS_CONTEXT: its own, unless it is the one that runs */
    bool has_realm = false;
    LIST_HEAD(, Timer) timers;
    TAILQ_HEAD(, js_wait) waits;
    bool read_cookie, read_authorization, read_all, read_nonce, read_other;
    std::vector<js_header> read_names;
    Arena read_text;
};

/* What js_result points to, reused from render to render. */
struct Page {
    Utf8Buffer body;
    Arena text;
    std::vector<js_header> headers;
    std::vector<js_header> tags;
};

struct Rejection {
    uint64_t serial; /* of the render that rejected it; 0: none */
    v8::Global<v8::Promise> promise;
    v8::Global<v8::Value> reason;
};

/* What js_load_bundle() was given, for realms that are made later. JS_CONTEXT only. */
struct KeptBundle {
    std::string name, source, function, folder, env; /* name "": none */
    js_bundle fields = {};
    bool is_module = false;
};

/* Of the bundle that was loaded last. js_code.cc */
struct Code {
    const uint8_t *data = nullptr; /* js_bundle.code, whose table is whole; or nullptr */
    size_t bytes = 0;
    struct js_code_use use = {0, 0};
    v8::Global<v8::UnboundScript> script; /* of a bundle that is one; JS_CONTEXT: for all realms */
    uint64_t script_of = 0;               /* digest of its name and text, and so: */
    std::map<uint64_t, v8::Global<v8::UnboundModuleScript>>
        modules; /* of the files of the bundle */
};

/* The realm in which JavaScript runs now is the base. */
struct js : Realm {
    js_options options;
    v8::Isolate *isolate = nullptr;
    std::shared_ptr<Allocator> allocator;
    /* JS_CONTEXT: js_context.cc */
    Realm home;                  /* of entries without a render, while another is the base */
    js_open *realm_of = nullptr; /* whose the base is; nullptr: nobody's */
    std::vector<Realm> spare;    /* ready */
    bool cannot_prepare = false;
    bool has_snapshot = false; /* the isolate began with it */
    KeptBundle bundle;
    Code code;
    bool loading = false; /* js_load_bundle(), js_load_again() */
    bool has_template;    /* or a manifest: strings are not pages yet, describe() makes them */
    std::shared_ptr<void> url_work; /* js_url.cc */

    /* Which entry runs; 0: none. js_terminate() reads it, its interrupt compares it. */
    std::atomic<uint64_t> running{0};
    std::atomic<uint64_t> shot{
        0}; /* the entry that js_terminate() has last asked V8 to interrupt */
    uint64_t entries = 0;
    void (*fatal)(void *arg) = nullptr;
    void *fatal_arg = nullptr;
    void (*tick)(void *arg) = nullptr;
    void *tick_arg = nullptr;
    std::atomic<bool> tick_asked{false}; /* an interrupt for it waits in V8's queue */
    bool ticking = false;                /* `tick` is being called */
    unsigned shields = 0;                /* what must not be stopped midway runs: js_lazy.cc */
    bool stop_is_due = false;            /* and js_terminate() waits for its end */
    bool stopped = false;                /* this entry: js_terminate() */
    bool out_of_memory = false;          /* this entry: heap limit */
    js_error *stood = nullptr;           /* where it was stopped; owned */

    const js_fragments *fragments = nullptr;
    Utf8Buffer fragment_key, fragment_data;

    std::vector<std::unique_ptr<js_open>> slots; /* slot 0 is nobody's: serial 0 is no render */
    std::vector<uint32_t> free_slots;
    uint64_t renders = 0;
    size_t open_count = 0;
    js_open *entered = nullptr;   /* whose entry this is */
    js_open load;                 /* owns the timers that a bundle sets while it loads */
    std::deque<uint64_t> settled; /* serials of open renders whose promise has its value */
    std::mutex inbox;             /* js_settle() comes from whoever turns the loop (lane.h) */
    TAILQ_HEAD(, js_wait) ready;  /* under it: settled from outside, not delivered yet */
    std::deque<uint64_t> parts;   /* serials of open renders with chunks to fetch */
    std::string part_text;        /* of the part that was fetched last */
    size_t wait_count = 0;        /* of all renders, settled ones too */

    v8::Global<v8::Function> restore; /* polyfills/isolation.js; set when a bundle has loaded */
    std::vector<js_shape> shapes;     /* of what it watches; empty: shapes can't be seen */
    std::string leftovers;
    /* For ssrctl check: js_reset.cc */
    struct Place {
        std::string name, file;
        uint32_t line = 0, column = 0;
    };
    bool tracing = false;
    std::vector<Place> traced;
    mutable std::vector<js_place> places; /* the same for C */

    bool nonce_for_all = false; /* the bundle read ssr.nonce while it loaded */
    bool nonce_seen =
        false; /* any JavaScript has the mark: it may be in pages of renders that did not read it */
    Page page;
    Timers timers;
    std::vector<Rejection> rejections;
    struct js_contract contract = {"", false, false};
    std::string contract_text;
    Utf8Buffer scratch; /* console lines, errors */

    uint64_t random_state[2];
    uint64_t origin_mono_ns, origin_wall_us; /* performance.timeOrigin */
};

#endif
