/* SPDX-License-Identifier: MIT */
/*
 * js_natives.cc - what polyfills can't do, or not fast: the console's sink, UTF-8, base64,
 * randomness, clocks, structured clone. The polyfills check the arguments that pages give and throw
 * the errors of the standards; what is checked here keeps the process whole.
 */
#include "worker/base64.h"
#include "worker/js_internal.h"

#include <string.h>

typedef const v8::FunctionCallbackInfo<v8::Value> Info;

js_bytes js_bytes_of(v8::Local<v8::Value> value)
{
    if (value->IsArrayBufferView()) {
        v8::Local<v8::ArrayBufferView> view = value.As<v8::ArrayBufferView>();
        uint8_t *data = static_cast<uint8_t *>(view->Buffer()->GetBackingStore()->Data());
        return {data ? data + view->ByteOffset() : nullptr, view->ByteLength()};
    }
    if (value->IsArrayBuffer()) {
        std::shared_ptr<v8::BackingStore> store = value.As<v8::ArrayBuffer>()->GetBackingStore();
        return {static_cast<uint8_t *>(store->Data()), store->ByteLength()};
    }
    return {nullptr, 0};
}

void js_return_bytes(Info &info, const void *data, size_t count)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    void *memory = js->allocator->AllocateUninitialized(count);

    if (!memory)
        return;
    if (count)
        memcpy(memory, data, count);
    std::unique_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(
        memory, count,
        [](void *held, size_t length, void *deleter) {
            auto *allocator = static_cast<std::shared_ptr<Allocator> *>(deleter);
            (*allocator)->Free(held, length);
            delete allocator;
        },
        new std::shared_ptr<Allocator>(js->allocator));
    v8::Local<v8::ArrayBuffer> buffer = v8::ArrayBuffer::New(isolate, std::move(store));
    info.GetReturnValue().Set(v8::Uint8Array::New(buffer, 0, count));
}

/* (level, text) */
static void log(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);

    if (!js->options.console || !info[0]->IsInt32() || !info[1]->IsString())
        return;
    int level = info[0].As<v8::Int32>()->Value();
    if (level < JS_CONSOLE_DEBUG || level > JS_CONSOLE_ERROR)
        return;
    size_t count = js_to_utf8(isolate, info[1].As<v8::String>(), &js->scratch);
    js->options.console(js->options.arg, (enum js_console)level, js->scratch.data, count);
    js->scratch.trim((size_t)1 << 16);
}

/* (error): an exception that has nobody to go to, from a listener. */
static void report(Info &info)
{
    js *js = js_of(info.GetIsolate());

    js_report(js, info[0], v8::Exception::CreateMessage(js->isolate, info[0]), "Uncaught");
}

/* (stack) -> the stack with places of the sources */
static void locate(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    std::string text = js_std_string(isolate, info[0]);
    js_error *error = js_error_new("", 0);

    free(error->stack);
    error->stack = strdup(text.c_str());
    if (!error->stack)
        abort();
    js_error_locate(js_of(isolate), error);
    info.GetReturnValue().Set(js_string(isolate, error->stack, strlen(error->stack)));
    js_error_free(error);
}

static void utf8_encode(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    Utf8Buffer buffer;

    if (!info[0]->IsString())
        return;
    size_t count = js_to_utf8(isolate, info[0].As<v8::String>(), &buffer);
    js_return_bytes(info, buffer.data, count);
}

/* (string, Uint8Array) -> bytes written + 2^32 * units read, as one number */
static void utf8_encode_into(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js_bytes to = js_bytes_of(info[1]);
    Utf8Buffer wide;
    size_t read = 0;

    if (!info[0]->IsString())
        return;
    v8::Local<v8::String> text = info[0].As<v8::String>();
    wide.reserve((size_t)text->Length() * sizeof(uint16_t));
    uint16_t *units = reinterpret_cast<uint16_t *>(wide.data);
    js_v8_write(isolate, text, units);
    size_t written = utf8_from_utf16_into(units, (size_t)text->Length(),
                                          reinterpret_cast<char *>(to.data), to.count, &read);
    info.GetReturnValue().Set((double)written + (double)read * 4294967296.0);
}

/* (bytes, fatal, keep BOM) -> string; undefined: fatal, and the bytes are not UTF-8 */
static void utf8_decode(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js_bytes from = js_bytes_of(info[0]);

    if (info[1]->IsTrue() && !utf8_valid(from.data, from.count))
        return;
    if (!info[2]->IsTrue() && from.count >= 3 && memcmp(from.data, "\xef\xbb\xbf", 3) == 0) {
        from.data += 3;
        from.count -= 3;
    }
    info.GetReturnValue().Set(js_string(isolate, (const char *)from.data, from.count));
}

static void utf8_tail(Info &info)
{
    js_bytes from = js_bytes_of(info[0]);

    info.GetReturnValue().Set((uint32_t)utf8_open_tail(from.data, from.count));
}

/* The flag is read at once; the characters are only where it says nothing. */
static bool one_byte(v8::Local<v8::String> text)
{
    return text->IsOneByte() || text->ContainsOnlyOneByte();
}

/* (string of bytes, or bytes) -> base64; undefined: it holds a character above U+00FF */
static void to_base64(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    Utf8Buffer *work = &js_of(isolate)->scratch;

    if (info[0]->IsArrayBufferView()) {
        js_bytes from = js_bytes_of(info[0]);
        work->reserve(base64_room(from.count) + 1);
        info.GetReturnValue().Set(
            js_latin1(isolate, work->data, base64_write(from.data, from.count, work->data)));
        work->trim((size_t)1 << 16);
        return;
    }
    if (!info[0]->IsString() || !one_byte(info[0].As<v8::String>()))
        return;
    v8::Local<v8::String> text = info[0].As<v8::String>();
    size_t count = (size_t)text->Length();
    work->reserve(count + base64_room(count) + 1);
    uint8_t *in = reinterpret_cast<uint8_t *>(work->data);
    char *out = work->data + count;
    js_v8_write(isolate, text, in);
    info.GetReturnValue().Set(js_latin1(isolate, out, base64_write(in, count, out)));
    work->trim((size_t)1 << 16);
}

/* (base64, as bytes?) -> string of bytes, or bytes; undefined: not base64 */
static void from_base64(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    Utf8Buffer *work = &js_of(isolate)->scratch;
    size_t count = 0;

    if (!info[0]->IsString() || !one_byte(info[0].As<v8::String>()))
        return;
    v8::Local<v8::String> text = info[0].As<v8::String>();
    work->reserve((size_t)text->Length() + 1);
    uint8_t *data = reinterpret_cast<uint8_t *>(work->data);
    js_v8_write(isolate, text, data);
    if (base64_read(data, (size_t)text->Length(), &count)) {
        if (info[1]->IsTrue())
            js_return_bytes(info, work->data, count);
        else
            info.GetReturnValue().Set(js_latin1(isolate, data, count));
    }
    work->trim((size_t)1 << 16);
}

/* High Resolution Time: milliseconds since timeOrigin, in steps of 5 us. */
static void clock_now(Info &info)
{
    uint64_t ns = js_clock_ns() - js_of(info.GetIsolate())->origin_mono_ns;

    info.GetReturnValue().Set((double)(ns / 5000u) * 0.005);
}

static void clock_origin(Info &info)
{
    info.GetReturnValue().Set((double)js_of(info.GetIsolate())->origin_wall_us / 1000.0);
}

/* HTML, section 2.7: what can't be cloned throws what native.dataCloneError(message) makes. */
class CloneErrors : public v8::ValueSerializer::Delegate
{
  public:
    explicit CloneErrors(v8::Isolate *of) : isolate(of)
    {
    }
    void ThrowDataCloneError(v8::Local<v8::String> message) override
    {
        v8::Local<v8::Context> context = isolate->GetCurrentContext();
        v8::Local<v8::Value> argument = message, maker, error;
        v8::Local<v8::Object> native = js_of(isolate)->native.Get(isolate);

        if (!native->Get(context, js_name(isolate, "dataCloneError")).ToLocal(&maker) ||
            !maker->IsFunction() ||
            !maker.As<v8::Function>()
                 ->Call(context, v8::Undefined(isolate), 1, &argument)
                 .ToLocal(&error))
            return; /* that has thrown */
        isolate->ThrowException(error);
    }

  private:
    v8::Isolate *const isolate;
};

/* (object) -> is it an ordinary object or array, of no class of its own? polyfills/structured_clone.js */
static void is_plain(Info &info)
{
    v8::Local<v8::Value> v = info[0];

    info.GetReturnValue().Set(
        v->IsObject() && !v->IsProxy() && !v->IsFunction() && !v->IsNativeError() && !v->IsDate() &&
        !v->IsRegExp() && !v->IsMap() && !v->IsSet() && !v->IsArrayBuffer() &&
        !v->IsArrayBufferView() && !v->IsArgumentsObject() && !v->IsModuleNamespaceObject() &&
        !v->IsPromise() && !v->IsStringObject() && !v->IsNumberObject() && !v->IsBooleanObject() &&
        !v->IsBigIntObject() && !v->IsSymbolObject() && !v->IsWeakMap() && !v->IsWeakSet() &&
        !v->IsSharedArrayBuffer() && !v->IsGeneratorObject() &&
        v.As<v8::Object>()->InternalFieldCount() == 0);
}

/* A clone's memory of transferred buffers: the n-th of the copy is the n-th of the list. */
static bool adopt(v8::Isolate *isolate, v8::Local<v8::Context> context, v8::Local<v8::Array> list,
                  v8::ValueDeserializer *deserializer)
{
    for (uint32_t i = 0; i < list->Length(); i++) {
        v8::Local<v8::Value> value;
        if (!list->Get(context, i).ToLocal(&value) || !value->IsArrayBuffer())
            return false;
        v8::Local<v8::ArrayBuffer> old = value.As<v8::ArrayBuffer>();
        std::shared_ptr<v8::BackingStore> store = old->GetBackingStore();
        if (!js_v8_detach(old))
            return false;
        deserializer->TransferArrayBuffer(i, v8::ArrayBuffer::New(isolate, std::move(store)));
    }
    return true;
}

/* (value, ArrayBuffers to transfer) */
static void clone(Info &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    v8::Local<v8::Array> moved =
        info[1]->IsArray() ? info[1].As<v8::Array>() : v8::Array::New(isolate, 0);
    CloneErrors errors(isolate);
    v8::ValueSerializer serializer(isolate, &errors);
    v8::Local<v8::Value> copy, buffer;

    for (uint32_t i = 0; i < moved->Length(); i++) {
        if (!moved->Get(context, i).ToLocal(&buffer) || !buffer->IsArrayBuffer() ||
            !buffer.As<v8::ArrayBuffer>()->IsDetachable() ||
            buffer.As<v8::ArrayBuffer>()->WasDetached()) {
            errors.ThrowDataCloneError(js_name(isolate, "An ArrayBuffer can't be transferred"));
            return;
        }
        serializer.TransferArrayBuffer(i, buffer.As<v8::ArrayBuffer>());
    }
    serializer.WriteHeader();
    if (!serializer.WriteValue(context, info[0]).FromMaybe(false))
        return;
    std::pair<uint8_t *, size_t> data = serializer.Release();
    {
        v8::ValueDeserializer deserializer(isolate, data.first, data.second);
        if (adopt(isolate, context, moved, &deserializer) &&
            deserializer.ReadHeader(context).FromMaybe(false) &&
            deserializer.ReadValue(context).ToLocal(&copy))
            info.GetReturnValue().Set(copy);
    }
    free(data.first);
}

/* Where this fails, the polyfill that wants it says so. */
void js_native_set(js *js, v8::Local<v8::Object> native, const char *name,
                   v8::Local<v8::Value> value)
{
    (void)native->Set(js->isolate->GetCurrentContext(), js_name(js->isolate, name), value)
        .FromMaybe(false);
}

static const js_native list[] = {
    {"log", log},
    {"report", report},
    {"locate", locate},
    {"utf8Encode", utf8_encode},
    {"utf8EncodeInto", utf8_encode_into},
    {"utf8Decode", utf8_decode},
    {"utf8OpenTail", utf8_tail},
    {"base64Encode", to_base64},
    {"base64Decode", from_base64},
    {"clockNow", clock_now},
    {"clockOrigin", clock_origin},
    {"clone", clone},
    {"isPlain", is_plain},
};
const js_native_list js_natives_natives = {list, sizeof list / sizeof list[0]};
