/* SPDX-License-Identifier: MIT */
/*
 * js_lazy.cc - polyfills that load when first asked for: a global that is only a promise of one until
 * it is read, so that what a bundle does not use costs a property. JavaScript sees data properties,
 * writable and configurable; writing one before it was read keeps the file from loading. Their
 * sources stay in the program's read-only data: V8 is given the address, its heap holds no copy.
 */
#include "worker/js_internal.h"

#include "polyfills/polyfills.h"

#include <string.h>

typedef v8::Local<v8::Object> Object;

class StaticSource : public v8::String::ExternalOneByteStringResource
{
  public:
    explicit StaticSource(const struct polyfill *of) : file(of)
    {
    }
    const char *data() const override
    {
        return file->source;
    }
    size_t length() const override
    {
        return file->source_bytes;
    }

  private:
    const struct polyfill *const file;
};

static const struct polyfill *file_named(const std::string &name)
{
    for (size_t i = 0; i < polyfill_lazy_count; i++)
        if (name == polyfill_lazy_table[i].name)
            return &polyfill_lazy_table[i];
    return nullptr;
}

static v8::MaybeLocal<v8::Value> run(v8::Isolate *isolate, const struct polyfill *file,
                                     Object native)
{
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    v8::Local<v8::Value> argument = native;
    v8::Local<v8::String> parameter = js_name(isolate, "native"), text;
    v8::Local<v8::Function> function;
    std::string name = std::string("ssr:") + file->name;

    if (!v8::String::NewExternalOneByte(isolate, new StaticSource(file)).ToLocal(&text))
        return {};
    v8::ScriptCompiler::Source source(
        text, js_v8_origin(isolate, js_string(isolate, name.data(), name.size())));
    if (!v8::ScriptCompiler::CompileFunction(context, &source, 1, &parameter).ToLocal(&function))
        return {};
    return function->Call(context, v8::Undefined(isolate), 1, &argument);
}

/* What the file returned, loaded at the first call. Empty: it has thrown, or was stopped midway; it
 * begins anew at the next call. The key on `native` holds a dot, so that no other can be meant. */
static v8::MaybeLocal<v8::Value> load(v8::Isolate *isolate, Object native,
                                      v8::Local<v8::Value> name)
{
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    v8::Local<v8::Value> exports;
    const struct polyfill *file = file_named(js_std_string(isolate, name));

    if (!file) {
        isolate->ThrowException(v8::Exception::Error(js_name(isolate, "no such polyfill")));
        return {};
    }
    if (!native->Get(context, name).ToLocal(&exports))
        return {};
    if (!exports->IsUndefined())
        return exports;
    if (!run(isolate, file, native).ToLocal(&exports) ||
        !native->Set(context, name, exports).FromMaybe(false))
        return {};
    return exports;
}

/* native.load(file) -> what the file returned */
static void load_now(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Local<v8::Value> exports;

    if (info.This()->IsObject() && load(info.GetIsolate(), info.This(), info[0]).ToLocal(&exports))
        info.GetReturnValue().Set(exports);
}

/*
 * native.shield(function) -> what it gives. A deadline that comes meanwhile ends the JavaScript when it has returned: stopped
 * midway, with half of its properties in place and no catch or finally, it would be broken for all renders that follow.
 */
static void shield(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    js *js = js_of(isolate);
    v8::Local<v8::Value> value;

    if (!info[0]->IsFunction())
        return;
    js->shields++;
    if (info[0]
            .As<v8::Function>()
            ->Call(isolate->GetCurrentContext(), v8::Undefined(isolate), 0, nullptr)
            .ToLocal(&value))
        info.GetReturnValue().Set(value);
    js_shield_lower(js);
}

/* The first read of such a global; data: its file. Nothing of the realm, for the snapshot keeps what holds it
 * with what all realms share. */
static void read(v8::Local<v8::Name> name, const v8::PropertyCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();
    v8::Local<v8::Value> native = context->GetEmbedderData(JS_CONTEXT_NATIVE), exports, value;

    if (native->IsObject() &&
        load(isolate, native.As<v8::Object>(), info.Data()).ToLocal(&exports) &&
        exports->IsObject() && exports.As<v8::Object>()->Get(context, name).ToLocal(&value))
        info.GetReturnValue().Set(value);
}

const intptr_t js_lazy_getter = reinterpret_cast<intptr_t>(read);

/* native.lazy(file, names): globals that the file's exports of these names will be */
static void lazy(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Isolate *isolate = info.GetIsolate();
    v8::Local<v8::Context> context = isolate->GetCurrentContext();

    if (!info[0]->IsString() || !info[1]->IsArray())
        return;
    v8::Local<v8::Array> names = info[1].As<v8::Array>();
    for (uint32_t i = 0; i < names->Length(); i++) {
        v8::Local<v8::Value> name;
        if (!names->Get(context, i).ToLocal(&name) || !name->IsName() ||
            !context->Global()
                 ->SetLazyDataProperty(context, name.As<v8::Name>(), read, info[0], v8::DontEnum)
                 .FromMaybe(false))
            return;
    }
}

static const js_native list[] = {{"load", load_now}, {"lazy", lazy}, {"shield", shield}};
const js_native_list js_lazy_natives = {list, sizeof list / sizeof list[0]};
