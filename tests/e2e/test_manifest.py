# SPDX-License-Identifier: MIT
"""What a page's client side loads, told in its Link header (bundle.manifest) and, from its second render on, before it is
there (http.early_hints)."""

import json
import os
import re
import signal

import pytest

import harness

MANIFEST = {
    "index.html": {"file": "assets/main-1.js", "isEntry": True, "imports": ["_shared-2.js"], "css": ["assets/main-3.css"],
                   "assets": ["assets/logo.png"], "dynamicImports": ["src/about.vue"]},
    "_shared-2.js": {"file": "assets/shared-2.js", "imports": ["index.html"]},
    "src/about.vue": {"file": "assets/about ä-4.js", "css": ["assets/about-5.css"], "imports": ["_shared-2.js"]},
    "main-legacy.js": {"file": "assets/main-legacy-6.js", "isEntry": True},
}
ENTRY = ("</assets/main-3.css>; rel=preload; as=style, </assets/main-1.js>; rel=modulepreload, "
         "</assets/shared-2.js>; rel=modulepreload")
ABOUT = ", </assets/about-5.css>; rel=preload; as=style, </assets/about%20%C3%A4-4.js>; rel=modulepreload"
BUNDLE = """
let n = 0;
globalThis.renderPage = (url, data, request) => ({
  '/text': () => '<p>text',
  '/about': () => ({ html: '<p>about', modules: new Set(['src/about.vue', 'src/nowhere.vue']) }),
  '/json': () => ({ body: '{}', headers: { 'content-type': 'application/json' } }),
  '/own': () => ({ body: 'x', headers: { Link: '</mine.js>; rel=preload, </next>; rel=next' }, cache: { ttl: 0 } }),
  '/response': () => new Response('x', { headers: { 'content-type': 'text/html' } }),
  '/stream': () => ({ body: new ReadableStream({ async start(c) {
      c.enqueue(new Uint8Array([120])); await new Promise((go) => setTimeout(go, 1)); c.close(); } }) }),
  '/mine': () => ({ body: String(++n), headers: { link: '</u/7.png>; rel=preload, </assets/a.js>; rel=modulepreload' },
                    cache: { private: true } }),
  '/loud': () => ({ body: String(++n), headers: { link: '</u/7.png>; rel=preload', 'cache-control': 'Private, Max-Age=0' } }),
  '/bad': () => ({ html: 'x', modules: 7 }),
  '/letters': () => ({ html: 'x', modules: 'src/about.vue' }),
}[url.split('?')[0]] ?? (() => 'x'))();
"""


@pytest.fixture
def site(ssrd, tmp_path):
    (tmp_path / "assets").mkdir()

    def start(manifest=MANIFEST, bundle=None, http=None, **more):
        path = tmp_path / "manifest.json"
        path.write_text(manifest if isinstance(manifest, str) else json.dumps(manifest), encoding="utf-8")
        return ssrd(BUNDLE, {"bundle": {"manifest": str(path), "warmup": [], **(bundle or {})}, "http": http or {},
                             "static": [{"prefix": "/assets/", "root": str(tmp_path / "assets")}]}, **more)
    return start


def test_pages_tell_what_their_client_side_loads(site):
    server = site()
    assert server.get("/text")["link"] == ENTRY
    assert server.get("/about")["link"] == ENTRY + ABOUT
    assert server.get("/response")["link"] == server.get("/stream")["link"] == ENTRY
    assert server.get("/json")["link"] is None
    assert server.get("/own")["link"] == "</mine.js>; rel=preload, </next>; rel=next"
    assert server.get("/bad").status == 500
    server.wait_log("modules must be a list of modules, not a number")
    assert server.get("/letters").status == 500
    server.wait_log("modules must be a list of modules, not a string")
    hit = server.get("/about")
    assert "hit" in hit.cache and hit["link"] == ENTRY + ABOUT


def test_the_base_and_the_template_have_their_say(site, tmp_path):
    """A preload without crossorigin is loaded again by a link with it."""
    (tmp_path / "index.html").write_text('<!doctype html><head><link rel="stylesheet" crossorigin href="/app/assets/main-3.css"></head>'
                                         "<!--ssr-outlet-->", encoding="utf-8")
    server = site(bundle={"base": "/app", "template": str(tmp_path / "index.html")})
    answer = server.get("/text")
    assert answer["link"].startswith("</app/assets/main-3.css>; rel=preload; as=style; crossorigin, </app/assets/main-1.js>;")
    assert answer.text.endswith("<p>text")


def test_the_list_of_files_by_module_does_too(site):
    server = site({"src/about.vue": ["/assets/about-4.js", "/assets/about-5.css", "/assets/a.woff2", "/assets/a.png"], "src/b.vue": []})
    assert server.get("/text")["link"] is None
    assert server.get("/about")["link"] == ("</assets/about-4.js>; rel=modulepreload, </assets/about-5.css>; rel=preload; as=style, "
                                            "</assets/a.woff2>; rel=preload; as=font; type=font/woff2; crossorigin")


def test_another_manifest_is_another_bundle(site, tmp_path):
    server = site()
    before = server.status()
    assert "hit" in [server.get("/text") for _ in range(2)][1].cache
    changed = {**MANIFEST, "index.html": {**MANIFEST["index.html"], "file": "assets/main-7.js"}}
    (tmp_path / "manifest.json").write_text(json.dumps(changed), encoding="utf-8")
    server.ctl("reload")
    assert "assets/main-7.js" in server.get("/text")["link"]
    assert server.status()["generation"] == before["generation"] + 1


@pytest.mark.parametrize("text, told", [("{", "bundle.manifest is not JSON"), ("[]", "neither Vite's"), ('{"a": {}}', "neither Vite's")])
def test_what_is_no_manifest_is_refused(site, text, told):
    server = site(text, ready=False)
    assert not server.wait_notify("READY=1")
    server.wait_log(told)  # its end may be known before its last lines


def answers(client, count):
    return [client.answer() for _ in range(count)]


def test_from_the_second_render_on_links_come_first(site):
    server = site(http={"early_hints": True})
    with server.connect() as client:
        assert client.get("/own").status == 200  # nothing is known yet
        client.request("/own")
        early, page = answers(client, 2)
        assert (early.status, early["link"], page.status) == (103, "</mine.js>; rel=preload", 200)
        for options in ({"method": "HEAD"}, {"version": "1.0"}, {"headers": {"If-None-Match": '"x"'}}, {"method": "POST"}):
            with server.connect() as other:
                assert other.get("/own", **options).status in (200, 405)
        assert client.get("/own?other").status == 200


def test_hints_of_pages_that_are_kept_and_of_those_that_are_not(site):
    server = site(http={"early_hints": True})
    with server.connect() as client:
        assert client.get("/about").status == 200
        assert "hit" in client.get("/about").cache  # it is there: no hint
        server.ctl("purge", "--all")
        client.request("/about")
        early, page = answers(client, 2)
        assert (early.status, early["link"], page["link"]) == (103, ENTRY + ABOUT, ENTRY + ABOUT)
        assert client.get("/mine").text == "1"
        client.request("/mine")
        early, page = answers(client, 2)
        assert (early.status, early["link"], page.text) == (103, "</assets/a.js>; rel=modulepreload", "2")  # not one visitor's
        for _ in range(2):
            assert client.get("/loud").status == 200  # nor here: directives have no case
    assert re.search(r"^ssrd_early_hints_total 2$", server.admin("/metrics").text, re.M)


def test_a_worker_tells_what_another_one_has_rendered(site):
    server = site(http={"early_hints": True})
    assert server.get("/own").status == 200
    assert server.get("/text").status == 200
    old = server.workers()
    os.kill(old[0], signal.SIGKILL)
    server.await_new_worker(old)
    with server.connect() as client:
        client.request("/own")
        early, page = answers(client, 2)
        assert (early.status, early["link"], page.status) == (103, "</mine.js>; rel=preload", 200)
    kinds = {entry["kind"] for entry in json.loads(server.ctl("cache", "ls", "--json").stdout)}
    assert kinds == {"page", "hints"}


def test_hints_of_another_bundle_are_not_told(site):
    server = site(http={"early_hints": True})
    assert server.get("/own").status == 200
    with open(server.bundle, "a", encoding="utf-8") as file:
        file.write("\n// the next version\n")
    assert server.ctl("reload").returncode == 0
    with server.connect() as client:
        assert client.get("/own").status == 200


def test_nothing_is_sent_early_unless_it_was_asked_for(site):
    server = site()
    for _ in range(2):
        assert server.get("/own").status == 200


def test_server_timing(ssrd):
    server = ssrd(harness.HELLO, {"http": {"server_timing": True}})
    assert re.fullmatch(r"cache;desc=miss, render;dur=\d+\.\d{3}, total;dur=\d+\.\d{3}", server.get("/a")["server-timing"])
    hit = server.get("/a")
    assert re.fullmatch(r"cache;desc=hot, total;dur=\d+\.\d{3}", hit["server-timing"])
    assert server.get("/a", headers={"If-None-Match": hit["etag"]})["server-timing"].startswith("cache;desc=hot")
    assert ssrd(harness.HELLO).get("/a")["server-timing"] is None
