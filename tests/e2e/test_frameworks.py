# SPDX-License-Identifier: MIT
"""Applications built by each framework's own tool (tests/frameworks): every page equals, byte for byte, what the same bundle gives
in Node.js. SSRD_FRAMEWORKS: "quick", which is the default, "all", or names with commas between them."""

import os
import sys

import pytest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "frameworks"))
import proof as proofs  # noqa: E402  (found through the line above)

# Made anew for each answer, or about the connection.
OF_THE_SERVER = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}


def chosen():
    wanted = os.environ.get("SSRD_FRAMEWORKS", "quick")
    everything = proofs.applications()
    if wanted == "all":
        return list(everything)
    if wanted == "quick":
        return [name for name, proof in everything.items() if proof.get("quick")]
    return wanted.split(",")


def ask(client, page):
    body = page.get("body")
    return client.get(page["path"], method=page.get("method", "GET"), headers=page.get("headers", {}),
                      body=None if body is None else body.encode())


def differences(proof, pages, wanted, answers):
    """[(path, what, Node.js's, ssrd's)]; of bodies what is around the first byte that differs."""
    found = []
    for page, (status, headers, body), answer in zip(pages, wanted, answers):
        path = page["path"]
        if answer.status != status:
            found.append((path, "status", status, answer))
        for name, value in headers.items():
            if name not in OF_THE_SERVER and ", ".join(answer.fields.get(name, [])) != value:
                found.append((path, name, value, answer.fields.get(name)))
        ours, theirs = proofs.normalised(proof, answer.body), proofs.normalised(proof, body)
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
            found.append((path, f"body, {len(theirs)} and {len(ours)} bytes, at {at}", theirs[max(0, at - 80):at + 200],
                          ours[max(0, at - 80):at + 200]))
    return found


@pytest.mark.parametrize("name", chosen())
def test_every_page_equals_node(ssrd, name):
    proof = proofs.applications()[name]
    folder = proofs.make(name, harness.BUILD)
    pages = proofs.requests(proof)
    for label, bundle in proof["bundles"].items():
        path = os.path.join(folder, bundle["path"])
        config = {"bundle": {"path": path, "warmup": []}, "cache": {"ttl": 0}, "compression": {"encodings": []},
                  **proof.get("config", {})}
        # Twice: what a page leaves behind must not change the next, no more than it does in Node.js.
        wanted = proofs.in_node(path, pages * 2, bundle.get("format") == "script", proof.get("config", {}).get("env"))
        server = ssrd(None, config)
        with server.connect() as client:
            answers = [ask(client, page) for page in pages * 2]
        assert differences(proof, pages * 2, wanted, answers) == [], label
        server.stop()
    if os.environ.get("SSRD_FRAMEWORKS_RECORD"):
        proofs.record(name, proof)


def test_readme_has_the_table_that_the_last_run_made():
    with open(proofs.README, encoding="utf-8") as file:
        assert proofs.readme_table(file.read()) == proofs.table(), "tests/frameworks/run writes it"
    assert "not run" not in proofs.table()


@pytest.mark.parametrize("name", proofs.applications())
def test_lock_files_name_no_host(name):
    with open(os.path.join(proofs.HERE, name, "package-lock.json"), encoding="utf-8") as file:
        text = file.read()
    assert '"resolved": "http' not in text
