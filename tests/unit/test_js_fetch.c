/* SPDX-License-Identifier: MIT */
/*
 * test_js_fetch.c - Headers, Request, Response and what their bodies are made of (polyfills/headers.js,
 * body.js, request.js, response.js, blob.js, form_data.js, streams.js). Web-platform-tests cover the
 * standards (polyfills/README.md); here is what ssrd adds to them, and one case a feature.
 */
#include "worker/js.h"

#include "tests/unit/js_fixture.h"

static void globals_that_load_late_look_like_others(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const own = Object.getOwnPropertyDescriptor(globalThis, 'ReadableStream');"
        "globalThis.Blob = 5;"
        "delete globalThis.File;"
        "return [own.writable, own.configurable, own.enumerable, typeof own.value,"
        "  ReadableStream === own.value, Blob, typeof File, new FormData().get('x')].join()",
        "true,true,false,function,true,5,undefined,");
    expect_page(b, "return ReadableStream.name + String(ReadableStream).slice(0, 5)",
                "ReadableStreamclass");
}

static void a_body_is_read_once_in_any_form(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const make = () => new Response('h\\u00e9');"
        "const bytes = await make().bytes();"
        "const buffer = await make().arrayBuffer();"
        "const blob = await make().blob();"
        "const used = make(); await used.text();"
        "const again = await used.text().catch((error) => error.name);"
        "return [await make().text(), bytes.join(), buffer.byteLength, blob.size, blob.type,"
        "  used.bodyUsed, again, JSON.stringify(await new Response('[1]').json())].join('|')",
        "h\xc3\xa9|104,195,169|3|3|text/plain;charset=utf-8|true|TypeError|[1]");
}

static void a_body_becomes_a_stream_when_asked(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const r = new Response('abc');"
                "const before = r.bodyUsed;"
                "const reader = r.body.getReader();"
                "const { value } = await reader.read();"
                "const { done } = await reader.read();"
                "return [before, value.join(), done, r.bodyUsed, new Response().body,"
                "  r.body === r.body].join('|')",
                "false|97,98,99|true|true||true");
    expect_page(b,
                "const stream = new ReadableStream({start(c) {"
                "  c.enqueue(new Uint8Array([97])); c.enqueue(new Uint8Array([98])); c.close() }});"
                "const r = new Response(stream); const twin = r.clone();"
                "const made = new Request('http://h/', {method: 'POST', body: twin.body, "
                "duplex: 'half'});"
                "return [await r.text(), await made.text(), made.bodyUsed].join('|')",
                "ab|ab|true");
}

static void a_page_may_have_a_stream_as_body(void **state)
{
    struct bench *b = *state;
    static const char make[] =
        "const s = () => new ReadableStream({async pull(c) {"
        "  await new Promise((go) => setTimeout(go, 1));"
        "  c.enqueue(new TextEncoder().encode('<p>' + (this.n = (this.n ?? 0) + 1)));"
        "  if (this.n === 3) c.close() }});";
    char source[1024];

    (void)snprintf(source, sizeof source, "%s return new Response(s(), {status: 201})", make);
    expect_page(b, source, "<p>1<p>2<p>3");
    assert_int_equal(b->status, 201);
    (void)snprintf(source, sizeof source, "%s return {status: 202, body: s()}", make);
    expect_page(b, source, "<p>1<p>2<p>3");
    assert_int_equal(b->status, 202);
    (void)snprintf(source, sizeof source,
                   "%s globalThis.renderPage = () => new Response(s(), {headers: {a: 'b'}})", make);
    load(b, source);
    render(b);
    assert_string_equal(b->body, "<p>1<p>2<p>3");
    assert_string_equal(b->headers, "a: b\n");
    expect_error(
        b, "return new Response(new ReadableStream({start(c) { c.error(new Error('torn')) }}))",
        "torn");
}

/* Nothing has loaded the streams when the bundle's function returns. */
static void a_stream_that_nobody_will_read_is_cancelled(void **state)
{
    struct bench *b = *state;

    load(b, "globalThis.renderPage = () => ({status: 99, body: new ReadableStream({"
            "  cancel(why) { console.log(why.message); }})})");
    render(b);
    assert_int_equal(b->outcome, JS_ERROR);
    assert_string_equal(b->console, "1 status must be a whole number from 100 to 599\n");
}

static void the_first_stream_of_all_may_be_made_behind_an_await(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "await null; return new Response(new ReadableStream({start(c) {"
                "  c.enqueue(new Uint8Array([97, 98])); c.close() }}))",
                "ab");
}

static void forms_survive_their_own_encoding(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const form = new FormData();"
        "form.append('a\"\\n', 'one\\ntwo');"
        "form.append('f', new File(['\\r\\n--x', new Uint8Array([0, 255])], 'n\"ame', {type: "
        "'text/x'}));"
        "const made = new Request('http://h/', {method: 'POST', body: form});"
        "const back = await made.formData();"
        "const file = back.get('f');"
        "return JSON.stringify([[...back.keys()], back.get('a\"\\r\\n'), file.name, file.type,"
        "  [...await file.bytes()],"
        "  made.headers.get('content-type').startsWith('multipart/form-data; "
        "boundary=----ssrd')])",
        "[[\"a\\\"\\r\\n\",\"f\"],\"one\\r\\ntwo\",\"n\\\"ame\",\"text/"
        "x\",[13,10,45,45,120,0,255],true]");
    expect_page(b,
                "const bad = ['', '--', '--x', '--x\\r\\n\\r\\n', '--x\\r\\nContent-Disposition: "
                "form-data\\r\\n\\r\\n\\r\\n--x--'];"
                "const seen = [];"
                "for (const text of bad)"
                "  seen.push(await new Response(text, {headers: {'content-type': "
                "'multipart/form-data; boundary=x'}})"
                "    .formData().then(() => 'read', (error) => error.name));"
                "return seen.join()",
                "TypeError,TypeError,TypeError,TypeError,TypeError");
}

static void blobs_are_sliced_and_streamed(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const blob = new Blob(['ab', new Uint8Array([99]), new Blob(['d'])], {type: 'A/B'});"
        "const part = blob.slice(1, -1, 'x/y');"
        "let streamed = 0;"
        "for await (const chunk of new Blob(['x'.repeat(100000)]).stream()) streamed += "
        "chunk.length;"
        "return [blob.size, blob.type, await blob.text(), part.type, await part.text(), streamed,"
        "  await new Response(blob).text()].join('|')",
        "4|a/b|abcd|x/y|bc|100000|abcd");
}

static void requests_and_responses_may_be_subclassed(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "class A extends Request { get url() { return 'sub:' + super.url } }"
        "class B extends Response { constructor(body, init) { super(body, init); this.mine = 1 } }"
        "const a = new A(request, {headers: {x: 'y'}});"
        "const own = Object.getOwnPropertyDescriptor(Request.prototype, 'url');"
        "return [a.url, a.headers.get('x'), a instanceof Request, new B('t').mine, await new "
        "B('t').text(),"
        "  typeof own.get, own.enumerable, own.configurable].join('|')",
        "sub:http://127.0.0.1:8080/path?q=1|y|true|1|t|function|true|true");
}

static void a_request_aborts_with_the_signal_it_was_given(void **state)
{
    struct bench *b = *state;

    expect_page(
        b,
        "const c = new AbortController();"
        "const first = new Request('http://h/', {signal: c.signal});"
        "const second = new Request(first); const third = first.clone();"
        "c.abort('why');"
        "return [first, second, third].map((r) => r.signal.aborted + r.signal.reason).join()",
        "truewhy,truewhy,truewhy");
}

static void headers_walk_in_order_while_they_change(void **state)
{
    struct bench *b = *state;

    expect_page(b,
                "const h = new Headers({b: '1', a: '2', 'Set-Cookie': 'x'});"
                "h.append('set-cookie', 'y'); h.append('A', '3');"
                "const seen = [];"
                "for (const [name, value] of h) { seen.push(name + value); h.delete('b') }"
                "const frozen = Response.redirect('http://h/').headers;"
                "let refused; try { frozen.set('a', 'b') } catch (error) { refused = error.name }"
                "return [...seen, h.getSetCookie().length, refused].join()",
                "a2, 3,set-cookiex,set-cookiey,2,TypeError");
    /* few and many are sorted by different ways */
    expect_page(
        b,
        "const of = (count) => { const h = new Headers(); for (let i = 0; i < count; i++) "
        "h.append(['x', 'set-cookie', 'a', 'cookie'][i % 4], String(i)); return [...h].join() };"
        "const many = of(44).split(',').map(Number).filter((n) => n === n);"
        "const it = new Headers({a: 'b'}).entries(); const proto = Object.getPrototypeOf(it);"
        "let refused; try { proto.next.call({}) } catch (error) { refused = error.name }"
        "return [of(8), many.length, of(44).startsWith('a,2, 6, 10, 14'), of(44).endsWith(', 36, "
        "40'), "
        "refused, Object.prototype.toString.call(it), Object.hasOwn(proto, 'constructor'), "
        "Object.getOwnPropertyDescriptor(proto, 'next').enumerable].join(' ')",
        "a,2, 6,cookie,3; 7,set-cookie,1,set-cookie,5,x,0, 4 33 true true TypeError [object "
        "Headers "
        "Iterator] false true");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JS_TEST(globals_that_load_late_look_like_others),
        JS_TEST(a_body_is_read_once_in_any_form),
        JS_TEST(a_body_becomes_a_stream_when_asked),
        JS_TEST(a_page_may_have_a_stream_as_body),
        JS_TEST(a_stream_that_nobody_will_read_is_cancelled),
        JS_TEST(the_first_stream_of_all_may_be_made_behind_an_await),
        JS_TEST(forms_survive_their_own_encoding),
        JS_TEST(blobs_are_sliced_and_streamed),
        JS_TEST(requests_and_responses_may_be_subclassed),
        JS_TEST(a_request_aborts_with_the_signal_it_was_given),
        JS_TEST(headers_walk_in_order_while_they_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
