/* SPDX-License-Identifier: MIT */
/*
 * js_modules.cc - ES modules: files by name, `node:` names from polyfills/node.js, static imports
 * and import(). All files of a graph are compiled before any of it runs. Names are paths, relative
 * as the bundle's own, normalised by text alone. Each module exists once. HTML, section 8.1.6.
 */
#include "worker/js_internal.h"

#include <string.h>

#define FILE_URL "file://"

/* What an import leads to. */
struct Target {
    std::string name;
    v8::Local<v8::Object> exports; /* of a module that is no file; else empty */
};

static void throw_error(v8::Isolate *isolate, const std::string &text)
{
    isolate->ThrowException(v8::Exception::Error(js_string(isolate, text.data(), text.size())));
}

/* ---- names ---- */

static bool starts_with(const std::string &text, const char *with)
{
    return text.compare(0, strlen(with), with) == 0;
}

/* "dist/./a//../b.js" -> "dist/b.js"; ".." that lead out of a relative path stay. */
static std::string normalise(const std::string &path)
{
    bool absolute = !path.empty() && path[0] == '/';
    std::vector<std::string> parts;
    std::string whole;

    for (size_t at = 0; at <= path.size();) {
        size_t end = path.find('/', at);
        if (end == std::string::npos)
            end = path.size();
        std::string part = path.substr(at, end - at);
        at = end + 1;
        if (part.empty() || part == ".")
            continue;
        if (part != "..")
            parts.push_back(part);
        else if (!parts.empty() && parts.back() != "..")
            parts.pop_back();
        else if (!absolute)
            parts.push_back(part);
    }
    for (const std::string &part : parts)
        whole += (whole.empty() && !absolute ? "" : "/") + part;
    return whole;
}

/* URL Standard, section 1.3, "path percent-encode set", and the backslash. */
static std::string file_url(const Modules &modules, const std::string &name)
{
    std::string path = name[0] == '/' ? name : modules.folder + "/" + name;
    std::string url = FILE_URL;

    path = normalise(path);
    for (char c : path) {
        char hex[4];

        if ((uint8_t)c > 0x20 && (uint8_t)c < 0x7f && !strchr("\"#<>?`{}%\\", c)) {
            url += c;
            continue;
        }
        (void)snprintf(hex, sizeof hex, "%%%02X", (uint8_t)c);
        url += hex;
    }
    return url;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Specifiers are URLs: "./caf%C3%A9.js?v=1#x" is the file "./café.js". */
static std::string file_path(const std::string &specifier)
{
    size_t start = starts_with(specifier, FILE_URL) ? strlen(FILE_URL) : 0;
    std::string path;

    for (size_t i = start; i < specifier.size() && specifier[i] != '?' && specifier[i] != '#';
         i++) {
        if (specifier[i] == '%' && i + 2 < specifier.size() && hex_digit(specifier[i + 1]) >= 0 &&
            hex_digit(specifier[i + 2]) >= 0) {
            path += (char)(hex_digit(specifier[i + 1]) << 4 | hex_digit(specifier[i + 2]));
            i += 2;
        } else {
            path += specifier[i];
        }
    }
    return path;
}

static bool is_path(const std::string &specifier)
{
    return starts_with(specifier, "./") || starts_with(specifier, "../") ||
           starts_with(specifier, "/") || starts_with(specifier, FILE_URL) || specifier == "." ||
           specifier == "..";
}

/* native.builtin(specifier, importer) -> exports, or throws what is wrong. */
static bool find_builtin(js *js, v8::Local<v8::Context> context, const std::string &specifier,
                         const std::string &importer, Target *ret)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> finder, exports;
    v8::Local<v8::Value> arguments[] = {js_string(isolate, specifier.data(), specifier.size()),
                                        js_string(isolate, importer.data(), importer.size())};

    if (!js->native.Get(isolate)->Get(context, js_name(isolate, "builtin")).ToLocal(&finder) ||
        !finder->IsFunction() ||
        !finder.As<v8::Function>()
             ->Call(context, v8::Undefined(isolate), 2, arguments)
             .ToLocal(&exports))
        return false;
    if (!exports->IsObject()) {
        throw_error(isolate, "\"" + specifier + "\" gave no exports");
        return false;
    }
    ret->name = specifier; /* "fs" and "node:fs" are two modules with the same exports */
    ret->exports = exports.As<v8::Object>();
    return true;
}

/* False: an exception was thrown. */
static bool resolve(js *js, v8::Local<v8::Context> context, const std::string &specifier,
                    const std::string &importer, Target *ret)
{
    if (!is_path(specifier))
        return find_builtin(js, context, specifier, importer, ret);
    std::string path = file_path(specifier);
    size_t slash = importer.rfind('/');
    if (path.empty() || path[0] != '/')
        path = (slash == std::string::npos ? "" : importer.substr(0, slash + 1)) + path;
    ret->name = normalise(path);
    return true;
}

/* ---- texts ---- */

static const js_file *find_file(const Modules &modules, const std::string &name)
{
    size_t low = 0, high = modules.file_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name.c_str(), modules.file[middle].name);

        if (order == 0)
            return &modules.file[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return nullptr;
}

/* One that the master has not read with the bundle. */
static bool read_text(js *js, const std::string &name, const std::string &specifier,
                      const std::string &importer, v8::Local<v8::String> *ret)
{
    const Modules &modules = js->modules;
    size_t bytes = 0;
    char *text = modules.read_file ? modules.read_file(modules.arg, name.c_str(), &bytes) : nullptr;
    if (!text) {
        throw_error(js->isolate,
                    "can't find \"" + specifier + "\" (" + name + "), imported by " + importer);
        return false;
    }
    *ret = js_string(js->isolate, text, bytes);
    free(text);
    return true;
}

/* ---- modules ---- */

static const std::string *name_of(const Modules &modules, v8::Isolate *isolate,
                                  v8::Local<v8::Module> module)
{
    auto range = modules.names.equal_range(module->GetIdentityHash());

    for (auto at = range.first; at != range.second; at++) {
        auto found = modules.loaded.find(at->second);
        if (found != modules.loaded.end() && found->second.Get(isolate) == module)
            return &at->second;
    }
    return nullptr;
}

static void keep(js *js, const std::string &name, v8::Local<v8::Module> module)
{
    js->modules.loaded[name].Reset(js->isolate, module);
    js->modules.names.emplace(module->GetIdentityHash(), name);
}

static v8::MaybeLocal<v8::Value> settled(v8::Local<v8::Context> context)
{
    v8::Local<v8::Promise::Resolver> resolver;

    if (!v8::Promise::Resolver::New(context).ToLocal(&resolver) ||
        resolver->Resolve(context, v8::Undefined(v8::Isolate::GetCurrent())).IsNothing())
        return {};
    return resolver->GetPromise();
}

/*
 * A module that is no source text: its exports, by name, are held from the moment it is made, because
 * V8 ends the process when the steps of its evaluation fail without an exception of their own.
 */
static v8::MaybeLocal<v8::Value> fill(v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = js_of(isolate);
    const std::string *name = name_of(js->modules, isolate, module);
    v8::Local<v8::Object> held = v8::Object::New(isolate);
    v8::Local<v8::Array> keys;

    if (name)
        held = js->modules.exports[*name].Get(isolate);
    if (held->GetOwnPropertyNames(context).ToLocal(&keys)) {
        for (uint32_t i = 0; i < keys->Length(); i++) {
            v8::Local<v8::Value> key, value;

            if (keys->Get(context, i).ToLocal(&key) && held->Get(context, key).ToLocal(&value))
                (void)module->SetSyntheticModuleExport(isolate, key.As<v8::String>(), value)
                    .FromMaybe(false);
        }
    }
    return settled(context);
}

static v8::MaybeLocal<v8::Module> make_synthetic(js *js, v8::Local<v8::Context> context,
                                                 const std::string &name,
                                                 v8::Local<v8::Object> exports)
{
    v8::Isolate *isolate = js->isolate;
    std::vector<v8::Local<v8::String>> names;
    v8::Local<v8::Array> keys;

    if (!exports->GetOwnPropertyNames(context).ToLocal(&keys))
        return {};
    for (uint32_t i = 0; i < keys->Length(); i++) {
        v8::Local<v8::Value> key;

        if (keys->Get(context, i).ToLocal(&key))
            names.push_back(key.As<v8::String>());
    }
    v8::Local<v8::Module> module =
        js_v8_synthetic(isolate, js_string(isolate, name.data(), name.size()), names, fill);
    js->modules.exports[name].Reset(isolate, exports);
    keep(js, name, module);
    return module;
}

/* The properties of what a built-in module gives, by name and whole as `default`; getters run now. */
static v8::MaybeLocal<v8::Module> make_builtin(js *js, v8::Local<v8::Context> context,
                                               const Target &target)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Object> held = v8::Object::New(isolate);
    v8::Local<v8::Value> whole = target.exports;
    v8::Local<v8::Array> keys;

    if (!target.exports->GetOwnPropertyNames(context).ToLocal(&keys))
        return {};
    for (uint32_t i = 0; i < keys->Length(); i++) {
        v8::Local<v8::Value> key, value;

        if (!keys->Get(context, i).ToLocal(&key) ||
            !target.exports->Get(context, key).ToLocal(&value))
            return {};
        if (!key->IsString())
            continue;
        if (key->StrictEquals(js_name(isolate, "default")))
            whole = value;
        else if (!held->CreateDataProperty(context, key.As<v8::String>(), value).FromMaybe(false))
            return {};
    }
    if (!held->CreateDataProperty(context, js_name(isolate, "default"), whole).FromMaybe(false))
        return {};
    return make_synthetic(js, context, target.name, held);
}

static v8::MaybeLocal<v8::Module> make_json(js *js, v8::Local<v8::Context> context,
                                            const std::string &name, v8::Local<v8::String> text)
{
    v8::Local<v8::Object> held = v8::Object::New(js->isolate);
    v8::Local<v8::Value> value;

    if (!v8::JSON::Parse(context, text).ToLocal(&value) ||
        !held->CreateDataProperty(context, js_name(js->isolate, "default"), value).FromMaybe(false))
        return {};
    return make_synthetic(js, context, name, held);
}

static bool is_json(const std::string &name)
{
    return name.size() > 5 && name.compare(name.size() - 5, 5, ".json") == 0;
}

/* Of the bundle's own files: V8 may have compiled it before. */
static v8::MaybeLocal<v8::Module> compile_own(js *js, const std::string &name, const char *text,
                                              size_t bytes)
{
    v8::Local<v8::Module> module;

    if (!js_code_module(js, name.c_str(), text, bytes).ToLocal(&module))
        return {};
    keep(js, name, module);
    return module;
}

static v8::MaybeLocal<v8::Module> compile(js *js, const std::string &name,
                                          v8::Local<v8::String> text)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::Value> resource = js_string(isolate, name.data(), name.size());
    v8::ScriptCompiler::Source source(text, js_v8_module_origin(isolate, resource));
    v8::Local<v8::Module> module;

    if (!v8::ScriptCompiler::CompileModule(isolate, &source).ToLocal(&module))
        return {};
    keep(js, name, module);
    return module;
}

/* The file, JSON or built-in that a specifier means, loaded if it is not; not yet linked. */
static v8::MaybeLocal<v8::Module> obtain(js *js, v8::Local<v8::Context> context,
                                         const std::string &specifier, const std::string &importer,
                                         bool *ret_is_new)
{
    v8::Isolate *isolate = js->isolate;
    v8::Local<v8::String> text;
    Target target;

    *ret_is_new = false;
    if (!resolve(js, context, specifier, importer, &target))
        return {};
    auto known = js->modules.loaded.find(target.name);
    if (known != js->modules.loaded.end())
        return known->second.Get(isolate);
    if (!target.exports.IsEmpty())
        return make_builtin(js, context, target);
    const js_file *file = find_file(js->modules, target.name);
    bool is_code = !is_json(target.name);
    *ret_is_new = is_code;
    if (file && is_code)
        return compile_own(js, target.name, file->text, file->bytes);
    if (file)
        text = js_string(isolate, file->text, file->bytes);
    else if (!read_text(js, target.name, specifier, importer, &text))
        return {};
    return is_code ? compile(js, target.name, text) : make_json(js, context, target.name, text);
}

/* For errors that V8 gives no position: the import in its file. */
static void note_import(js *js, const std::string &importer, v8::Local<v8::Module> module,
                        v8::Local<v8::ModuleRequest> request)
{
    v8::Location at = module->SourceOffsetToLocation(request->GetSourceOffset());

    js->modules.failed_in = importer;
    js->modules.failed_line = (uint32_t)at.GetLineNumber() + 1;
    js->modules.failed_column = (uint32_t)at.GetColumnNumber() + 1;
}

/* All that the module imports, and what that imports: without recursion, graphs may be deep. On
 * failure nothing loaded by this call is kept. */
static bool load_graph(js *js, v8::Local<v8::Context> context, v8::Local<v8::Module> root)
{
    std::vector<v8::Local<v8::Module>> open = {root};

    while (!open.empty()) {
        v8::Local<v8::Module> module = open.back();
        const std::string *name = name_of(js->modules, js->isolate, module);

        open.pop_back();
        if (!name || !module->IsSourceTextModule())
            continue;
        std::string importer = *name;
        v8::Local<v8::FixedArray> requests = module->GetModuleRequests();
        for (int i = 0; i < requests->Length(); i++) {
            v8::Local<v8::ModuleRequest> request =
                requests->Get(context, i).As<v8::ModuleRequest>();
            std::string specifier = js_std_string(js->isolate, request->GetSpecifier());
            v8::Local<v8::Module> imported;
            bool is_new;

            size_t before = js->modules.loaded.size();
            if (!obtain(js, context, specifier, importer, &is_new).ToLocal(&imported)) {
                if (before == js->modules.loaded.size())
                    note_import(js, importer, module, request);
                return false;
            }
            if (is_new)
                open.push_back(imported);
        }
    }
    return true;
}

static v8::MaybeLocal<v8::Module> link(v8::Local<v8::Context> context,
                                       v8::Local<v8::String> specifier,
                                       v8::Local<v8::FixedArray> assertions,
                                       v8::Local<v8::Module> referrer)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = js_of(isolate);
    const std::string *importer = name_of(js->modules, isolate, referrer);
    bool is_new;

    (void)assertions;
    if (!importer) {
        throw_error(isolate, "an import from a module that is not known");
        return {};
    }
    return obtain(js, context, js_std_string(isolate, specifier), *importer, &is_new);
}

/* A failed load must not leave halves: the next import() of it begins anew, or finds the error. */
static void forget_unlinked(js *js)
{
    Modules &modules = js->modules;

    for (auto at = modules.loaded.begin(); at != modules.loaded.end();) {
        v8::Local<v8::Module> module = at->second.Get(js->isolate);

        if (module->GetStatus() != v8::Module::kUninstantiated) {
            at++;
            continue;
        }
        auto range = modules.names.equal_range(module->GetIdentityHash());
        for (auto name = range.first; name != range.second; name++) {
            if (name->second == at->first) {
                modules.names.erase(name);
                break;
            }
        }
        at = modules.loaded.erase(at);
    }
}

static bool prepare(js *js, v8::Local<v8::Context> context, v8::Local<v8::Module> module)
{
    if (module->GetStatus() != v8::Module::kUninstantiated)
        return true;
    if (load_graph(js, context, module) &&
        module->InstantiateModule(context, link).FromMaybe(false))
        return true;
    forget_unlinked(js);
    return false;
}

v8::MaybeLocal<v8::Promise> js_modules_run(js *js, v8::Local<v8::Context> context,
                                           v8::Local<v8::Module> module)
{
    v8::Local<v8::Value> value;

    if (!prepare(js, context, module) || !module->Evaluate(context).ToLocal(&value) ||
        !value->IsPromise())
        return {};
    return value.As<v8::Promise>();
}

/* ---- import() and import.meta ---- */

static void give_data(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    info.GetReturnValue().Set(info.Data());
}

static v8::MaybeLocal<v8::Promise> import_now(js *js, v8::Local<v8::Context> context,
                                              const std::string &specifier,
                                              const std::string &importer)
{
    v8::Local<v8::Module> module;
    v8::Local<v8::Promise> done;
    v8::Local<v8::Function> give;
    bool is_new;

    if (!obtain(js, context, specifier, importer, &is_new).ToLocal(&module) ||
        !js_modules_run(js, context, module).ToLocal(&done) ||
        !v8::Function::New(context, give_data, module->GetModuleNamespace(), 0,
                           v8::ConstructorBehavior::kThrow)
             .ToLocal(&give))
        return {};
    return done->Then(context, give);
}

static v8::MaybeLocal<v8::Promise> import_dynamically(v8::Local<v8::Context> context,
                                                      v8::Local<v8::Data> options,
                                                      v8::Local<v8::Value> resource,
                                                      v8::Local<v8::String> specifier,
                                                      v8::Local<v8::FixedArray> assertions)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = js_of(isolate);
    v8::Local<v8::Promise::Resolver> resolver;
    v8::Local<v8::Promise> promise;

    (void)options;
    (void)assertions;
    v8::TryCatch caught(isolate);
    std::string importer = resource->IsString() ? js_std_string(isolate, resource) : "";
    if (importer.empty())
        importer = js->modules.entry; /* code made by new Function */
    if (import_now(js, context, js_std_string(isolate, specifier), importer).ToLocal(&promise))
        return promise;
    if (!caught.CanContinue() || !v8::Promise::Resolver::New(context).ToLocal(&resolver)) {
        caught.ReThrow();
        return {};
    }
    v8::Local<v8::Value> reason = caught.Exception();
    caught.Reset();
    if (resolver->Reject(context, reason).IsNothing())
        return {};
    return resolver->GetPromise();
}

/* HTML, section 8.1.6.7.3, HostGetImportMetaProperties; filename and dirname as in Node.js. */
static void describe_module(v8::Local<v8::Context> context, v8::Local<v8::Module> module,
                            v8::Local<v8::Object> meta)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    js *js = js_of(isolate);
    const std::string *name = name_of(js->modules, isolate, module);

    if (!name)
        return;
    std::string path = normalise((*name)[0] == '/' ? *name : js->modules.folder + "/" + *name);
    std::string folder = path.substr(0, path.rfind('/'));
    const std::pair<const char *, std::string> properties[] = {
        {"url", file_url(js->modules, *name)}, {"filename", path}, {"dirname", folder}};
    for (const auto &property : properties)
        (void)meta
            ->CreateDataProperty(context, js_name(isolate, property.first),
                                 js_string(isolate, property.second.data(), property.second.size()))
            .FromMaybe(false);
}

/* ---- the bundle ---- */

void js_modules_open(js *js, const js_bundle *bundle)
{
    Modules *modules = &js->modules;

    modules->entry = normalise(bundle->name);
    modules->folder = bundle->folder ? bundle->folder : "";
    modules->file = bundle->file;
    modules->file_count = bundle->file_count;
    modules->read_file = bundle->read_file;
    modules->arg = bundle->arg;
    modules->failed_line = 0;
    js->isolate->SetHostImportModuleDynamicallyCallback(import_dynamically);
    js->isolate->SetHostInitializeImportMetaObjectCallback(describe_module);
}

v8::MaybeLocal<v8::Module> js_modules_entry(js *js, v8::Local<v8::Context> context,
                                            const js_bundle *bundle)
{
    (void)context;
    return compile_own(js, js->modules.entry, bundle->source, bundle->source_bytes);
}

void js_modules_position(js *js, js_error *error)
{
    const Modules &modules = js->modules;
    bool is_import = modules.failed_line > 0;

    if (error->line > 0)
        return;
    free(error->file);
    error->file = strdup((is_import ? modules.failed_in : modules.entry).c_str());
    if (!error->file)
        abort();
    error->line = is_import ? modules.failed_line : 0;
    error->column = is_import ? modules.failed_column : 0;
}

void js_modules_close(js *js)
{
    js->modules.loaded.clear();
    js->modules.exports.clear();
    js->modules.names.clear();
}
