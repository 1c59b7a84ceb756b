# SPDX-License-Identifier: MIT
"""ssrctl: each command, its output for people and for scripts, its exit codes."""

import json
import os
import select

import pytest

import harness


def test_status_is_one_screen_and_json(ssrd):
    server = ssrd(config={"workers": 2})
    server.get("/a")
    text = server.ctl("status").stdout
    assert len(text.splitlines()) <= 40
    status = server.ctl("status", json_output=True)
    assert status["generation"] == 1 and len(status["workers"]) == 2 and status["version"]
    for pid in server.workers():
        assert str(pid) in text
    assert {"pid", "cpu", "state", "requests", "renders", "rss_bytes", "heap_bytes"} <= set(status["workers"][0])
    assert set(server.status()) == set(status), "the admin listener says the same"


def test_reload_prints_the_outcome(ssrd):
    server = ssrd()
    assert "2" in server.ctl("reload").stdout
    server.bundle.write_text("globalThis.renderPage = () => {\n  nothing.here;\n};")
    done = server.ctl("reload", check=False)
    assert done.returncode == 1
    assert "ReferenceError" in done.stderr + done.stdout and "server.js:2:3" in done.stderr + done.stdout


@pytest.mark.parametrize("command", ["stop", "drain"])
def test_stop_and_drain_end_the_server(ssrd, command):
    server = ssrd()
    server.ctl(command)
    assert server.wait() == 0
    assert server.leftovers() == []


def test_drain_finishes_what_is_in_flight(ssrd):
    server = ssrd("globalThis.renderPage = u => u === '/slow' ? new Promise(d => setTimeout(d, 300, 'done')) : 'x';")
    with server.connect() as client:
        client.request("/slow")
        harness.until(lambda: server.status()["connections"] >= 1, "the request to be there")
        server.ctl("drain")
        assert client.answer().text == "done"
    assert server.wait() == 0


@pytest.fixture
def filled(ssrd):
    """A server of two workers that has the same five pages in all its caches, and their bodies."""
    server = ssrd("let n = 0; globalThis.renderPage = (url) => ({body: url + ' ' + ssr.generation + ' ' + Math.random(),"
                  " cache: {tags: [url.startsWith('/blog') ? 'blog' : 'site']}});", {"workers": 2})
    paths = ["/", "/a?x=1", "/a?x=2", "/blog/1", "/blog/2"]
    bodies = {}
    for path in paths:
        bodies[path] = server.get(path).body
        for _ in range(6):
            assert server.get(path).body == bodies[path]
    return server, bodies


def changed(server, bodies):
    return {path for path, body in bodies.items() if server.get(path).body != body}


@pytest.mark.parametrize("arguments, gone", [
    (["/a?x=1"], {"/a?x=1"}), (["/a?x=1", "http://localhost/blog/2"], {"/a?x=1", "/blog/2"}),
    (["--prefix", "/blog/"], {"/blog/1", "/blog/2"}), (["--prefix", "/a"], {"/a?x=1", "/a?x=2"}),
    (["--tag", "blog"], {"/blog/1", "/blog/2"}),
    (["--all"], {"/", "/a?x=1", "/a?x=2", "/blog/1", "/blog/2"}), (["/not-there"], set()),
])
def test_purge_is_done_in_every_worker_when_it_returns(filled, arguments, gone):
    server, bodies = filled
    server.ctl("purge", *arguments)
    assert changed(server, bodies) == gone


def test_cache_stat(filled):
    server, _ = filled
    stat = server.ctl("cache", "stat", json_output=True)
    assert stat["cold"]["entries"] >= 5 and stat["requests"]["hot"] + stat["requests"]["cold"] >= 25
    assert "cold" in server.ctl("cache", "stat").stdout


def test_render_prints_the_page_past_the_cache(ssrd):
    server = ssrd("let n = 0; globalThis.renderPage = (u, data) => u + JSON.stringify(data) + ++n;")
    first, second = (server.ctl("render", "/x?y", "--data", '{"a":"ü"}').stdout for _ in range(2))
    assert first.startswith('/x?y{"a":"ü"}') and first != second


def test_render_of_a_failing_page_is_exit_1(ssrd):
    server = ssrd("globalThis.renderPage = u => { if (u === '/bad') throw new Error('why'); return 'x'; };")
    assert server.ctl("render", "/bad", check=False).returncode == 1


def test_check_renders_a_bundle_in_a_process_of_its_own(run, tmp_path):
    (tmp_path / "good.js").write_text("globalThis.renderPage = (u, data) => u + data.name;")
    done = run(harness.SSRCTL, "check", "good.js", "--url", "/", "--url", "/b", "--data", '{"name":"n"}')
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "bad.js").write_text("globalThis.renderPage = () => '';\nnothing.foo();")
    done = run(harness.SSRCTL, "check", "bad.js")
    assert done.returncode == 1 and "bad.js:2:1" in done.stdout + done.stderr


def test_check_as_json(run, tmp_path):
    (tmp_path / "good.js").write_text("globalThis.renderPage = () => 'page';")
    json.loads(run(harness.SSRCTL, "--json", "check", "good.js", "--url", "/").stdout)


STATE = """let user = 'nobody';
function save(value) {
  globalThis.title = value;
}
globalThis.counted = 0;
globalThis.renderPage = (url) => {
  if (url === '/b') {
    user = 'b'; save('B');
    Math.max = null;
    leaked = user;
    delete globalThis.ssr;
    counted++;
  }
  if (url === '/c') Array.prototype.last = function () { return this[this.length - 1] };
  return url === '/a' ? 'hello ' + user : 'page';
};
"""


def test_check_tells_what_renders_leave_for_the_next_and_by_which_line(run, tmp_path):
    (tmp_path / "state.js").write_text(STATE)
    ask = ("check", "state.js", "--url", "/a", "--url", "/b", "--url", "/c", "--url", "/d")
    report = json.loads(run(harness.SSRCTL, "--json", *ask).stdout)
    a, b, c, d = report["pages"]
    assert report["ok"]  # told, not judged
    assert a["differs_at"] == len("hello ") and "left" not in a
    assert {one["name"]: one.get("at") for one in b["left"]} == {
        "title": "state.js:3:20", "Math.max": "state.js:9:14", "leaked": "state.js:10:12", "counted": "state.js:12:12", "ssr": None}
    assert c["left"] == [{"name": "Array.prototype.last", "at": "state.js:14:42"}]
    assert "left" not in d and "differs_at" not in b and "differs_at" not in c and "differs_at" not in d
    assert not any("body" in page for page in (a, b, c, d))
    text = run(harness.SSRCTL, *ask).stdout
    assert text.count("it differs, from byte 6 on") == 1
    assert text.count("leaves in globals, put back by render.isolation: reset:") == 2
    assert "\n      title, set at state.js:3:20\n" in text and "\n      ssr\n" in text


def test_check_tells_lines_of_the_sources(run, tmp_path):
    (tmp_path / "app.js").write_text("globalThis.renderPage = () => { globalThis.user = 1; return 'page' };\n//# sourceMappingURL=app.js.map\n")
    mapping = {"version": 3, "sources": ["src/page.jsx"], "sourcesContent": ["1\n2\n3\n"], "names": [], "mappings": "AAEI"}
    (tmp_path / "app.js.map").write_text(json.dumps(mapping))
    page = json.loads(run(harness.SSRCTL, "--json", "check", "app.js", "--url", "/").stdout)["pages"][0]
    assert page["left"][0]["name"] == "user" and page["left"][0]["at"].endswith("src/page.jsx:3:5")


def test_log_level_reaches_every_process(ssrd):
    server = ssrd("globalThis.renderPage = (u) => { console.debug('seen ' + u); return u; };")
    server.get("/before")
    server.ctl("log", "debug")
    server.get("/after")
    server.wait_log("seen /after")
    assert "seen /before" not in server.log
    assert server.ctl("log", "shouting", check=False).returncode != 0


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["cache"], ["cache", "bogus"], ["purge"], ["render"], ["check"],
                                       ["log"], ["--bogus", "status"], ["status", "extra"]])
def test_wrong_usage_is_64(run, arguments):
    done = run(harness.SSRCTL, *arguments)
    assert done.returncode == 64 and "ssrctl: " in done.stderr


def test_help(run):
    done = run(harness.SSRCTL, "-h")
    assert done.returncode == 0
    for command in ("status", "reload", "stop", "drain", "check", "render", "cache", "purge", "log"):
        assert command in done.stdout


def test_no_server_is_69_and_says_so(run, sockets):
    done = run(harness.SSRCTL, "-s", f"{sockets}/nobody", "status")
    assert done.returncode == 69 and f"{sockets}/nobody" in done.stderr


def test_socket_is_taken_from_the_config(ssrd, run):
    server = ssrd()
    assert run(harness.SSRCTL, "-c", server.config_file, "status").returncode == 0


def test_server_survives_nonsense_on_its_control_socket(ssrd):
    server = ssrd()
    for data in (b"\n", b"{}\n", b"\0" * 5000 + b"\n", b'{"command":7}\n', b"[" * 100000 + b"\n", b"x" * 3000000, b'{"'):
        with harness.Client(server.control) as client:
            try:
                client.send(data)
                if data.endswith(b"\n"):
                    client._take_until(b"\n")
            except (harness.Closed, BrokenPipeError, ConnectionResetError):
                pass
    server.ctl("status")
    assert server.get().status == 200


def test_half_a_request_on_the_control_socket_holds_nobody_up(ssrd):
    server = ssrd()
    clients = [harness.Client(server.control) for _ in range(20)]
    for client in clients:
        client.send(b'{"comm')
    server.ctl("status")
    server.ctl("reload")


def test_control_socket_is_for_its_owner_alone(ssrd):
    assert os.stat(ssrd().control).st_mode & 0o007 == 0


def test_reload_goes_on_when_its_asker_leaves(ssrd):
    server = ssrd()
    server.bundle.write_text("globalThis.renderPage = () => 'second';")
    with harness.Client(server.control) as client:
        client.send(b'{"command":"reload"}\n')
    harness.until(lambda: server.get("/p").text == "second", "the reload that was asked for")
    assert not select.select([server.pidfd], [], [], 0)[0]
