# SPDX-License-Identifier: MIT
"""What goes wrong in a bundle, as its people read it: message, place in the sources, stack, request id; and what
clients see of it: nothing."""

import base64
import json
import re

import pytest

import harness

VLQ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def vlq(number):
    value = -number * 2 + 1 if number < 0 else number * 2
    text = ""
    while True:
        digit, value = value & 31, value >> 5
        text += VLQ[digit | 32 if value else digit]
        if not value:
            return text


def source_map(lines, source="../src/app.ts"):
    """Line n of the code is line 100 + n of the source, each column as many to the right as the line is long: all that
    the tests need is that it differs."""
    mappings, last = [], 0
    for number in range(lines):
        mappings.append(vlq(0) + vlq(0) + vlq(100 + number - last) + vlq(6 if number == 0 else 0))
        last = 100 + number
    content = "\n".join(f"      // source line {n}" for n in range(1, 300))
    return {"version": 3, "sources": [source], "sourcesContent": [content], "mappings": ";".join(mappings)}


BUNDLE = """globalThis.renderPage = async (url, data, request) => {
  if (url === '/throws') throw new TypeError('thrown here')
  if (url === '/rejects') return Promise.reject(new Error('rejected'))
  if (url === '/string') throw 'just a string'
  if (url === '/nothing') return Promise.reject(undefined)
  if (url === '/deep') { const f = () => f() + 1; return f() }
  if (url === '/timer') { setTimeout(() => { throw new Error('in a timer') }, 0); await new Promise((d) => setTimeout(d, 1)) }
  if (url === '/lost') { Promise.reject(new Error('nobody waits')); await null }
  if (url === '/logs') console.error('logged', new Error('told'))
  return 'fine'
}
"""


@pytest.fixture(params=["beside", "named", "inline"])
def mapped(request, ssrd, tmp_path):
    """A server whose bundle has a source map in one of the three ways."""
    text = json.dumps(source_map(BUNDLE.count("\n")))
    bundle = BUNDLE
    if request.param == "inline":
        bundle += "//# sourceMappingURL=data:application/json;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()
    elif request.param == "named":
        bundle += "//# sourceMappingURL=maps/app.map\n"
        (tmp_path / "maps").mkdir()
        (tmp_path / "maps" / "app.map").write_text(json.dumps(source_map(BUNDLE.count("\n"), "../../src/app.ts")))
    else:
        (tmp_path / "server.js.map").write_text(text)
    server = ssrd(bundle)
    server.sources = tmp_path.parent / "src" / "app.ts"
    return server


def line_of(path):
    return 101 + next(i for i, line in enumerate(BUNDLE.split("\n")) if f"'{path}'" in line)


@pytest.mark.parametrize("path, message", [
    ("/throws", "TypeError: thrown here"), ("/rejects", "Error: rejected"),
    ("/deep", "RangeError: Maximum call stack size exceeded")])
def test_an_error_is_logged_with_its_place_in_the_sources(mapped, path, message):
    answer = mapped.get(path)
    assert answer.status == 500
    line = mapped.wait_log(r"render failed.*" + re.escape(message))
    assert f"request={answer['x-request-id']}" in line
    assert f"url={path}" in line
    # V8 puts an overflow at the start of the script
    assert f"at={mapped.sources}:{101 if path == '/deep' else line_of(path)}:7" in line, line
    assert "server.js:" not in line
    for secret in ("TypeError", "app.ts", "thrown", "rejected"):
        assert secret not in answer.text


@pytest.mark.parametrize("path, message", [
    ("/string", "a string: just a string"), ("/nothing", "undefined")])
def test_what_is_no_error_is_told_as_what_it_is(ssrd, path, message):
    server = ssrd(BUNDLE)
    answer = server.get(path)
    assert answer.status == 500 and f"request id: {answer['x-request-id']}" in answer.text
    assert f"request={answer['x-request-id']} " in server.wait_log(r"render failed.*" + re.escape(message))


@pytest.mark.parametrize("path, message", [
    ("/timer", "Uncaught in a timer: Error: in a timer"), ("/lost", "Unhandled rejection Error: nobody waits"),
    ("/logs", "logged Error: told")])
def test_what_a_render_survives_is_logged_with_its_place(mapped, path, message):
    answer = mapped.get(path)
    assert (answer.status, answer.text) == (200, "fine")
    line = mapped.wait_log(re.escape(message))
    assert f"{mapped.sources}:{line_of(path)}:7" in line, line
    assert re.search(r" request=[0-9a-f]{16} ", line), line


def test_every_line_of_a_render_has_its_request(ssrd):
    server = ssrd("""globalThis.fetchHandler = async (request, env, ctx) => {
        const url = new URL(request.url).pathname, say = (what) => console.log(what + ' of ' + url);
        setTimeout(() => { say('timer'); throw new Error('timer fails for ' + url) }, 0);
        ctx.waitUntil(new Promise((go) => setTimeout(go, 5)).then(() => { say('after'); throw new Error('after fails for ' + url) }));
        queueMicrotask(() => say('microtask'));
        Promise.reject(new Error('nobody waits for ' + url));
        request.signal.addEventListener('abort', () => say('abort'));
        await new Promise((go) => setTimeout(go, 1));
        say('end');
        return new Response(new ReadableStream({ async pull(c) { say('chunk'); await null; throw new Error('chunk fails for ' + url) } }));
    }""", {"bundle": {"warmup": []}, "workers": 1})
    ids = set()
    for path in ("/a", "/b"):
        answer = server.get(path)
        assert answer.status == 500
        said = [f"{what} of {path}\"" for what in ("timer", "microtask", "end", "chunk", "after")] + \
            [f"{what} {path}" for what in ("timer fails for", "nobody waits for", "chunk fails for", "after fails for")]
        for text in said:
            assert f" request={answer['x-request-id']} " in server.wait_log(re.escape(text)), text
        ids.add(answer["x-request-id"])
    assert len(ids) == 2


def test_check_shows_the_source_around_the_place(run, tmp_path):
    (tmp_path / "server.js").write_text(BUNDLE)
    (tmp_path / "server.js.map").write_text(json.dumps(source_map(BUNDLE.count("\n"), "app.ts")))
    done = run(harness.SSRCTL, "check", "server.js", "--url", "/throws")
    assert done.returncode == 1
    number = line_of("/throws")
    assert f"app.ts:{number}:7: rendering /throws: TypeError: thrown here" in done.stdout
    assert f">   {number} |       // source line {number}\n        |       ^\n    {number + 1} |" in done.stdout
    assert f"    at renderPage (app.ts:{number}:7)" in done.stdout or f"app.ts:{number}:7)" in done.stdout


def test_post_render_tells_the_back_end(mapped):
    answer = mapped.admin("/render", method="POST", body=b'{"url": "/throws"}', headers={"Accept": "application/json"})
    assert (answer.status, answer["content-type"]) == (500, "application/problem+json")
    problem = json.loads(answer.body)
    assert problem["detail"] == "TypeError: thrown here"
    assert (problem["file"], problem["line"], problem["column"]) == (str(mapped.sources), line_of("/throws"), 7)
    assert f"app.ts:{line_of('/throws')}:7" in problem["stack"]


@pytest.mark.parametrize("map_text", ["", "{", '{"version": 3}', '{"version":3,"sources":[],"mappings":"AAAA"}'])
def test_a_broken_map_costs_the_places_alone(ssrd, tmp_path, map_text):
    (tmp_path / "server.js.map").write_text(map_text)
    server = ssrd(BUNDLE)
    assert server.get("/throws").status == 500
    assert server.wait_log(r"thrown here.*server\.js:2:")


def test_watch_mode_shows_the_error_to_who_asks(ssrd, tmp_path):
    (tmp_path / "server.js.map").write_text(json.dumps(source_map(BUNDLE.count("\n"), "app<1>.ts")))
    server = ssrd(BUNDLE.replace("thrown here", "thrown <b>here</b>"), {"bundle": {"watch": True}})
    number = line_of("/throws")
    page = server.get("/throws", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (page.status, page["content-type"], page["cache-control"]) == (500, "text/html; charset=utf-8", "no-store")
    assert "<h1>TypeError: thrown &lt;b&gt;here&lt;/b&gt;</h1>" in page.text
    assert f"app&lt;1&gt;.ts:{number}:7</p>" in page.text
    assert f"&gt;   {number} |       // source line {number}" in page.text
    assert f"request {page['x-request-id']}" in page.text
    text = server.get("/throws", headers={"Accept": "*/*"})
    assert text["content-type"].startswith("text/plain")
    assert "TypeError: thrown <b>here</b>\n" in text.text and f"app<1>.ts:{number}:7\n" in text.text


def test_watch_mode_reloads_what_has_changed(ssrd, tmp_path):
    (tmp_path / "part.js").write_text("export default 'one'")
    server = ssrd("import part from './part.js'; export const renderPage = () => part", {"bundle": {"watch": True}})
    assert server.get("/").text == "one"
    (tmp_path / "part.js").write_text("export default 'two!'")
    harness.until(lambda: server.get("/").text == "two!", "the changed file")
    (tmp_path / "part.js").write_text("export default broken(")
    server.wait_log(r"reload refused.*part\.js:1:")
    assert server.get("/").text == "two!"
    (tmp_path / "part.js").write_text("export default 'three'")
    harness.until(lambda: server.get("/").text == "three", "the repaired file")
