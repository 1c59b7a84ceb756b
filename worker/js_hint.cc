// SPDX-License-Identifier: MIT
/*
 * js_hint.cc - what helps against the classic mistakes: a bundle built for something else, for newer engines, or not built at
 * all. By the message and the line, so a hint may be wrong; it stands below the error and never in its place.
 */
#include "worker/js_internal.h"

extern "C" {
#include "worker/bundle_needs.h"
}

#include <string.h>

#define BUILD_OLDER "this V8 knows ES2022: build for es2022 (chrome102)"
#define NO_JSON                                                                                    \
    "what was parsed is no JSON: of a fetch, look at response.ok and the content-type first"

/* What somebody's build was made for, by the name that is missing here: "ReferenceError: NAME is not defined". */
static const struct {
    const char *name; /* whole; ending in `*`: its beginning */
    const char *hint;
} missing[] = {
    {"document", "there is no browser here: read document in an effect or behind "
                 "`typeof document !== 'undefined'`"},
    {"window", "there is no browser here: read window in an effect or behind "
               "`typeof window !== 'undefined'`; globalThis is there everywhere"},
    {"location",
     "there is no browser here: the page's address is the first argument of renderPage"},
    {"createServer", "an Inertia server bundle: set gateway: [{protocol: inertia, listen: "
                     "127.0.0.1:13714}]"},
    {"module", "this is a CommonJS module: build with format esm or iife"},
    {"exports", "this is a CommonJS module: build with format esm or iife"},
    {"__dirname",
     "this is a CommonJS module of Node.js, and there are no files to read here: build "
     "with format esm and for the edge, and let the build put in what it reads"},
    {"__filename",
     "this is a CommonJS module of Node.js, and there are no files to read here: build "
     "with format esm and for the edge, and let the build put in what it reads"},
    {"define", "this is an AMD module: build with format esm or iife"},
    {"System", "this is a SystemJS module: build with format esm or iife"},
    {"Deno",
     "built for Deno: build for the edge (Cloudflare Workers), or with the framework's adapter "
     "for it"},
    {"Bun",
     "built for Bun: build for the edge (Cloudflare Workers), or with the framework's adapter "
     "for it"},
    {"EdgeRuntime", "built for Vercel's edge: guard it by `typeof EdgeRuntime`"},
    {"React",
     "compiled JSX that wants React in scope: import React, or build with the automatic JSX "
     "runtime (esbuild: --jsx=automatic)"},
    {"h", "compiled JSX that wants h in scope: import it, or build with the automatic JSX runtime "
          "(esbuild: --jsx=automatic)"},
    {"jQuery", "jQuery wants a browser: keep it out of the server's build"},
    {"$", "jQuery wants a browser: keep it out of the server's build"},
    {"__webpack_*", "a chunk of webpack without its runtime: build the server as one file "
                    "(target webworker, no splitChunks, no externals)"},
    {"__DEV__", "a constant that the build is to put in: define it there (esbuild: "
                "--define:__DEV__=false)"},
    {"__VUE_*", "a constant that the build is to put in: define it there (Vue's feature flags)"},
    {"__vite_*", "a module of Vite's development server: serve what `vite build --ssr` made"},
};

static const struct {
    const char *sign;
    const char *hint;
} classics[] = {
    {"navigator.", "there is no browser here: read navigator in an effect"},
    {"Dynamic require of", "bundle everything into one file: build with platform neutral or "
                           "browser, not node"},
    {"is not available here", "build for the edge (platform neutral or browser, conditions worker, "
                              "import, module, production), not for Node.js"},
    {"is a package, and only files", "let the build bundle it"},
    {"Cannot use import statement outside a module",
     "this is an ES module: leave bundle.format at auto, or set it to module"},
    {"Unexpected token 'export'",
     "this is an ES module: leave bundle.format at auto, or set it to module"},
    {"Cannot use 'import.meta' outside a module",
     "this is an ES module: leave bundle.format at auto, or set it to module"},
    {"await is only valid in async functions",
     "a top-level await is for ES modules: build with format esm, or leave bundle.format at auto"},
    {"Invalid regular expression flags", "if it is the flag v: " BUILD_OLDER},
    {"Duplicate capture group name", "groups of one name in a regular expression: " BUILD_OLDER},
    {"Invalid group", "modifiers such as (?i:x) in a regular expression: " BUILD_OLDER},
    {"Unexpected token 'with'",
     "import attributes: " BUILD_OLDER ", or let the build bundle what is imported"},
    {"Unexpected end of input", "is the file whole? A build may still be writing it"},
    {"in JSON at position", NO_JSON},
    {"is not valid JSON", NO_JSON},
    {"Unexpected end of JSON input", NO_JSON},
    {"Maximum call stack size exceeded", "a component renders itself, or data refers to itself"},
};

static const char *hint_for_missing(const std::string &message)
{
    const std::string before = "ReferenceError: ", after = " is not defined";

    if (message.size() <= before.size() + after.size() ||
        message.compare(0, before.size(), before) != 0 ||
        message.compare(message.size() - after.size(), after.size(), after) != 0)
        return nullptr;
    size_t bytes = 0;
    std::string name = message.substr(before.size(), message.size() - before.size() - after.size());

    for (const auto &row : missing) {
        size_t row_bytes = strlen(row.name) - 1;
        bool is_start = row.name[row_bytes] == '*';

        if (is_start ? name.compare(0, row_bytes, row.name, row_bytes) == 0 : name == row.name)
            return row.hint;
    }
    if (bundle_needs_browser(message.c_str(), &bytes))
        return "there is no browser here: read it in an effect, or behind a `typeof`";
    return nullptr;
}

/* ---- syntax ---- */

static bool begins(const std::string &text, const char *with)
{
    return text.compare(0, strlen(with), with) == 0;
}

static bool ends(const std::string &text, const char *with)
{
    size_t bytes = strlen(with);

    return text.size() >= bytes && text.compare(text.size() - bytes, bytes, with) == 0;
}

static bool has(const std::string &text, const char *what)
{
    return text.find(what) != std::string::npos;
}

/* TypeScript, by what a line of it begins with, or by what stands in one that V8 stumbles over. */
static bool is_typescript(const std::string &message, const std::string &file, std::string line)
{
    static const char *const files[] = {".ts", ".tsx", ".mts", ".cts"};
    static const char *const starts[] = {"interface ", "type ",       "enum ",     "namespace ",
                                         "declare ",   "const enum ", "abstract ", "import type "};
    static const char *const stumbles[] = {
        "Unexpected token ':'",  "Unexpected token '!'", "Unexpected token '?'",
        "Unexpected identifier", "Missing initializer",  "Unexpected strict mode reserved word"};
    static const char *const marks[] = {
        ": string",   ":string", ": number",    ":number",    ": boolean", ":boolean",
        ": any",      ":any",    ": unknown",   ": void",     ": never",   ": Record<",
        ": Promise<", " as ",    "private ",    "protected ", "public ",   "readonly ",
        "?: ",        "): ",     " satisfies ", "!.",         ": React."};
    bool is_stumble = false, is_marked = false;

    for (const char *name : files)
        if (ends(file, name))
            return true;
    line.erase(0, line.find_first_not_of(" \t"));
    if (begins(line, "export "))
        line.erase(0, strlen("export "));
    for (const char *start : starts)
        if (begins(line, start))
            return true;
    for (const char *what : stumbles)
        is_stumble = is_stumble || has(message, what);
    for (const char *mark : marks)
        is_marked = is_marked || has(line, mark);
    return is_stumble && is_marked;
}

/* No JavaScript at all, or not yet. */
static const char *hint_for_other_languages(const std::string &message, const std::string &file,
                                            const std::string &source)
{
    size_t at = source.find_first_not_of(" \t");
    std::string line = at == std::string::npos ? "" : source.substr(at);

    if (!begins(message, "SyntaxError: ") || line.empty())
        return nullptr;
    if (begins(line, "<!") || begins(line, "<html"))
        return "this is an HTML page: bundle.path names the server's JavaScript, bundle.template "
               "the "
               "page";
    if (ends(file, ".json") || (begins(line, "{") && has(line, "\":") &&
                                begins(message, "SyntaxError: Unexpected token ':'")))
        return "this is JSON: bundle.path names the JavaScript itself";
    if (is_typescript(message, file, line))
        return "TypeScript is left in it: let the build compile it (esbuild --bundle, or vite "
               "build "
               "--ssr), and name what it wrote";
    if (message == "SyntaxError: Unexpected token '<'")
        return "JSX is left in it: let the build compile it (esbuild: --jsx=automatic and "
               "--loader:.js=jsx; Vite: the framework's plugin), and name what it wrote";
    if (message == "SyntaxError: Unexpected reserved word" && has(line, "await"))
        return "await in a function that is not async";
    return nullptr;
}

static const char *hint_for_newer(const std::string &message, const std::string &source)
{
    if (!begins(message, "SyntaxError"))
        return "";
    if (has(source, "using "))
        return "a declaration with `using`: " BUILD_OLDER;
    if (has(source, "@"))
        return "a decorator: " BUILD_OLDER;
    if (has(message, "regular expression"))
        return "if it is valid in newer engines: " BUILD_OLDER;
    return "";
}

const char *js_hint(const std::string &message, const std::string &file, const std::string &source)
{
    const char *hint = hint_for_missing(message);

    if (!hint)
        hint = hint_for_other_languages(message, file, source);
    if (hint)
        return hint;
    if (begins(message, "TypeError: Cannot read properties of undefined") &&
        has(source, "import.meta.env"))
        return "import.meta.env is what Vite's build puts in: serve what `vite build --ssr` made, "
               "or "
               "define it";
    for (const auto &classic : classics)
        if (has(message, classic.sign))
            return classic.hint;
    return hint_for_newer(message, source);
}
