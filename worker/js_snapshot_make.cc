/* SPDX-License-Identifier: MIT */
/*
 * js_snapshot_make.cc - run by the build: js_snapshot_make OUTPUT.bin OUTPUT.c writes the startup snapshot (js_snapshot.cc) and
 * the source that links it. Where that can't be done it says why, and the program goes without.
 */
#include "worker/js_internal.h"
#include "worker/js_snapshot.h"

#include <stdio.h>
#include <string.h>

#define HEAP_BYTES ((size_t)64 << 20)

const char *const js_snapshot_blob = nullptr;
const size_t js_snapshot_bytes = 0;
const char *const js_snapshot_made_by = nullptr;

static bool fill(js *js, v8::SnapshotCreator *creator)
{
    v8::Isolate *isolate = js->isolate;
    v8::HandleScope handle_scope(isolate);
    v8::Local<v8::Context> context = v8::Context::New(isolate);
    bool made;

    js->context.Reset(isolate, context);
    {
        Entry entry(js);
        made = js_realm_make(js, entry.context);
        if (!made) {
            js_error *error = js_error_caught(js, entry);
            (void)fprintf(stderr, "js_snapshot_make: %s\n%s\n", error->message, error->stack);
            js_error_free(error);
        }
    }
    if (made) {
        creator->SetDefaultContext(v8::Context::New(isolate));
        creator->AddContext(context);
        creator->AddData(context, js->native.Get(isolate));
    }
    js->native.Reset();
    js->context.Reset();
    return made;
}

static v8::StartupData create()
{
    v8::StartupData blob = {nullptr, 0};
    js *js = new struct js;
    bool filled;
    js_v8_snapshot_creator creator(js_references());

    js->isolate = creator->GetIsolate();
    js->allocator = std::make_shared<Allocator>(HEAP_BYTES);
    js->isolate->SetData(0, js);
    js->isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
    filled = fill(js, creator.operator->());
    if (filled)
        blob = creator->CreateBlob(v8::SnapshotCreator::FunctionCodeHandling::kKeep);
    return blob; /* js goes with the process: V8 may still ask for it */
}

static int write_blob(const char *path, const v8::StartupData *blob)
{
    FILE *file = fopen(path, "wb");

    if (!file)
        return -1;
    size_t written = blob->raw_size ? fwrite(blob->data, 1, (size_t)blob->raw_size, file) : 0;
    return fclose(file) == 0 && written == (size_t)blob->raw_size ? 0 : -1;
}

static int write_source(const char *path, const char *blob_path, const v8::StartupData *blob)
{
    std::string made_by = blob->raw_size ? js_snapshot_identity() : "";
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    (void)fprintf(file,
                  "/* Written by js_snapshot_make. */\n"
                  "#include <stddef.h>\n"
                  "__asm__(\".pushsection .rodata\\n.balign 16\\n\"\n"
                  "        \"ssrd_snapshot:\\n.incbin \\\"%s\\\"\\n.byte 0\\n.popsection\\n\");\n"
                  "extern const char ssrd_snapshot[] __attribute__((visibility(\"hidden\")));\n"
                  "extern const char *const js_snapshot_blob, *const js_snapshot_made_by;\n"
                  "extern const size_t js_snapshot_bytes;\n"
                  "const char *const js_snapshot_blob = ssrd_snapshot;\n"
                  "const size_t js_snapshot_bytes = %d;\n"
                  "const char *const js_snapshot_made_by = \"%s\";\n",
                  blob_path, blob->raw_size, made_by.c_str());
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 64;
    js_start(nullptr);
    v8::StartupData blob = create();
    char *whole = write_blob(argv[1], &blob) == 0 ? realpath(argv[1], nullptr) : nullptr;
    if (!whole || write_source(argv[2], whole, &blob) != 0) {
        perror(argv[1]);
        return 1;
    }
    free(whole);
    (void)fflush(nullptr);
    _Exit(0); /* the isolate goes with the process */
}
