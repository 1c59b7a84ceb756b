# SPDX-License-Identifier: MIT
"""What a bundle may be: scripts and modules, pages and fetch handlers; what reaches them, and what is told of others."""

import json
import re

import pytest

import harness

FETCH = """export default {
  async fetch(request, env, ctx) {
    const path = request.url.replace(/^http:..[^/]*/, '');
    if (path === '/echo')
      return new Response(`${request.method} ${request.headers.get('content-type')} ${await request.text()}`,
        {status: 202, headers: {'x-length': String(request.headers.get('content-length'))}});
    if (path === '/kept')
      return new Response('kept', {headers: {'cache-control': 'max-age=60'}});
    return Response.json({env, keys: Object.keys(ctx).sort()});
  }
};
"""


@pytest.fixture
def module(tmp_path):
    """module({name: text}) writes files beside the bundle."""
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return write


def test_fetch_handler_gets_env_methods_and_bodies(ssrd):
    server = ssrd(FETCH, {"env": {"API": "http://api", "list": [1, True, None, {"x": "1"}], "quoted": "7"}})
    assert json.loads(server.get("/").text)["env"] == {
        "API": "http://api", "list": [1, True, None, {"x": "1"}], "quoted": "7"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = server.get("/echo", method=method, body="grüße".encode(), headers={"Content-Type": "text/x"})
        assert (answer.status, answer.text) == (202, f"{method} text/x grüße")
        assert answer["x-length"] == "7"
        assert "fwd=bypass" in answer.cache
    assert server.get("/echo", method="TRACE").status == 405
    large = server.get("/echo", method="POST", body=b"x" * 900_000)
    assert len(large.body) == 900_000 + len("POST null ")
    assert server.get("/echo", method="POST", body=b"x" * 1_100_000).status == 413


def test_fetch_handler_is_cached_only_as_it_says(ssrd):
    server = ssrd(FETCH)
    assert "detail=no-cache-control" in server.get("/").cache
    assert "stored" in server.get("/kept").cache
    assert "hit" in server.get("/kept").cache


def test_what_was_found_is_one_line_of_the_log(ssrd):
    server = ssrd(FETCH)
    assert server.wait_log(r'is="an ES module that exports default\.fetch\(request, env, ctx\)"')


@pytest.mark.parametrize("start", ["warm", "cold"])
def test_module_of_many_files(ssrd, module, start):
    module({"pages/a.js": "import {shell} from '../shell.js'; export const page = () => shell('a')",
            "pages/late.js": "export const page = () => 'late'",
            "shell.js": "export const shell = (x) => `<${x}>`; export default await Promise.resolve(1)"})
    server = ssrd("""import {page} from './pages/a.js';
        export async function renderPage(url) {
          return url === '/late' ? (await import('./pages/late.js')).page() : page() + import.meta.url }""",
                  {"start": start})
    assert server.get("/").text == f"<a>file://{server.bundle}"
    # the files of a generation are those it was loaded with
    server.bundle.with_name("pages").joinpath("late.js").unlink()
    assert server.get("/late").text == "late"


def test_package_json_says_module(ssrd, module):
    module({"package.json": '{"type": "module"}'})
    server = ssrd("globalThis.renderPage = () => String(this)")
    assert server.get("/").text == "undefined"


def test_a_changed_file_of_the_graph_is_another_bundle(ssrd, module):
    module({"part.js": "export default 'one'"})
    server = ssrd("import part from './part.js'; export const renderPage = () => part")
    before = server.status()["bundle_hash"]
    assert server.get("/").text == "one"
    module({"part.js": "export default 'two'"})
    server.ctl("reload")
    assert server.get("/").text == "two"
    assert server.status()["bundle_hash"] != before


def test_a_reload_to_a_broken_graph_is_refused(ssrd, module):
    module({"part.js": "export default 'one'"})
    server = ssrd("import part from './part.js'; export const renderPage = () => part")
    module({"part.js": "import './gone.js'"})
    done = server.ctl("reload", check=False)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert "part.js:1:8: " in told and "gone.js" in told, told
    assert server.get("/").text == "one"


@pytest.mark.parametrize("bundle, told", [
    ("export const setup = 1", "an ES module that exports only `setup` (a number); export renderPage or a default fetch handler"),
    ("globalThis.page = () => 1", "globalThis.renderPage is not there: it set page (a function)"),
    ("import fs from 'node:fs'", "node:fs is not available here"),
    ("import React from 'react'", "\"react\" is a package"),
    ("let x = /a/v; export const renderPage = 1", "es2022 (chrome102)"),
    ("nowhere.title = 'x'", "nowhere is not defined"),
    ("await new Promise(() => {})", "nothing is left to settle"),
])
def test_what_fits_no_contract_is_refused_with_what_is_wanted(run, tmp_path, bundle, told):
    (tmp_path / "server.js").write_text(bundle)
    (tmp_path / "c.yaml").write_text("bundle: {path: server.js}\n")
    for command in ([harness.SSRD, "-t", "-c", "c.yaml"], [harness.SSRCTL, "check", "server.js"]):
        done = run(*command)
        assert done.returncode == 1
        assert told in done.stdout + done.stderr
        assert re.search(r"server\.js", done.stdout + done.stderr)


def test_check_renders_a_fetch_handler(run, tmp_path):
    (tmp_path / "server.js").write_text(FETCH)
    done = run(harness.SSRCTL, "check", "server.js", "--url", "/kept", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["is"] == "an ES module that exports default.fetch(request, env, ctx)"
    assert report["pages"][0]["bytes"] == 4
