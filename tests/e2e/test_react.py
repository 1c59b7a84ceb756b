# SPDX-License-Identifier: MIT
"""The React example: its pages equal, byte for byte, what the same bundle gives under Node.js."""

import base64
import json
import os
import re
import shutil
import subprocess

import pytest

import harness

BUNDLE = os.path.join(harness.BUILD, "examples", "react", "dist", "server.js")
HERE = os.path.dirname(os.path.abspath(__file__))

ROUTES = ["/", "/products", "/products?q=lamp", "/products?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E&x=%22%27%26",
          "/products?q=%F0%9F%AB%96", "/products?q=%", "/products?q=%FF", "/products/1", "/products/13", "/products/40/",
          "/products/41", "/products/x", "/shop", "/shop?n=123", "/about", "/nowhere", "/%3Cb%3E", "//", "/a/../b"]

HOSTILE = {
    "user": {"name": "<script>alert('1')</script> & \"co\" \u2028\u2029 \N{TEAPOT} \U0001fad6 \x00\x01\x7f \ufeff"},
    "note": "]]> --> </blockquote></body> &lt;b&gt; \\ ${x} `y` \u0301 \u202e \ud83e high \udd96 low",
    "products": [
        {"id": "7\"><img src=x onerror=alert(1)>", "name": "\ud800", "group": "\udfff\ud800", "cents": 0.1 + 0.2, "stock": -1},
        {"id": "javascript:alert(1)", "name": "\u00e4\u00f6 <!-- -->", "group": None, "cents": 1e21, "stock": 10 ** 15},
        {"id": 3, "name": "x" * 5000 + "\U0001f600" * 500, "group": ["a", "<b>"], "cents": 123456, "stock": 0},
    ],
}


@pytest.fixture(scope="module")
def source():
    assert os.path.exists(BUNDLE), "make test builds the example"
    with open(BUNDLE, encoding="utf-8") as file:
        return file.read()


def in_node(bundle, requests):
    """[(status, bytes)] of Node.js."""
    node = shutil.which("node") or shutil.which("nodejs")
    assert node is not None, "make setup installs it"
    done = subprocess.run([node, os.path.join(HERE, "render_in_node.cjs"), bundle], input=json.dumps(requests).encode(),
                          capture_output=True, check=True, timeout=harness.PATIENCE_S)
    return [(page["status"], base64.b64decode(page["base64"])) for page in json.loads(done.stdout)["pages"]]


def differences(routes, wanted, answers):
    return [(route, (status, body[:400]), answer) for route, (status, body), answer in zip(routes, wanted, answers)
            if (answer.status, answer.body) != (status, body)]


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_every_route_equals_node(ssrd, source, start):
    server = ssrd(source, {"start": start})
    wanted = in_node(server.bundle, [[route, {}] for route in ROUTES])
    for attempt in ("rendered", "cached"):
        answers = [server.get(route) for route in ROUTES]
        assert differences(ROUTES, wanted, answers) == [], attempt
    assert {answer.status for answer in answers} == {200, 404}


def test_hostile_data_equals_node(ssrd, source):
    """The data is part of the bundle, so that nothing on the way to it can mend or refuse lone surrogates."""
    wrapped = (source + "\n;{const inner = globalThis.renderPage;\nconst data = " + json.dumps(HOSTILE) +
               ";\nglobalThis.renderPage = (url, _, request) => inner(url, data, request);}\n")
    server = ssrd(wrapped)
    wanted = in_node(server.bundle, [[route, {}] for route in ROUTES])
    answers = [server.get(route) for route in ROUTES]
    assert differences(ROUTES, wanted, answers) == []
    text = answers[0].text
    assert "<script>alert" not in text and "\N{REPLACEMENT CHARACTER}" in text


def test_data_of_a_back_end_equals_node(ssrd, source):
    data = json.loads(json.dumps(HOSTILE).replace("\\ud800", "").replace("\\udfff", "").replace("\\ud83e high", "")
                      .replace("\\udd96 low", ""))
    server = ssrd(source)
    wanted = in_node(server.bundle, [[route, data] for route in ROUTES])
    answers = [server.admin("/render", method="POST", body=json.dumps({"url": route, "data": data}).encode())
               for route in ROUTES]
    assert [body for _, body in wanted] == [answer.body for answer in answers]


def test_pages_stay_equal_after_many_renders_and_a_replaced_worker(ssrd, source):
    server = ssrd(source, {"cache": {"ttl": 0}})
    (_, wanted), = in_node(server.bundle, [["/shop", {}]])
    with server.connect() as client:
        for i in range(300):
            assert client.get(f"/shop?n={i}").body == wanted, i
    old = server.workers()
    os.kill(old[0], 9)
    server.await_new_worker(old)
    assert server.get("/shop?n=new").body == wanted


def test_pages_are_whole_documents(ssrd, source):
    server = ssrd(source)
    for route in ROUTES:
        answer = server.get(route)
        assert answer["content-type"] == "text/html; charset=utf-8"
        assert re.match(r"<!doctype html><html lang=\"en\"><head>.*<title>[^<]+ – Fern &amp; Co\.</title><style>", answer.text, re.S)
        assert answer.text.endswith("</body></html>")


def test_shop_is_the_page_that_speed_is_measured_with(ssrd, source):
    server = ssrd(source)
    first, second = server.get("/shop?n=1"), server.get("/shop?n=2")
    assert first.body == second.body and 8200 <= len(first.body) <= 8600
    assert "fwd=uri-miss" in second.cache, "another query, another page"


def test_lock_file_names_no_host_and_exact_versions():
    folder = os.path.join(harness.ROOT, "examples", "react")
    with open(os.path.join(folder, "package.json"), encoding="utf-8") as file:
        package = json.load(file)
    for versions in (package["dependencies"], package["devDependencies"]):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    with open(os.path.join(folder, "package-lock.json"), encoding="utf-8") as file:
        text = file.read()
    assert "resolved" not in text and "://" not in text
    assert all("integrity" in entry for name, entry in json.loads(text)["packages"].items() if name)
