/* SPDX-License-Identifier: MIT */
/* bundle_needs.c - see bundle_needs.h. */
#include "worker/bundle_needs.h"

#include "shm/base.h"

#include <string.h>

/* And HTML…Element, SVG…Element. */
static const char *const browser_names[] = {
    "window",
    "document",
    "location",
    "history",
    "localStorage",
    "sessionStorage",
    "screen",
    "customElements",
    "requestAnimationFrame",
    "cancelAnimationFrame",
    "requestIdleCallback",
    "cancelIdleCallback",
    "matchMedia",
    "getComputedStyle",
    "getSelection",
    "devicePixelRatio",
    "innerWidth",
    "innerHeight",
    "Image",
    "Audio",
    "Node",
    "Element",
    "Document",
    "DocumentFragment",
    "ShadowRoot",
    "Text",
    "Comment",
    "CharacterData",
    "Storage",
    "Location",
    "History",
    "MutationObserver",
    "ResizeObserver",
    "IntersectionObserver",
    "PerformanceObserver",
    "UIEvent",
    "MouseEvent",
    "KeyboardEvent",
    "FocusEvent",
    "InputEvent",
    "TouchEvent",
    "PointerEvent",
    "PopStateEvent",
    "WheelEvent",
    "DragEvent",
    "AnimationEvent",
    "TransitionEvent",
    "CustomElementRegistry",
    "NodeList",
    "HTMLCollection",
    "NamedNodeMap",
    "DOMTokenList",
    "NodeFilter",
    "Range",
    "Selection",
    "CSSStyleDeclaration",
    "CSSStyleSheet",
    "DOMParser",
    "XMLSerializer",
    "XPathEvaluator",
    "DOMRect",
    "DOMMatrix",
    "Path2D",
    "ImageData",
    "Option",
    "moveTo",
    "CSS",
    "alert",
    "parent",
    "top",
    "frames",
};

static bool is_element_class(const char *name, size_t bytes)
{
    return bytes >= 10 && (memcmp(name, "HTML", 4) == 0 || memcmp(name, "SVG", 3) == 0) &&
           memcmp(name + bytes - 7, "Element", 7) == 0;
}

const char *bundle_needs_browser(const char *message, size_t *ret_bytes)
{
    static const char before[] = "ReferenceError: ", after[] = " is not defined";
    const char *name = message + sizeof before - 1, *end;

    if (strncmp(message, before, sizeof before - 1) != 0)
        return NULL;
    end = strstr(name, after);
    if (!end || end[sizeof after - 1] != '\0')
        return NULL;
    size_t bytes = (size_t)(end - name);
    bool known = is_element_class(name, bytes);
    for (size_t i = 0; i < array_len(browser_names) && !known; i++)
        known = strlen(browser_names[i]) == bytes && memcmp(browser_names[i], name, bytes) == 0;
    if (!known)
        return NULL;
    *ret_bytes = bytes;
    return name;
}

bool bundle_may_need_browser(const char *message)
{
    return strncmp(message, "TypeError: ", 11) == 0;
}

bool bundle_mentions_browser(const char *text, size_t bytes)
{
    static const char *const names[] = {"window", "document", "navigator."};

    for (size_t i = 0; i < array_len(names); i++)
        if (memmem(text, bytes, names[i], strlen(names[i])))
            return true;
    return false;
}

bool bundle_needs_collections(const char *text, size_t bytes)
{
    static const char *const names[] = {
        ".union(",        ".difference(", ".intersection(", "symmetricDifference",
        "isDisjointFrom", "isSubsetOf",   "isSupersetOf",   "getOrInsert"};

    for (size_t i = 0; i < array_len(names); i++)
        if (memmem(text, bytes, names[i], strlen(names[i])))
            return true;
    return false;
}

/* "globalThis." and its like stand before `at`. */
static bool is_of_global(const char *text, const char *at)
{
    static const char *const globals[] = {"globalThis.", "global.", "self.", "window."};

    for (size_t i = 0; i < array_len(globals); i++) {
        size_t bytes = strlen(globals[i]);

        if ((size_t)(at - text) >= bytes && memcmp(at - bytes, globals[i], bytes) == 0)
            return true;
    }
    return false;
}

bool bundle_sets_location(const char *text, size_t bytes)
{
    static const char name[] = "location";
    const char *end = text + bytes, *at = text;

    while ((at = memmem(at, (size_t)(end - at), name, sizeof name - 1))) {
        const char *behind = at + sizeof name - 1;

        while (behind < end && *behind == ' ')
            behind++;
        if (end - behind >= 2 && behind[0] == '=' && behind[1] != '=' && is_of_global(text, at))
            return true;
        at += sizeof name - 1;
    }
    return false;
}
