# SPDX-License-Identifier: MIT
"""Files of static folders: what is served, with which fields, in which encoding, and what never is."""

import gzip
import os
import socket


import pytest

import harness

OLD = 1_600_000_000  # Sun, 13 Sep 2020 12:26:40 GMT
OLD_DATE = "Sun, 13 Sep 2020 12:26:40 GMT"
BIG = bytes(range(256)) * 4096 * 4  # 4 MiB: sent from the file


def write(path, data, mtime=OLD):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    os.utime(path, (mtime, mtime))


@pytest.fixture
def site(ssrd, tmp_path):
    """start(**fields of the static entry) -> Server; its folder is site.root."""
    root = tmp_path / "client"
    write(f"{root}/app.js", "console.log('app')")
    write(f"{root}/big.bin", BIG)
    write(f"{root}/docs/index.html", "<p>docs</p>")
    write(f"{root}/odd name.txt", "odd")
    write(f"{root}/.env", "SECRET=1")
    write(f"{root}/.well-known/security.txt", "Contact: x")
    write(f"{tmp_path}/outside.txt", "outside")
    os.makedirs(root / "empty")
    os.chmod(tmp_path, 0o755)
    parents = list(root.parents)
    for parent in parents[:3]:
        try:
            os.chmod(parent, os.stat(parent).st_mode | 0o055)
        except PermissionError:
            break

    def start(**fields):
        return ssrd(harness.COUNTING, {"static": [{"prefix": "/assets/", "root": str(root), **fields}], "user": "root"})
    start.root = str(root)
    return start


def test_a_file_has_its_type_length_and_validators(site):
    answer = site(max_age="1y", immutable=True).get("/assets/app.js")
    assert answer.status == 200 and answer.text == "console.log('app')"
    assert answer["content-type"] == "text/javascript; charset=utf-8"
    assert answer["content-length"] == "18"
    assert answer["last-modified"] == OLD_DATE
    assert answer["cache-control"] == "public, max-age=31536000, immutable"
    assert answer["accept-ranges"] == "bytes"
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["vary"] is None, "there is one encoding only"


def test_without_max_age_browsers_ask_each_time(site):
    assert site().get("/assets/app.js")["cache-control"] == "public, max-age=0, must-revalidate"


@pytest.mark.parametrize("path", ["/assets/app.js", "/assets/big.bin"])
def test_conditions_and_ranges(site, path):
    server = site()
    whole = server.get(path)
    etag, size = whole["etag"], len(whole.body)
    assert etag.startswith('"') and whole.body == open(site.root + path[7:], "rb").read()

    def get(**headers):
        return server.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    for headers in ({"If_None_Match": etag}, {"If_None_Match": f'"x", W/{etag}'}, {"If_None_Match": "*"},
                    {"If_Modified_Since": OLD_DATE}):
        answer = get(**headers)
        assert answer.status == 304 and answer.body == b"" and answer["etag"] == etag, headers
        assert answer["content-length"] is None and answer["content-type"] is None
    for headers in ({"If_None_Match": '"x"'}, {"If_Modified_Since": "Sun, 13 Sep 2020 12:26:39 GMT"},
                    {"If_None_Match": '"x"', "If_Modified_Since": OLD_DATE}, {"If_Modified_Since": "soon"},
                    {"If_Match": etag}, {"If_Unmodified_Since": OLD_DATE}):
        assert get(**headers).status == 200, headers
    for headers in ({"If_Match": '"x"'}, {"If_Unmodified_Since": "Sun, 13 Sep 2020 12:26:39 GMT"}):
        assert get(**headers).status == 412, headers

    part = get(Range="bytes=2-5")
    assert part.status == 206 and part.body == whole.body[2:6]
    assert part["content-range"] == f"bytes 2-5/{size}" and part["content-length"] == "4"
    assert get(Range="bytes=-3").body == whole.body[-3:]
    assert get(Range=f"bytes={size - 2}-").body == whole.body[-2:]
    beyond = get(Range=f"bytes={size}-")
    assert beyond.status == 416 and beyond["content-range"] == f"bytes */{size}" and beyond.body == b""
    assert get(Range="bytes=0-1,3-4").body == whole.body, "several ranges: the whole"
    with server.connect() as client:
        twice = client.get(path, headers=[("Range", "bytes=0-1"), ("Range", "bytes=2-3")])
        assert twice.status == 200 and twice.body == whole.body, "two fields: neither"
    assert get(Range="bytes=2-5", If_Range=etag).status == 206
    assert get(Range="bytes=2-5", If_Range=OLD_DATE).status == 206
    assert get(Range="bytes=2-5", If_Range='"x"').status == 200
    assert get(Range="bytes=2-5", If_Range="W/" + etag).status == 200, "strong comparison"
    head = server.get(path, method="HEAD")
    assert head.status == 200 and int(head["content-length"]) == size
    with server.connect() as client:  # pipelined, in order, over both ways to send
        for _ in range(3):
            client.request(path, headers={"Range": "bytes=1-3"})
            client.request(path, method="HEAD")
            client.request(path)
        for _ in range(3):
            assert client.answer("GET").body == whole.body[1:4]
            assert client.answer("HEAD").status == 200
            assert client.answer("GET").body == whole.body


def test_neighbours_are_chosen_by_accept_encoding(site):
    packed = gzip.compress(b"console.log('app')")
    write(f"{site.root}/app.js.gz", packed)
    write(f"{site.root}/app.js.br", "not really brotli")
    server = site()

    def get(value):
        return server.get("/assets/app.js", headers={"Accept-Encoding": value})

    br, gz, plain = get("gzip, deflate, br"), get("gzip"), get("identity")
    assert (br["content-encoding"], gz["content-encoding"], plain["content-encoding"]) == ("br", "gzip", None)
    assert br.text == "not really brotli" and gz.body == packed and plain.text == "console.log('app')"
    assert len({br["etag"], gz["etag"], plain["etag"]}) == 3
    assert {a["vary"] for a in (br, gz, plain)} == {"Accept-Encoding"}
    assert {a["content-type"] for a in (br, gz, plain)} == {"text/javascript; charset=utf-8"}
    assert get("br;q=0.1, gzip;q=0.2").body == packed
    assert get("br;q=0, *").body == packed
    assert server.get("/assets/app.js").text == plain.text
    assert server.get("/assets/app.js", headers={"Accept-Encoding": "br", "If-None-Match": gz["etag"]}).status == 200


def test_a_neighbour_older_than_its_file_is_not_served(site):
    write(f"{site.root}/app.js.gz", gzip.compress(b"of yesterday"), OLD - 1)
    answer = site().get("/assets/app.js", headers={"Accept-Encoding": "gzip"})
    assert answer["content-encoding"] is None and answer.text == "console.log('app')"


@pytest.mark.parametrize("path", [
    "/assets/../outside.txt", "/assets/%2e%2e/outside.txt", "/assets/..%2foutside.txt", "/assets/link.txt",
    "/assets/linked/outside.txt", "/assets/.env", "/assets/%2eenv", "/assets//app.js", "/assets/app.js%00.png",
    "/assets/fifo", "/assets/none", "/assets/app.js/", "/assets/empty/", "/assets/empty", "/assets/%zz",
    "/assets/" + "a" * 5000, "/assets/" + "a/" * 1000 + "a"])
def test_what_is_not_to_be_served_is_404(site, tmp_path, path):
    os.symlink(tmp_path / "outside.txt", f"{site.root}/link.txt")
    os.symlink("..", f"{site.root}/linked")
    os.mkfifo(f"{site.root}/fifo")
    answer = site().get(path)
    assert answer.status == 404 and answer["cache-control"] == "no-store", answer


def test_what_only_looks_odd_is_served(site):
    os.symlink("app.js", f"{site.root}/inside.js")
    server = site()
    assert server.get("/assets/odd%20name.txt").text == "odd"
    assert server.get("/assets/.well-known/security.txt").text == "Contact: x"
    assert server.get("/assets/inside.js").text == "console.log('app')"
    assert server.get("/assets/app.js?v=1").text == "console.log('app')"


def test_folders_have_an_index_and_a_page_for_what_is_missing(site):
    write(f"{site.root}/404.html", "<p>lost</p>")
    server = site()
    assert server.get("/assets/docs/").text == "<p>docs</p>"
    there = server.get("/assets/docs?x=1")
    assert there.status == 301 and there["location"] == "/assets/docs/?x=1"
    lost = server.get("/assets/nothing")
    assert lost.status == 404 and lost.text == "<p>lost</p>" and lost["content-type"].startswith("text/html")


def test_below_the_root_the_bundle_answers_for_what_is_no_file(site):
    write(f"{site.root}/index.html", "the client build's shell")
    server = site(prefix="/")
    assert server.get("/app.js").text == "console.log('app')"
    assert "render" in server.get("/").text, "an index.html there does not hide the bundle's home page"
    assert "render" in server.get("/nothing").text
    assert "detail=hot" in server.get("/nothing").cache
    assert server.get("/.env").status == 200 and b"SECRET" not in server.get("/.env").body
    assert server.get("/nothing", method="POST", body=b"x").status == 405


def test_other_methods_are_refused(site):
    answer = site().get("/assets/app.js", method="POST", body=b"x")
    assert answer.status == 405 and answer["allow"] == "GET, HEAD"


def test_a_new_version_is_served_within_a_second_and_old_ones_stay_whole(site):
    server = site()
    first = server.get("/assets/app.js")
    write(f"{site.root}/new.js", "a new version", OLD)  # the same time: its inode tells
    os.rename(f"{site.root}/new.js", f"{site.root}/app.js")
    second = harness.until(lambda: (a := server.get("/assets/app.js")).body != first.body and a, "the new version")
    assert second.text == "a new version" and second["etag"] != first["etag"]
    os.remove(f"{site.root}/app.js")
    harness.until(lambda: server.get("/assets/app.js").status == 404, "404 for what was removed")


LARGE = b"0123456789abcde\n" * 4096  # 64 KiB: sent from a descriptor that stays open


def test_a_large_file_that_is_written_replaced_or_removed_is_seen_by_the_next_request(site):
    """Unlike a name that is new, which may take a second: the descriptor itself tells."""
    path = f"{site.root}/large.txt"
    write(path, LARGE)
    server = site()
    first = server.get("/assets/large.txt")
    assert first.body == LARGE and server.get("/assets/large.txt", headers={"If-None-Match": first["etag"]}).status == 304
    with open(path, "r+b") as file:
        file.write(b"written over")
    os.utime(path, (OLD, OLD))
    second = server.get("/assets/large.txt", headers={"If-None-Match": first["etag"]})
    assert second.status == 200 and second.body == b"written over" + LARGE[12:] and second["etag"] != first["etag"]
    write(f"{site.root}/next.txt", LARGE[::-1])
    os.rename(f"{site.root}/next.txt", path)
    third = server.get("/assets/large.txt", headers={"Range": "bytes=0-9", "If-Range": second["etag"]})
    assert third.status == 200 and third.body == LARGE[::-1]
    os.chmod(path, 0o600)
    assert server.get("/assets/large.txt").body == LARGE[::-1]
    os.remove(path)
    assert server.get("/assets/large.txt").status == 404


def test_a_neighbour_of_a_large_file_is_seen_within_a_second_and_changes_no_other_tag_for_the_worse(site):
    path = f"{site.root}/large.js"
    write(path, LARGE)
    server = site()
    assert server.get("/assets/large.js")["vary"] is None
    write(path + ".gz", gzip.compress(LARGE))
    packed = harness.until(lambda: (a := server.get("/assets/large.js", headers={"Accept-Encoding": "gzip"}))["content-encoding"] and a,
                           "the neighbour")
    assert gzip.decompress(packed.body) == LARGE and packed["vary"] == "Accept-Encoding"
    plain = server.get("/assets/large.js")
    assert plain.body == LARGE and plain["etag"] != packed["etag"]
    os.truncate(path + ".gz", 10)
    assert server.get("/assets/large.js", headers={"Accept-Encoding": "gzip"})["etag"] != packed["etag"]


def test_a_large_file_that_is_gone_keeps_no_room_on_the_disk(site):
    write(f"{site.root}/large.txt", LARGE)
    server = site()
    assert server.get("/assets/large.txt").body == LARGE
    os.remove(f"{site.root}/large.txt")

    def open_files():
        folder = f"/proc/{server.workers()[0]}/fd"
        for fd in os.listdir(folder):
            try:
                yield os.readlink(f"{folder}/{fd}")
            except FileNotFoundError:  # closed since it was listed
                pass

    harness.until(lambda: not any("large.txt" in name for name in open_files()), "its descriptor to be closed")


def test_a_file_beyond_4_gib_is_served_in_parts(site):
    path = f"{site.root}/huge.bin"
    size = 5 * 2 ** 30
    write(path, b"")
    with open(path, "r+b") as file:  # sparse
        file.truncate(size)
        file.seek(size - 7)
        file.write(b"the end")
    server = site()
    assert int(server.get("/assets/huge.bin", method="HEAD")["content-length"]) == size
    tail = server.get("/assets/huge.bin", headers={"Range": "bytes=-5"})
    assert tail.status == 206 and tail.body == b"e end" and tail["content-range"] == f"bytes {size - 5}-{size - 1}/{size}"
    middle = server.get("/assets/huge.bin", headers={"Range": f"bytes={2 ** 32 - 2}-{2 ** 32 + 1}"})
    assert middle.status == 206 and middle.body == bytes(4)
    with server.connect() as client:
        client.request("/assets/huge.bin")
        assert client.socket.recv(4096).startswith(b"HTTP/1.1 200")


def test_an_empty_file_is_a_page_without_content(site):
    write(f"{site.root}/empty.css", "")
    server = site()
    for _ in range(2):
        answer = server.get("/assets/empty.css")
        assert (answer.status, answer["content-length"], answer.body) == (200, "0", b"")
    assert server.get("/assets/empty.css", headers={"Range": "bytes=0-0"}).status in (200, 416)


def test_another_folder_in_the_place_of_the_first_is_seen(site):
    server = site()
    assert server.get("/assets/app.js").status == 200
    os.rename(site.root, site.root + ".old")
    write(f"{site.root}/app.js", "of the next deploy")
    harness.until(lambda: server.get("/assets/app.js").body == b"of the next deploy", "the new folder")


def test_a_file_cut_short_while_it_is_sent_closes_the_connection(site):
    server = site()
    with server.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.request("/assets/big.bin")
        client.socket.recv(1000)
        os.truncate(f"{site.root}/big.bin", 1000)
        got = 1000 + len(client.until_closed())
    assert got < len(BIG), "what was promised can't be sent: the client must see that"
    assert server.get("/assets/app.js").status == 200


def test_a_slow_reader_of_a_large_file_gets_all_of_it_while_others_are_served(site):
    server = site()
    with server.connect() as client:
        client.request("/assets/big.bin")
        for _ in range(20):
            assert server.get("/assets/app.js").status == 200
        assert client.answer("GET").body == BIG


def test_an_unreadable_file_is_403_and_logged(ssrd, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to run workers as another user")
    write(f"{tmp_path}/client/secret.js", "x")
    os.chmod(f"{tmp_path}/client/secret.js", 0o600)
    for parent in (tmp_path, *list(tmp_path.parents)[:2]):
        os.chmod(parent, 0o755)
    server = ssrd(config={"static": [{"prefix": "/assets/", "root": f"{tmp_path}/client"}], "user": "nobody"})
    assert server.get("/assets/secret.js").status == 403
    server.wait_log("static file.*secret.js.*Permission denied")


def test_a_folder_that_is_not_there_refuses_start_and_reload(ssrd, run, tmp_path):
    server = ssrd(config={"static": [{"prefix": "/assets/", "root": str(tmp_path / "none")}]}, ready=False)
    assert server.wait() == 78
    assert "static[0].root" in server.log and "no such folder" in server.log
    assert run(harness.SSRD, "-t", "-c", server.config_file).returncode == 1



def test_a_small_file_that_has_grown_large_leaves_the_hot_cache(site):
    server = site()

    def kept(count):
        return lambda: f"\nssrd_hot_cache_entries {count}\n" in server.admin("/metrics").text

    assert server.get("/assets/app.js").text == "console.log('app')"
    harness.until(kept(1), "it is kept")
    write(f"{site.root}/app.js", BIG)
    harness.until(lambda: server.get("/assets/app.js").body == BIG, "the new content")
    harness.until(kept(0), "its old content is given back")
