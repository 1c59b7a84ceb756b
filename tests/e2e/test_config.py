# SPDX-License-Identifier: MIT
"""ssrd's command line and its YAML, from outside."""

import os
import re
import socket

import pytest

import harness


@pytest.fixture
def check(run, tmp_path):
    """check(yaml text, …) -> CompletedProcess of ssrd -t; a good bundle is there."""
    (tmp_path / "server.js").write_text(harness.HELLO)

    def call(text, *options, **more):
        (tmp_path / "c.yaml").write_text(text)
        return run(harness.SSRD, "-t", "-c", "c.yaml", *options, **more)
    return call


GOOD = "bundle: {path: server.js}\n"


def test_good_config_is_exit_0(check):
    done = check(GOOD)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text, line, column, told", [
    ("wokers: 2\n", 1, 1, "workers"), ("cache:\n  tll: 5s\n", 2, 3, "ttl"),
    ("workers: 1\nworkers: 2\n", 2, 1, "workers"), ("workers: two\n", 1, 10, "workers"),
    ("workers: 100000\n", 1, 10, "workers"), ("pin: 7\n", 1, 6, "pin"), ("log: {level: loud}\n", 1, 14, "level"),
    ("render:\n  timeout: fast\n", 2, 12, "timeout"), ("render:\n  heap: 1kB\n", 2, 9, "heap"),
    ("listen: [127.0.0.1]\n", 1, 10, "listen"), ("cache: [1]\n", 1, 8, "cache"),
    ("routes:\n  - match: /a\n    cach: {}\n", 3, 5, "cache"), ("a: [\n", 2, 1, ""), ("\tworkers: 1\n", 1, 1, ""),
    ("bundle:\n  path: ${NO_SUCH_VARIABLE_IN_TESTS}\n", 2, 9, "NO_SUCH_VARIABLE_IN_TESTS"),
])
def test_problem_is_told_with_its_place(check, text, line, column, told):
    done = check(text)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    found = re.search(r"^c\.yaml:(\d+):(\d+): (.*)$", output, re.M)
    assert found, output
    assert int(found[1]) == line and told in found[3], output
    if column and told:
        assert int(found[2]) == column, output


def test_all_problems_are_told_at_once(check):
    output = check("wokers: 2\npin: 7\nlog: {level: loud}\n")
    assert len(re.findall(r"^c\.yaml:\d+:\d+: ", output.stdout + output.stderr, re.M)) == 3


def test_bad_bundle_is_told_with_its_place(check, tmp_path):
    (tmp_path / "server.js").write_text("globalThis.renderPage = () => 'x';\n\n  broken(;\n")
    done = check(GOOD)
    assert done.returncode == 1
    assert re.search(r"server\.js:3:\d+: .*SyntaxError", done.stdout + done.stderr)


def test_missing_config_is_told(run):
    done = run(harness.SSRD, "-t", "-c", "nothing.yaml")
    assert done.returncode == 1 and "nothing.yaml" in done.stdout + done.stderr
    assert run(harness.SSRD, "-c", "nothing.yaml").returncode == 78


@pytest.mark.parametrize("text", ["250ms", "5s", "10m", "1h", "3", "0.5"])
def test_durations(check, text):
    assert check(GOOD + f"shutdown_timeout: {text}\n").returncode == 0


@pytest.mark.parametrize("text", ["65536", "64KiB", "16MiB", "1GiB"])
def test_sizes(check, text):
    assert check(GOOD + f"cache: {{hot: {text}}}\n").returncode == 0


def test_sample_config_is_good(run, tmp_path):
    (tmp_path / "server.js").write_text(harness.HELLO)
    done = run(harness.SSRD, "-t", "-c", f"{harness.ROOT}/etc/ssrd.yaml", "-o", "bundle.path=server.js")
    assert done.returncode == 0, done.stdout + done.stderr


def test_override_wins_and_is_named_when_wrong(check):
    assert check("workers: 1\n" + GOOD, "-o", "workers=2", "-o", "cache.ttl=5s").returncode == 0
    done = check(GOOD, "-o", "cache.tll=5s")
    assert done.returncode == 1 and "-o cache.tll" in done.stdout + done.stderr
    assert check(GOOD, "-o", "nonsense").returncode in (1, 64)


def test_override_reaches_the_server(ssrd):
    assert len(ssrd(options=["-o", "workers=2"]).workers()) == 2


def test_environment_is_read(ssrd):
    server = ssrd(config={"bundle": {"function": "${PAGE_FUNCTION:-renderPage}"}, "workers": "${HOW_MANY}"},
                  env={"HOW_MANY": "2"})
    assert len(server.workers()) == 2 and server.get().status == 200


def test_config_in_the_working_directory_is_found(ssrd, tmp_path):
    first = ssrd()  # writes ssrd.yaml
    assert first.stop() == 0
    server = harness.Server(tmp_path, [], address=first.address, cwd=tmp_path)
    try:
        server.wait_ready()
        assert server.get().status == 200
    finally:
        server.kill()


def test_bundle_alone_needs_no_config(tmp_path, sockets):
    (tmp_path / "app.js").write_text(harness.HELLO)
    port = harness.free_port()
    server = harness.Server(tmp_path, ["-o", f"listen=[127.0.0.1:{port}]", "-o", f"admin.socket={sockets}/c",
                                       "-o", "workers=1", "app.js"], address=("127.0.0.1", port), cwd=tmp_path)
    try:
        server.wait_ready()
        assert server.get("/x").text == "<p>hello /x</p>"
    finally:
        server.kill()


def test_defaults_serve_although_the_admin_port_is_taken(tmp_path, sockets):
    """A first try beside another server: the admin port was nobody's wish, so its loss is a warning."""
    (tmp_path / "app.js").write_text(harness.HELLO)
    port = harness.free_port()
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(("127.0.0.1", 9180))
        taken.listen()
    except OSError:
        pass  # taken by another one already, which is as good
    server = harness.Server(tmp_path, ["-o", f"listen=[127.0.0.1:{port}]", "-o", f"admin.socket={sockets}/c",
                                       "-o", "workers=1", "app.js"], address=("127.0.0.1", port), cwd=tmp_path)
    try:
        server.wait_ready()
        server.wait_log("9180")
        assert server.get().status == 200
    finally:
        server.kill()
        taken.close()


def test_help_names_every_key(run):
    done = run(harness.SSRD, "-h")
    assert done.returncode == 0
    for key in ("listen", "workers", "bundle.path", "render.timeout", "cache.ttl", "http.keepalive", "routes"):
        assert key in done.stdout


def test_version_names_v8(run):
    done = run(harness.SSRD, "-V")
    assert done.returncode == 0 and re.search(r"^ssrd \d+\.\d+\.\d+", done.stdout)
    assert re.search(r"V8.*\d+\.\d+\.\d+", done.stdout)


@pytest.mark.parametrize("arguments", [["-x"], ["-c"], ["-o"], ["a.js", "b.js"], ["--bogus"], []])
def test_wrong_usage_is_64(run, arguments):
    done = run(harness.SSRD, *arguments)
    assert done.returncode == 64 and "ssrd" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_check_runs_the_bundle_as_the_user_who_will_serve_it(run, tmp_path):
    (tmp_path / "own.js").write_text("export default 'for root alone';")
    (tmp_path / "own.js").chmod(0o600)
    (tmp_path / "server.mjs").write_text("export const renderPage = async () => (await import('./' + 'own.js')).default;")
    (tmp_path / "c.yaml").write_text("bundle: {path: server.mjs}\n")
    for program in ([harness.SSRD, "-t", "-c", "c.yaml"], [harness.SSRD, "-t", "-c", "c.yaml", "-o", "user=nobody"]):
        done = run(*program)
        assert done.returncode == 1 and "own.js" in done.stdout, done.stdout + done.stderr
    assert run(harness.SSRD, "-t", "-c", "c.yaml", "-o", "user=root").returncode == 0
    nobody_there = run(harness.SSRD, "-t", "-c", "c.yaml", "-o", "user=no-such-user")
    assert nobody_there.returncode == 1 and "no-such-user" in nobody_there.stderr
