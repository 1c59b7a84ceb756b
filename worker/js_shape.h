/* SPDX-License-Identifier: MIT */
/*
 * js_shape.h - has an object gained, lost or reconfigured a property, or its prototype changed, since it
 * was looked at last? Some nanoseconds an object, where Object.keys() takes ten and misses what is
 * not enumerable.
 *
 * V8 has no call for it, so this reads what V8 itself decides by: the hidden class (any of those changes
 * gives an object another one), and where properties stand in a hash table, which keeps its
 * class, the table's counts. js_shape_works() tries on the running V8 whether that holds; where it does not
 * (another layout, compressed pointers), nobody may rely on js_shape_is_same().
 * Values are not looked at. A garbage collection may make a shape look changed, never the reverse.
 */
#ifndef SSRD_WORKER_JS_SHAPE_H
#define SSRD_WORKER_JS_SHAPE_H

#include "worker/js_v8.h"

#include <stdint.h>

struct js_shape {
    v8::Global<v8::Object> object;
    uintptr_t hidden_class;
    uintptr_t counts;   /* of a hash table: what is in it, what was deleted */
    uintptr_t elements; /* where properties stand that are numbers */
};

bool js_shape_works(v8::Isolate *isolate, v8::Local<v8::Context> context);

/* Look at it from now on. The global object stands for the one behind it that has the properties. */
void js_shape_take(v8::Isolate *isolate, v8::Local<v8::Object> object, js_shape *ret_shape);
/* As it is now. But who has been given a number as a property stays changed for ever: what comes into
 * the same array of elements later could not be seen. */
void js_shape_retake(js_shape *shape);
bool js_shape_is_same(const js_shape *shape);

#endif
