/* SPDX-License-Identifier: MIT */
/*
 * js_context.cc - render.isolation = context: each render has a realm of its own, with the bundle loaded into it, and
 * nothing of it is left when the render is over. Realms are made ahead of need (js_prepare()); a render that
 * finds none ready makes its own. The realm whose JavaScript runs is the base of struct js, the others are parked:
 * those of open renders with them, that of entries without a render in `home`.
 */
#include "worker/js_render.h"

#include <errno.h>
#include <string.h>

#define SPARE_MAX 4u /* a burst of so many renders waits for none; each takes about a MiB */

void js_context_switch(js *js, js_open *render)
{
    js_open *to = render && render->has_realm ? render : nullptr;
    Realm &current = *js;

    if (js->realm_of == to)
        return;
    std::swap(current, js->realm_of ? js->realm_of->realm : js->home);
    std::swap(current, to ? to->realm : js->home);
    js->realm_of = to;
}

/* Like the first one: out of the snapshot, the polyfills configured, the bundle run. */
static int make(js *js, Realm *ret_realm, js_error **ret_error)
{
    Realm &current = *js;
    int error = -ENOMEM;

    js_context_switch(js, nullptr);
    std::swap(current, js->home);
    if (!js_realm_context(js))
        *ret_error = js_error_new("no memory for a realm", 21);
    else if (js_realm_open(js, ret_error))
        error = js_load_again(js, ret_error);
    std::swap(current, *ret_realm);
    std::swap(current, js->home);
    return error;
}

/* What a render without a realm comes to. */
static bool refuse(js_result *result, int error)
{
    result->outcome = error == -ETIME ? JS_TIMEOUT : JS_ERROR;
    return false;
}

bool js_context_take(js *js, js_open *render, js_result *result, js_error **ret_error)
{
    if (js->call.IsEmpty()) {
        *ret_error = js_error_new("no bundle is loaded", 19);
        return refuse(result, -EINVAL);
    }
    if (js->options.isolation != JS_CONTEXT)
        return true;
    js->cannot_prepare = false;
    if (js->spare.empty()) {
        Realm made;
        int error = make(js, &made, ret_error);

        if (error)
            return refuse(result, error);
        js->spare.push_back(std::move(made));
    }
    render->realm = std::move(js->spare.back());
    js->spare.pop_back();
    render->has_realm = true;
    js_context_switch(js, render);
    js_random_empty(js); /* it may have been made before a fork */
    return true;
}

void js_context_drop(js *js, js_open *render)
{
    if (!render->has_realm)
        return;
    js_context_switch(js, nullptr);
    render->has_realm = false;
    render->realm = Realm();
    (void)js->isolate->ContextDisposedNotification(false);
}

bool js_wants_realm(const struct js *js)
{
    return js->options.isolation == JS_CONTEXT && !js->bundle.name.empty() && !js->cannot_prepare &&
           js->spare.size() < SPARE_MAX;
}

void js_prepare(struct js *js)
{
    js_error *error = nullptr;
    Realm made;

    if (!js_wants_realm(js))
        return;
    if (make(js, &made, &error) == 0) {
        js->spare.push_back(std::move(made));
        return;
    }
    js->cannot_prepare = true; /* until a render has tried: its own error is then told */
    js_error_free(error);
}

void js_context_end(js *js)
{
    js_context_switch(js, nullptr);
    js->spare.clear();
    js->home = Realm();
    js->bundle.name.clear();
    js->bundle.is_module = false;
}
