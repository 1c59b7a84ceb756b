# SPDX-License-Identifier: MIT
"""Documents and their client bundles, both from ssrd, in headless Chromium: they hydrate without a mismatch and react to a click."""

import os
import sys

import pytest

import chromium
import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "frameworks"))
import proof  # noqa: E402  (found through the line above)

BUNDLES = {"react": "dist/stream.mjs", "vue": "dist/server.js"}


@pytest.fixture
def page(tmp_path):
    made = chromium.Page(tmp_path / "profile")
    yield made
    made.close()


def serve(ssrd, name, **config):
    folder = proof.make(name, harness.BUILD)
    return ssrd(None, {"bundle": {"path": os.path.join(folder, BUNDLES[name]), "warmup": []},
                       "static": [{"prefix": "/assets/", "root": os.path.join(folder, "dist", "client")}], **config})


@pytest.mark.parametrize("name", BUNDLES)
def test_a_page_hydrates_and_reacts_to_a_click(ssrd, page, name):
    server = serve(ssrd, name)
    assert "0<!-- --> times" in server.get("/counter").text or "0 times" in server.get("/counter").text
    page.open(f"http://127.0.0.1:{server.address[1]}/counter")
    page.wait(f"document.documentElement.dataset.hydrated === '{name}'")
    assert page.evaluate("document.querySelector('button').textContent") == "0 times"
    page.click("button")
    page.wait("document.querySelector('button').textContent === '1 times'")
    assert page.errors == []


@pytest.mark.parametrize("name, query", [("react", "?other"), ("vue", "?q=other")])
def test_a_mismatch_is_noticed(ssrd, page, name, query):
    """The cache is told to leave the query out: the document is another page's than the browser makes of the address."""
    server = serve(ssrd, name, cache={"key": {"query": "none"}, "ttl": "60s"})
    assert server.get("/counter").status == 200
    page.open(f"http://127.0.0.1:{server.address[1]}/counter{query}")
    page.wait(f"document.documentElement.dataset.hydrated === '{name}'")
    assert any("418" in error or "ydrat" in error for error in page.errors), page.errors


@pytest.mark.parametrize("path", ["/", "/products/2"])
def test_the_vue_example_is_a_complete_site(ssrd, page, path):
    dist = os.path.join(harness.BUILD, "examples", "vue", "dist")
    assert os.path.exists(os.path.join(dist, "server.js")), "make test builds the example"
    server = ssrd(None, {"bundle": {"path": os.path.join(dist, "server.js")},
                         "static": [{"prefix": "/assets/", "root": os.path.join(dist, "client")}]})
    page.open(f"http://127.0.0.1:{server.address[1]}{path}")
    page.evaluate("new Promise((done) => { const look = () => document.querySelector('#app').__vue_app__ ? done()"
                  " : requestAnimationFrame(look); look(); })")
    page.click("button")
    page.wait("document.querySelector('button').textContent === '1 in the basket'")
    assert page.errors == []
    assert server.get("/nowhere").status == 404
