/* SPDX-License-Identifier: MIT */
/*
 * js_shape.cc - see js_shape.h. The layout (V8 7 to 11, 64 bits): a handle points to a word that
 * holds the object's address, plus 1; the object's first word is its hidden class, its second its properties: a
 * number, or an array of properties, or a hash table, whose first two fields behind class and length are
 * small integers (lowest bit 0): how many it has, how many were deleted. Its third word is the array of elements. In an array of
 * properties a value may stand there: that it looks like a changed count does no harm.
 */
#include "worker/js_shape.h"

#include <string.h>

#if !JS_V8_AT_LEAST(12, 0) && !defined(V8_COMPRESS_POINTERS) && UINTPTR_MAX == UINT64_MAX

static uintptr_t field(uintptr_t address, unsigned number)
{
    uintptr_t word;

    memcpy(&word, (const char *)(address - 1) + number * sizeof word, sizeof word);
    return word;
}

static bool is_small_integer(uintptr_t word)
{
    return (word & 1) == 0;
}

static uintptr_t address_of(const v8::Global<v8::Object> &object)
{
    uintptr_t address;

    memcpy(&address, *reinterpret_cast<const void *const *>(&object), sizeof address);
    return address;
}

static uintptr_t counts(uintptr_t address)
{
    uintptr_t properties = field(address, 1), present;

    if (is_small_integer(properties))
        return 0;
    /* Class, then length: the lower ten bits where it shares its word with a hash. An empty array may be the last there is in V8's
     * memory, with nothing mapped behind it; a table's length is never 0 or 1, modulo 1024. */
    if ((field(properties, 1) >> 32 & 0x3ff) < 2)
        return 0;
    present = field(properties, 2);
    return is_small_integer(present) ? present + (field(properties, 3) << 1) : 0;
}

/* True: what `change` does to the object can be seen. */
static bool sees(v8::Isolate *isolate, v8::Local<v8::Context> context, v8::Local<v8::Object> object,
                 const char *change)
{
    js_shape before;
    v8::Local<v8::Value> function;
    v8::Local<v8::Value> argument = object;
    v8::Local<v8::String> source;
    v8::Local<v8::Script> script;

    js_shape_take(isolate, object, &before);
    if (!js_shape_is_same(&before) || !v8::String::NewFromUtf8(isolate, change).ToLocal(&source) ||
        !v8::Script::Compile(context, source).ToLocal(&script) ||
        !script->Run(context).ToLocal(&function) || !function->IsFunction() ||
        function.As<v8::Function>()->Call(context, v8::Undefined(isolate), 1, &argument).IsEmpty())
        return false;
    return !js_shape_is_same(&before);
}

bool js_shape_works(v8::Isolate *isolate, v8::Local<v8::Context> context)
{
    v8::HandleScope handle_scope(isolate);
    v8::TryCatch caught(isolate);
    v8::Local<v8::Object> fast = v8::Object::New(isolate);
    v8::Local<v8::Object> table = v8::Object::New(isolate, v8::Null(isolate), nullptr, nullptr, 0);
    /* On the bundle's own global object: by a symbol, so that no global of its can be meant. */
    static const char set[] = "(o) => { o[Symbol.for('ssrd.shape')] = 1; }",
                      unset[] = "(o) => { delete o[Symbol.for('ssrd.shape')]; }";

    return sees(isolate, context, fast, "(o) => { o.a = 1; }") &&
           sees(isolate, context, fast, "(o) => { o[Symbol.iterator] = 1; }") &&
           sees(isolate, context, fast, "(o) => { o[5] = 1; }") &&
           sees(isolate, context, fast, "(o) => { Object.setPrototypeOf(o, null); }") &&
           sees(isolate, context, table, "(o) => { o.a = 1; o.b = 2; }") &&
           sees(isolate, context, table, "(o) => { delete o.a; }") &&
           sees(isolate, context, table, "(o) => { Object.defineProperty(o, 'c', {value: 1}); }") &&
           sees(isolate, context, context->Global(), set) &&
           sees(isolate, context, context->Global(), unset);
}

void js_shape_take(v8::Isolate *isolate, v8::Local<v8::Object> object, js_shape *ret_shape)
{
    v8::Local<v8::Context> context = isolate->GetCurrentContext();

    if (object == context->Global()) /* a proxy, which never changes */
        object = object->GetPrototype().As<v8::Object>();
    ret_shape->object.Reset(isolate, object);
    ret_shape->elements = field(address_of(ret_shape->object), 2);
    js_shape_retake(ret_shape);
}

void js_shape_retake(js_shape *shape)
{
    uintptr_t address = address_of(shape->object);

    shape->hidden_class = field(address, 0);
    shape->counts = counts(address);
}

bool js_shape_is_same(const js_shape *shape)
{
    uintptr_t address = address_of(shape->object);

    return field(address, 0) == shape->hidden_class && counts(address) == shape->counts &&
           field(address, 2) == shape->elements;
}

#else

bool js_shape_works(v8::Isolate *isolate, v8::Local<v8::Context> context)
{
    (void)isolate;
    (void)context;
    return false;
}

void js_shape_take(v8::Isolate *isolate, v8::Local<v8::Object> object, js_shape *ret_shape)
{
    ret_shape->object.Reset(isolate, object);
}

void js_shape_retake(js_shape *shape)
{
    (void)shape;
}

bool js_shape_is_same(const js_shape *shape)
{
    (void)shape;
    return false;
}

#endif
