# SPDX-License-Identifier: MIT
"""render.browser_globals: stand-ins for window, document and others, where a bundle can't load without them."""

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
