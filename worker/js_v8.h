/* SPDX-License-Identifier: MIT */
/*
 * js_v8.h - the one place that knows what differs between the versions of V8 that ssrd builds
 * against: 10.2 (Debian 12), 11.3 (Debian 13), 13.6 (unstable). Each entry names the version that
 * brought the difference. Only worker/js_*.cc include it, and they include v8.h through it.
 */
#ifndef SSRD_WORKER_JS_V8_H
#define SSRD_WORKER_JS_V8_H

#include <libplatform/libplatform.h>
#include <v8.h>

#include <memory>
#include <vector>

#define JS_V8_AT_LEAST(major, minor)                                                               \
    (V8_MAJOR_VERSION > (major) || (V8_MAJOR_VERSION == (major) && V8_MINOR_VERSION >= (minor)))

/* 11.0: the out-of-memory handler gets a struct instead of a flag. */
#if JS_V8_AT_LEAST(11, 0)
#define JS_V8_OOM_PARAMETER const v8::OOMDetails &
#else
#define JS_V8_OOM_PARAMETER bool
#endif

/* 12.0: a ScriptOrigin no longer takes the isolate. */
static inline v8::ScriptOrigin js_v8_origin(v8::Isolate *isolate, v8::Local<v8::Value> name)
{
#if JS_V8_AT_LEAST(12, 0)
    (void)isolate;
    return v8::ScriptOrigin(name);
#else
    return v8::ScriptOrigin(isolate, name);
#endif
}

static inline v8::ScriptOrigin js_v8_module_origin(v8::Isolate *isolate, v8::Local<v8::Value> name)
{
#if JS_V8_AT_LEAST(12, 0)
    (void)isolate;
    return v8::ScriptOrigin(name, 0, 0, false, -1, {}, false, false, true);
#else
    return v8::ScriptOrigin(isolate, name, 0, 0, false, -1, {}, false, false, true);
#endif
}

/* 12.4: the names of a synthetic module's exports come as a span. */
static inline v8::Local<v8::Module>
js_v8_synthetic(v8::Isolate *isolate, v8::Local<v8::String> name,
                const std::vector<v8::Local<v8::String>> &exports,
                v8::Module::SyntheticModuleEvaluationSteps steps)
{
#if JS_V8_AT_LEAST(12, 4)
    return v8::Module::CreateSyntheticModule(
        isolate, name, v8::MemorySpan<const v8::Local<v8::String>>(exports.data(), exports.size()),
        steps);
#else
    return v8::Module::CreateSyntheticModule(isolate, name, exports, steps);
#endif
}

/* 11.4: Detach takes the key, and may refuse. */
static inline bool js_v8_detach(v8::Local<v8::ArrayBuffer> buffer)
{
#if JS_V8_AT_LEAST(11, 4)
    return buffer->Detach(v8::Local<v8::Value>()).FromMaybe(false);
#else
    buffer->Detach();
    return true;
#endif
}

/* 12.2: a SnapshotCreator takes the parameters of its isolate; the other forms go. */
class js_v8_snapshot_creator
{
  public:
    explicit js_v8_snapshot_creator(const intptr_t *references)
#if JS_V8_AT_LEAST(12, 2)
        : allocator(v8::ArrayBuffer::Allocator::NewDefaultAllocator())
    {
        v8::Isolate::CreateParams params;
        params.array_buffer_allocator = allocator.get();
        params.external_references = references;
        creator = std::make_unique<v8::SnapshotCreator>(params);
    }
#else
        : creator(std::make_unique<v8::SnapshotCreator>(references))
    {
    }
#endif
    v8::SnapshotCreator *operator->()
    {
        return creator.get();
    }

  private:
    std::unique_ptr<v8::ArrayBuffer::Allocator> allocator;
    std::unique_ptr<v8::SnapshotCreator> creator;
};

/* The value that promise reactions carry along belongs to the context, and from 12 on to the isolate:
 * found out by what is there, for the old calls stayed for a while. */
template <typename I>
auto js_v8_frame(I *isolate, int) -> decltype(isolate->GetContinuationPreservedEmbedderData())
{
    return isolate->GetContinuationPreservedEmbedderData();
}

template <typename I> v8::Local<v8::Value> js_v8_frame(I *isolate, long)
{
    return isolate->GetCurrentContext()->GetContinuationPreservedEmbedderData();
}

template <typename I>
auto js_v8_set_frame(I *isolate, v8::Local<v8::Value> frame, int)
    -> decltype(isolate->SetContinuationPreservedEmbedderData(frame))
{
    isolate->SetContinuationPreservedEmbedderData(frame);
}

template <typename I> void js_v8_set_frame(I *isolate, v8::Local<v8::Value> frame, long)
{
    isolate->GetCurrentContext()->SetContinuationPreservedEmbedderData(frame);
}

/* 13.4: String::Write and WriteOneByte have V2 forms that take 64-bit lengths; the old ones go. */
static inline void js_v8_write(v8::Isolate *isolate, v8::Local<v8::String> text, uint8_t *to)
{
#if JS_V8_AT_LEAST(13, 4)
    text->WriteOneByteV2(isolate, 0, (uint32_t)text->Length(), to, v8::String::WriteFlags::kNone);
#else
    text->WriteOneByte(isolate, to, 0, text->Length(), v8::String::NO_NULL_TERMINATION);
#endif
}

static inline void js_v8_write(v8::Isolate *isolate, v8::Local<v8::String> text, uint16_t *to)
{
#if JS_V8_AT_LEAST(13, 4)
    text->WriteV2(isolate, 0, (uint32_t)text->Length(), to, v8::String::WriteFlags::kNone);
#else
    text->Write(isolate, to, 0, text->Length(), v8::String::NO_NULL_TERMINATION);
#endif
}

#endif
