# SPDX-License-Identifier: MIT
"""ssrctl cache ls and cache get: what people and scripts are told of each entry."""

import harness

QUIET = {"warmup": []}
ODD_TAGS = """
globalThis.renderPage = (url) => {
    ssr.cache.set('a\\0b', 'm', {tags: ['a\\0b', 'a, b', '', 'ü', '\\x1b[31m', 'back\\\\slash', 'x'.repeat(3000)]});
    return {body: url, headers: {'surrogate-key': 'one two', 'cache-tag': 'big red,\\xff'}, cache: {tags: ['t']}};
};"""


def entries(server, *arguments):
    return {(e["kind"], e["url"] or e["key"]): e for e in server.ctl("cache", *arguments, json_output=True)}


def test_tags_of_pages_and_fragments_by_their_names(ssrd):
    server = ssrd(ODD_TAGS, {"bundle": QUIET})
    assert server.get("/a").status == 200
    found = entries(server, "ls")
    page, fragment = found["page", "/a"], found["fragment", "a\0b"]
    assert page["tags"] == ["one", "two", "big red", "\\xff", "t"]
    assert fragment["tags"] == ["a\0b", "a, b", "", "ü", "\x1b[31m", "back\\slash", "x" * 3000]
    assert entries(server, "get", "/a")["page", "/a"]["tags"] == page["tags"]
    head, *lines = server.ctl("cache", "ls").stdout.splitlines()
    assert head.split()[-2:] == ["url", "tags"]
    assert f"localhost/a  one,two,big\\x20red,\\xff,t" in "\n".join(lines)
    assert f"fragment a\\x00b  a\\x00b,a\\x2c\\x20b,,ü,\\x1b[31m,back\\slash,{'x' * 3000}" in "\n".join(lines)
    assert "tags    one,two,big\\x20red,\\xff,t\n" in server.ctl("cache", "get", "/a").stdout
    server.ctl("purge", "--tag", "big red")  # each of them purges, the odd as the others
    assert not server.ctl("cache", "get", "/a", check=False).stdout
    server.get("/a")
    server.ctl("purge", "--tag", fragment["tags"][-1])
    assert list(entries(server, "ls")) == [("page", "/a")]


def test_a_page_without_tags_shows_a_dash(ssrd):
    server = ssrd(harness.HELLO, {"bundle": QUIET})
    server.get("/a")
    assert server.ctl("cache", "ls").stdout.splitlines()[1].endswith("localhost/a  -")
    assert entries(server, "get", "/a")["page", "/a"]["tags"] == []


def test_tags_outlive_a_restart_and_a_second_encoding(ssrd, tmp_path):
    bundle = "globalThis.renderPage = (url) => ({body: url.repeat(2000), cache: {tags: ['one', 'two']}});"
    config = {"bundle": QUIET, "cache": {"cold": "4MiB", "file": str(tmp_path / "cache")}}
    server = ssrd(bundle, config)
    server.get("/a")
    server.get("/a", headers={"Accept-Encoding": "gzip"})  # the page is stored anew, with one variant more
    assert len(entries(server, "get", "/a")["page", "/a"]["variants"]) == 2
    assert entries(server, "ls")["page", "/a"]["tags"] == ["one", "two"]
    assert server.stop() == 0
    server = ssrd(bundle, config)
    assert entries(server, "ls")["page", "/a"]["tags"] == ["one", "two"]
    assert "hit" in server.get("/a").cache
    server.ctl("purge", "--tag", "two")
    assert "hit" not in server.get("/a").cache


def test_a_page_with_more_tags_than_can_be_kept_is_not_stored(ssrd):
    server = ssrd("""globalThis.renderPage = (url) => {
        const kept = ssr.cache.set('f', 'm', {tags: Array(64).fill('x'.repeat(300))});
        return {body: String(kept), headers: {'cache-tag': Array(64).fill('x'.repeat(url.length > 2 ? 300 : 200)).join()}}; };""",
                  {"bundle": QUIET, "http": {"max_header": "16KiB"}})
    small, large = server.get("/a"), server.get("/aa")
    assert "stored" in small.cache and "detail=tags" in large.cache, (small, large)
    assert small.text == "false"
    assert list(entries(server, "ls")) == [("page", "/a")]


def test_an_empty_cache(ssrd):
    server = ssrd(harness.HELLO, {"bundle": QUIET})
    assert server.ctl("cache", "ls", json_output=True) == []
    listed = server.ctl("cache", "ls")
    assert (listed.stdout, listed.stderr) == ("", "")
    absent = server.ctl("cache", "get", "/none", check=False)
    assert (absent.returncode, absent.stdout, absent.stderr) == (1, "", "ssrctl: not in the cold cache\n")
    stat = server.ctl("cache", "stat", json_output=True)
    assert stat["cold"]["entries"] == stat["cold"]["used_bytes"] == stat["hot"]["entries"] == 0
