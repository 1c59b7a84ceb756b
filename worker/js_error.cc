/* SPDX-License-Identifier: MIT */
/*
 * js_error.cc - exceptions of JavaScript as people need them: message, position, source line,
 * stack, and what to do about the classic mistakes. Reading them may run JavaScript (getters):
 * every read stands in a TryCatch of its own.
 */
#include "worker/js_internal.h"

#include <string.h>

#define SOURCE_LINE_CHARS 200
#define STACK_FRAMES 20

/* Scripts of ours are named so; positions in them help nobody. */
#define OUR_SCRIPTS "ssr:"

static char *copy(const char *text, size_t bytes)
{
    char *to = static_cast<char *>(malloc(bytes + 1));

    if (!to)
        abort();
    if (bytes)
        memcpy(to, text, bytes);
    to[bytes] = 0;
    return to;
}

static void set(char **field, const std::string &text)
{
    free(*field);
    *field = copy(text.data(), text.size());
}

js_error *js_error_new(const char *message, size_t bytes)
{
    js_error *error = static_cast<js_error *>(calloc(1, sizeof *error));

    if (!error)
        abort();
    error->message = copy(message, bytes);
    error->file = copy("", 0);
    error->source = copy("", 0);
    error->stack = copy("", 0);
    error->hint = copy("", 0);
    error->frame = copy("", 0);
    return error;
}

void js_error_free(struct js_error *error)
{
    if (!error)
        return;
    free(error->message);
    free(error->file);
    free(error->source);
    free(error->stack);
    free(error->hint);
    free(error->frame);
    free(error);
}

/* Frames as V8 writes them, without the prefix of lines that ours would add at the end. */
static std::string frames_text(v8::Isolate *isolate, v8::Local<v8::StackTrace> trace)
{
    std::string text;

    for (int i = 0; !trace.IsEmpty() && i < trace->GetFrameCount(); i++) {
        v8::Local<v8::StackFrame> frame = trace->GetFrame(isolate, (uint32_t)i);
        std::string file = js_std_string(isolate, frame->GetScriptName());
        std::string function = js_std_string(isolate, frame->GetFunctionName());
        std::string at = file + ":" + std::to_string(frame->GetLineNumber()) + ":" +
                         std::to_string(frame->GetColumn());

        if (file.compare(0, strlen(OUR_SCRIPTS), OUR_SCRIPTS) == 0)
            continue;
        text += text.empty() ? "" : "\n";
        text += "    at " + (function.empty() ? at : function + " (" + at + ")");
    }
    return text;
}

/* The first frame of the bundle. */
static void set_position(js_error *error, v8::Isolate *isolate, v8::Local<v8::StackTrace> trace)
{
    for (int i = 0; !trace.IsEmpty() && i < trace->GetFrameCount(); i++) {
        v8::Local<v8::StackFrame> frame = trace->GetFrame(isolate, (uint32_t)i);
        std::string file = js_std_string(isolate, frame->GetScriptName());

        if (file.empty() || file.compare(0, strlen(OUR_SCRIPTS), OUR_SCRIPTS) == 0)
            continue;
        set(&error->file, file);
        error->line = (uint32_t)frame->GetLineNumber();
        error->column = (uint32_t)frame->GetColumn();
        return;
    }
}

js_error *js_error_here(v8::Isolate *isolate, const char *message)
{
    js_error *error = js_error_new(message, strlen(message));
    v8::Local<v8::StackTrace> trace = v8::StackTrace::CurrentStackTrace(isolate, STACK_FRAMES);

    set_position(error, isolate, trace);
    set(&error->stack, frames_text(isolate, trace));
    return error;
}

/* Bundles are often one line of 200 kB: a window around the column. */
static std::string source_window(const std::string &line, uint32_t column)
{
    size_t start = 0;

    if (line.size() > SOURCE_LINE_CHARS && column > SOURCE_LINE_CHARS / 2)
        start = column - SOURCE_LINE_CHARS / 2;
    if (start >= line.size())
        start = 0;
    while (start < line.size() && ((uint8_t)line[start] & 0xc0) == 0x80)
        start++;
    std::string window = line.substr(start, SOURCE_LINE_CHARS);
    size_t tail = utf8_open_tail((const uint8_t *)window.data(), window.size());
    window.resize(window.size() - tail);
    return window;
}

static std::string property(v8::Local<v8::Context> context, v8::Local<v8::Value> object,
                            const char *name)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::TryCatch quiet(isolate);
    v8::Local<v8::Value> value;

    if (js_stopped(js_of(isolate)) || /* a second getter that loops would not be stopped again */
        !object->IsObject() ||
        !object.As<v8::Object>()->Get(context, js_name(isolate, name)).ToLocal(&value))
        return std::string();
    return js_std_string(isolate, value);
}

static const char *type_name(v8::Local<v8::Value> value)
{
    if (value->IsString())
        return "a string";
    if (value->IsNumber() || value->IsBigInt())
        return "a number";
    if (value->IsBoolean())
        return "a boolean";
    if (value->IsSymbol())
        return "a symbol";
    if (value->IsFunction())
        return "a function";
    return "an object";
}

/* "threw undefined", "rejected with a string: no such page", "threw an object: [object Object]" */
static std::string describe_other(v8::Local<v8::Context> context, v8::Local<v8::Value> value,
                                  const char *verb)
{
    v8::Isolate *isolate = v8::Isolate::GetCurrent();
    v8::TryCatch quiet(isolate);
    v8::Local<v8::String> text;
    std::string what;

    if (value.IsEmpty())
        return std::string(verb) + " something unknown";
    if (js_stopped(js_of(isolate)) || !value->ToDetailString(context).ToLocal(&text))
        return std::string(verb) + " " + type_name(value);
    what = js_std_string(isolate, text);
    if (value->IsNullOrUndefined())
        return std::string(verb) + " " + what;
    return std::string(verb) + " " + type_name(value) + ": " + what;
}

static std::string message_text(v8::Isolate *isolate, v8::Local<v8::Context> context,
                                v8::Local<v8::Value> reason, v8::Local<v8::Message> message,
                                const char *verb)
{
    if (!reason.IsEmpty() && reason->IsNativeError() && !message.IsEmpty()) {
        std::string text = js_std_string(isolate, message->Get());
        return text.compare(0, 9, "Uncaught ") == 0 ? text.substr(9) : text;
    }
    std::string own = reason.IsEmpty() ? "" : property(context, reason, "message");
    if (own.empty())
        return describe_other(context, reason, verb);
    std::string name = property(context, reason, "name"); /* DOMException and the like */
    return (name.empty() ? std::string("Error") : name) + ": " + own;
}

/* Without the frames of our own scripts. */
static std::string clean_stack(const std::string &stack)
{
    std::string text;

    for (size_t at = 0; at < stack.size();) {
        size_t end = stack.find('\n', at);
        std::string line = stack.substr(at, end == std::string::npos ? end : end - at);

        if (line.find("(" OUR_SCRIPTS) == std::string::npos &&
            line.find("at " OUR_SCRIPTS) == std::string::npos)
            text += (text.empty() ? "" : "\n") + line;
        at = end == std::string::npos ? stack.size() : end + 1;
    }
    return text.find('\n') == std::string::npos ? "" : text; /* the message alone is no stack */
}

/* V8 has no position for the reason of some promises, but the stack that the error was made with
 * begins with one: "    at f (file.js:2:7)". */
static void set_from_stack(js_error *error, const std::string &stack)
{
    size_t at = stack.find("\n    at ");
    if (at == std::string::npos)
        return;
    std::string frame = stack.substr(at + 8, stack.find('\n', at + 8) - at - 8);
    if (!frame.empty() && frame.back() == ')')
        frame = frame.substr(frame.rfind('(') + 1, frame.size() - frame.rfind('(') - 2);
    size_t column = frame.rfind(':');
    size_t line = column == std::string::npos ? column : frame.rfind(':', column - 1);
    if (line == std::string::npos || line == 0)
        return;
    set(&error->file, frame.substr(0, line));
    error->line = (uint32_t)strtoul(frame.c_str() + line + 1, nullptr, 10);
    error->column = (uint32_t)strtoul(frame.c_str() + column + 1, nullptr, 10);
}

static void set_from_message(js_error *error, v8::Isolate *isolate, v8::Local<v8::Context> context,
                             v8::Local<v8::Message> message)
{
    std::string file = js_std_string(isolate, message->GetScriptResourceName());
    v8::Local<v8::String> line;

    if (file.compare(0, strlen(OUR_SCRIPTS), OUR_SCRIPTS) == 0) {
        set_position(error, isolate, message->GetStackTrace());
        return;
    }
    if (file.empty())
        return;
    set(&error->file, file);
    error->line = (uint32_t)message->GetLineNumber(context).FromMaybe(0);
    error->column = (uint32_t)(message->GetStartColumn(context).FromMaybe(-1) + 1);
    if (message->GetSourceLine(context).ToLocal(&line))
        set(&error->source, source_window(js_std_string(isolate, line), error->column));
}

js_error *js_error_from(js *js, v8::Local<v8::Context> context, v8::Local<v8::Value> reason,
                        v8::Local<v8::Message> message, const char *verb)
{
    v8::Isolate *isolate = js->isolate;
    v8::HandleScope handle_scope(isolate);
    v8::TryCatch quiet(isolate);
    std::string text = message_text(isolate, context, reason, message, verb);
    js_error *error = js_error_new(text.data(), text.size());

    if (!message.IsEmpty())
        set_from_message(error, isolate, context, message);
    std::string stack = reason.IsEmpty() ? "" : property(context, reason, "stack");
    if (!stack.empty())
        set(&error->stack, clean_stack(stack));
    else if (!message.IsEmpty())
        set(&error->stack, frames_text(isolate, message->GetStackTrace()));
    if (error->line == 0)
        set_from_stack(error, error->stack);
    set(&error->hint, js_hint(text, error->file, error->source));
    return error;
}

js_error *js_error_caught(js *js, Entry &entry)
{
    v8::Local<v8::Value> reason = entry.caught.Exception();
    v8::Local<v8::Message> message = entry.caught.Message();

    entry.caught.Reset();
    return js_error_from(js, entry.context, reason, message, "threw");
}

void js_error_locate(const js *js, js_error *error)
{
    if (error && js->options.locate)
        js->options.locate(error);
}

void js_report(js *js, v8::Local<v8::Value> reason, v8::Local<v8::Message> message,
               const char *what)
{
    v8::Isolate *isolate = js->isolate;
    v8::HandleScope handle_scope(isolate);
    js_error *error = js_error_from(js, js->context.Get(isolate), reason, message, "threw");
    js_error_locate(js, error);
    std::string text = std::string(what) + " " + error->message;

    if (strchr(error->stack, '\n'))
        text = std::string(what) + " " + error->stack;
    else if (error->line)
        text += std::string(" (") + error->file + ":" + std::to_string(error->line) + ":" +
                std::to_string(error->column) + ")";
    js_error_free(error);
    if (js->options.console)
        js->options.console(js->options.arg, JS_CONSOLE_ERROR, text.data(), text.size());
}
