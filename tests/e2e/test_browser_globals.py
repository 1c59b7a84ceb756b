# SPDX-License-Identifier: MIT
"""render.browser_globals: stand-ins for window, document and others, where a bundle can't load without them."""

import re

import pytest

BUNDLE = """
const start = window.innerWidth + document.createElement('p').tagName;
class Box extends HTMLElement {}
customElements.define('x-box', Box);
globalThis.renderPage = (url) => {
    const before = sessionStorage.getItem('seen');
    sessionStorage.setItem('seen', url);
    requestAnimationFrame(() => { throw new Error('a frame came') });
    return [start, location.pathname + location.search, before, document.querySelector('p'),
        document.body.appendChild(new Image()) instanceof HTMLImageElement,
        matchMedia('(width > 1px)').matches, getComputedStyle(document.body).color, history.length].join('|');
};
"""
PLAIN = "globalThis.renderPage = () => [typeof window, typeof document, typeof location, typeof history].join()"


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_bundle_that_needs_a_browser_is_loaded_again_with_one(ssrd, start):
    server = ssrd(BUNDLE, {"start": start, "cache": {"ttl": 0}})
    for path in ("/a/b?c=d", "/other"):
        assert server.get(path).text == f"1280P|{path}|||true|false||1"
    assert "bundle needs a browser" in server.log
    assert "name=window" in server.log


def test_bundle_that_asks_navigator_for_what_browsers_say_gets_a_browser(ssrd):
    server = ssrd("""
        const isWindows = navigator.platform.indexOf('Win') !== -1; // before it looks for a window
        const canvas = document.createElement('canvas'), width = canvas.clientWidth + document.documentElement.scrollTop;
        class Visit extends XPathEvaluator {}
        globalThis.renderPage = () => [isWindows, canvas.getContext('2d'), width, Node.TEXT_NODE, navigator.language,
            new NodeList() instanceof NodeList, typeof XMLHttpRequest, document.createElement('option') instanceof HTMLOptionElement].join();
    """)
    assert server.get().text == "false,,0,3,en-US,true,undefined,true"
    assert "bundle needs a browser" in server.log and "Cannot read properties" in server.log


def test_bundle_that_no_browser_helps_is_refused_for_what_it_did_first(ssrd):
    server = ssrd("const here = typeof window === 'undefined'; undefined[here ? 'first' : 'second']", ready=False)
    assert server.wait() == 78
    assert "reading 'first'" in server.log and "reading 'second'" not in server.log
    assert "bundle needs a browser" not in server.log


def test_bundle_that_loads_without_gets_none(ssrd):
    server = ssrd(PLAIN)
    assert server.get().text == "undefined,undefined,undefined,undefined"
    assert "bundle needs a browser" not in server.log


def test_on_gives_them_to_any_bundle(ssrd):
    server = ssrd(PLAIN, {"render": {"browser_globals": "on"}})
    assert server.get().text == "object,object,object,object"
    assert "bundle needs a browser" not in server.log


def test_off_refuses_what_needs_them(ssrd):
    server = ssrd(BUNDLE, {"render": {"browser_globals": "off"}}, ready=False)
    assert server.wait() == 78
    assert "ReferenceError: window is not defined" in server.log


# Each waits for the last, so all are open at once.
OPEN_AT_ONCE = """
let wake;
const woken = new Promise((go) => wake = go);
globalThis.renderPage = async (url) => {
    %s
    if (url === '/wake') wake();
    console.log('waits ' + url);
    await Promise.race([woken, new Promise((go) => setTimeout(go, 3600000))]); // without a timer nothing could wake it
    await new Promise((go) => setTimeout(go, 1));
    return [%s].join('|');
};
"""


def at_once(server):
    answers = {}
    with server.connect() as one, server.connect() as two:
        for client, path in ((one, "/one?a"), (two, "/two?b")):
            client.request(path)
            server.wait_log(re.escape("waits " + path))
        answers["/wake"] = server.get("/wake").text
        answers["/one?a"] = one.answer().text
        answers["/two?b"] = two.answer().text
    return answers


def concurrent(**render):
    return {"workers": 1, "render": {"concurrency": 3, "timeout": "1h", **render}, "bundle": {"warmup": []}, "cache": {"ttl": 0}}


def test_renders_that_are_open_at_once_have_each_their_location_history_and_storage(ssrd):
    uses = "localStorage.setItem('url', url); sessionStorage.setItem(url, 'x'); history.pushState(url);"
    seen = "location.pathname + location.search, document.URL.slice(-2), localStorage.getItem('url'), sessionStorage.length, history.state"
    server = ssrd(OPEN_AT_ONCE % (uses, seen), concurrent(browser_globals="on"))
    for url, text in at_once(server).items():
        assert text == f"{url}|{url[-2:]}|{url}|1|{url}"


@pytest.mark.parametrize("browser_globals", ["auto", "on"])
def test_a_location_that_a_bundle_sets_is_its_renders_own(ssrd, browser_globals):
    uses = "const before = globalThis.location?.pathname; globalThis.location = {pathname: url};"
    server = ssrd(OPEN_AT_ONCE % (uses, "before, location.pathname"), concurrent(browser_globals=browser_globals))
    for url, text in at_once(server).items():
        before = "" if browser_globals == "auto" else url.partition("?")[0]
        assert text == f"{before}|{url}"


def test_a_location_that_is_set_at_load_is_what_renders_see_first(ssrd):
    server = ssrd("""globalThis.location = {pathname: '/load'};
        globalThis.renderPage = (url) => { const before = location.pathname; globalThis.location = {pathname: url};
            return before + '|' + location.pathname; };""", {"workers": 1, "render": {"isolation": "shared"}})
    for path in ("/a", "/b"):
        assert server.get(path).text == f"/load|{path}"


def test_a_location_that_a_render_has_defined_is_put_back_with_other_globals(ssrd):
    server = ssrd("""globalThis.location = {pathname: '/load'}; globalThis.count = '';
        globalThis.renderPage = (url) => { const before = location.pathname; globalThis.count = url;
            Object.defineProperty(globalThis, 'location', {value: {pathname: url}, configurable: true}); return before; };""",
                  {"workers": 1})
    for path in ("/a", "/b"):
        assert server.get(path).text == "/load"
