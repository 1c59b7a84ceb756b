# SPDX-License-Identifier: MIT
"""Documents and their client bundles, both from ssrd, in headless Chromium: they hydrate without a mismatch and react to a click."""

import json
import os
import sys

import pytest
import yaml

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


# ------------------------------------------------------------ examples/, as `ssrd -c ssrd.yaml` serves them

EXAMPLES = ["preact", "react", "solid", "svelte", "sveltekit", "vue"]
# The first button that the document has: the server's, whatever a script makes of it later.
WATCH = "new MutationObserver(() => window.served ??= document.querySelector('button')).observe(document, {subtree: true, childList: true})"
COUNT = "Number(/^(\\d+) in the basket$/.exec(document.querySelector('button').textContent)[1])"


@pytest.fixture
def example(ssrd):
    """example(name): it, by its own config, on a port of the test's."""
    def serve_example(name):
        folder = os.path.join(harness.BUILD, "examples", name)
        assert os.path.exists(os.path.join(folder, "dist", "server.js")), "make test builds the example"
        with open(os.path.join(folder, "ssrd.yaml"), encoding="utf-8") as file:
            config = yaml.safe_load(file)
        del config["listen"]
        config["bundle"]["path"] = os.path.join(folder, config["bundle"]["path"])
        for static in config["static"]:
            static["root"] = os.path.join(folder, static["root"])
        return ssrd(None, config)
    return serve_example


def open_and_click(page, server, path):
    """Until a click counts, which it does when the page has hydrated; the button is the one that the server sent."""
    page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    page.open(f"http://127.0.0.1:{server.address[1]}{path}")
    page.wait("document.querySelector('button') !== null")

    def clicked():
        page.click("button")
        return page.evaluate(COUNT) > 0

    harness.until(clicked, "a click that counts")
    assert page.evaluate("window.served === document.querySelector('button')"), "rendered anew in the browser"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_hydrates_and_reacts_to_a_click(example, page, name):
    server = example(name)
    assert [server.get(path).status for path in ("/", "/products/2", "/products/99", "/nowhere")][::3] == [200, 404]
    open_and_click(page, server, "/products/2")
    assert page.errors == []


LATE = "performance.getEntriesByType('resource').some((entry) => /\\/[Vv]ouchers-[^/]*\\.js$/.test(entry.name))"

# What the frameworks leave on elements that they have taken over.
TAKEN_OVER = ("'__vue_app__' in (document.querySelector('#app') ?? {}) ||"
              " Object.keys(document.querySelector('h1')).some((key) => key.startsWith('__reactFiber'))")


@pytest.mark.parametrize("name", ["react", "vue"])
def test_an_example_loads_the_code_of_a_page_with_that_page_alone(example, page, name):
    server = example(name)
    open_and_click(page, server, "/products/2")
    assert not page.evaluate(LATE), "its code was loaded with another page"
    open_and_click(page, server, "/vouchers")
    assert page.evaluate(LATE)
    assert page.evaluate("document.querySelector('h1').textContent") == "Vouchers"
    assert page.errors == []


@pytest.mark.parametrize("name", ["react", "vue"])
def test_an_example_redirects_and_has_a_page_for_what_is_not_there(example, page, name):
    server = example(name)
    answer = server.get("/gifts")
    assert (answer.status, answer["location"], answer.body) == (301, "/vouchers", b"")
    page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
    page.open(f"http://127.0.0.1:{server.address[1]}/gifts", arrives_at=f"http://127.0.0.1:{server.address[1]}/vouchers")
    open_and_click(page, server, "/vouchers?and=hydrates")
    page.open(f"http://127.0.0.1:{server.address[1]}/no/such/page")
    assert server.get("/no/such/page").status == 404
    harness.until(lambda: page.evaluate(TAKEN_OVER), "the page of what is not there hydrates")
    assert "no" in page.evaluate("document.body.textContent")
    assert page.errors == []


def test_vue_navigates_to_a_page_that_loads_late_through_a_redirect_without_leaving_the_document(example, page):
    server = example("vue")
    open_and_click(page, server, "/products/2")
    page.evaluate("void (window.stayed = true)")
    page.click("a[href='/vouchers'], a[href='/gifts']")  # a link shows where its redirect leads
    page.wait("document.querySelector('h1').textContent === 'Vouchers'")
    assert page.evaluate("[window.stayed, location.pathname]") == [True, "/vouchers"]
    assert page.evaluate(LATE)
    assert page.evaluate(COUNT) > 0, "the basket went along"
    assert page.errors == []


def test_what_a_back_end_sent_is_there_in_the_browser(ssrd, page):
    """React's example: the document brings the data that it was rendered with, here the bundle's own."""
    dist = os.path.join(harness.BUILD, "examples", "react", "dist")
    data = {"user": {"name": "</script><b>Zoë\u2028"}}
    with open(os.path.join(dist, "server.js"), encoding="utf-8") as file:
        source = f"{file.read()}\n;{{const inner = globalThis.renderPage; globalThis.renderPage = (url) => inner(url, {json.dumps(data)});}}"
    server = ssrd(source, {"static": [{"prefix": "/assets/", "root": os.path.join(dist, "client")}]})
    open_and_click(page, server, "/products/7")
    assert page.evaluate("globalThis.state") == data
    assert page.evaluate("document.querySelector('.greeting').textContent") == "Hello, </script><b>Zoë\u2028!"
    assert page.errors == []


def test_sveltekit_navigates_and_sends_a_form_without_leaving_the_document(example, page):
    server = example("sveltekit")
    open_and_click(page, server, "/products/2")
    page.evaluate("void (window.stayed = true)")
    page.click("a[href='/']")
    page.wait("document.querySelector('h1').textContent === 'Fern & Co.'")
    for wish, answer in (("", ".error"), ("<b>lamps</b>", ".thanks")):
        page.evaluate(f"void (document.querySelector('input').value = {json.dumps(wish)})")
        page.click("form button")
        page.wait(f"document.querySelector({json.dumps(answer)}) !== null")
    assert page.evaluate("document.querySelector('.thanks').textContent") == "We will look for <b>lamps</b>."
    page.click("a[href='/about']")
    page.wait("document.querySelector('h1').textContent === 'About'")
    assert page.evaluate("window.stayed")
    assert page.errors == []
    assert "hit" in [server.get("/") for _ in range(2)][1].cache, "kept, because it says so"


@pytest.mark.parametrize("name", [*EXAMPLES, "hono"])
def test_an_example_is_for_people_to_copy(name):
    folder = os.path.join(harness.ROOT, "examples", name)
    with open(os.path.join(folder, "package.json"), encoding="utf-8") as file:
        package = json.load(file)
    wanted = {**package["dependencies"], **package.get("devDependencies", {})}
    assert all(version[0].isdigit() for version in wanted.values()), "exact versions"
    with open(os.path.join(folder, "package-lock.json"), encoding="utf-8") as file:
        lock = json.load(file)["packages"]
    assert {name: lock[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not any("resolved" in entry and "://" in entry["resolved"] for entry in lock.values())
    with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
        assert 3 <= len(file.read().splitlines()) <= 8
