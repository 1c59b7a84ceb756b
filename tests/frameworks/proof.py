# SPDX-License-Identifier: MIT
"""The applications of this folder: where they are, how they are built, what Node.js makes of them, and the table of README.md.

An application is a folder with `proof.json`:

    framework   its name in the table
    versions    npm packages whose versions the table tells, as the lock file has them
    quick       true: built and compared by `make test`, else by tests/frameworks/run alone
    settings    of the build, for the table
    bundles     {label: {path, contract, format}}; format "script" for a classic script
    pages       paths, or {path, method, headers, body}
    config      of ssrd, merged over the test's own
    normalise   [[regular expression, replacement, why], …] applied to both sides, where a framework puts in random ids
"""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(HERE, "results.json")
README = os.path.join(ROOT, "README.md")
BEGIN, END = "<!-- made by tests/frameworks/run -->\n", "<!-- end -->\n"
INSTALL_S, BUILD_S, RENDER_S = 600, 300, 120


def applications():
    """{name: proof.json}, in alphabetical order."""
    found = {}
    for name in sorted(os.listdir(HERE)):
        file = os.path.join(HERE, name, "proof.json")
        if os.path.exists(file):
            with open(file, encoding="utf-8") as text:
                found[name] = json.load(text)
    return found


def _files(folder):
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(path, name)


def _digest(paths):
    sums = hashlib.sha256()
    for path in paths:
        sums.update(path.encode() + b"\0")
        with open(path, "rb") as file:
            sums.update(hashlib.sha256(file.read()).digest())
    return sums.hexdigest()


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _npm(build, folder, *arguments, timeout):
    environment = {**os.environ, "CI": "1", "NODE_ENV": "", "ASTRO_TELEMETRY_DISABLED": "1", "NUXT_TELEMETRY_DISABLED": "1",
                   "NEXT_TELEMETRY_DISABLED": "1", "NG_CLI_ANALYTICS": "false", "npm_config_cache": os.path.join(build, "npm-cache")}
    done = subprocess.run(["npm", "--no-audit", "--no-fund", "--no-update-notifier", *arguments], cwd=folder, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", timeout=timeout, check=False)
    assert done.returncode == 0, f"npm {' '.join(arguments)} in {folder}: {done.returncode}\n{done.stdout[-4000:]}"


def make(name, build):
    """Installs and builds an application below BUILD/frameworks; the folder. Does only what the lock file or the sources
    have changed since; a change of the lock file installs all of it again."""
    source, folder = os.path.join(HERE, name), os.path.join(build, "frameworks", name)
    shared = os.path.join(HERE, "shared")
    lock, sources = os.path.join(source, "package-lock.json"), [*_files(source), *_files(shared)]
    installed, built = os.path.join(folder, ".installed"), os.path.join(folder, ".built")
    if _read(built) == _digest(sources):
        return folder
    if _read(installed) != _digest([lock]):
        shutil.rmtree(folder, ignore_errors=True)
    else:  # sources that are gone must not be built
        for entry in os.listdir(folder):
            path = os.path.join(folder, entry)
            if entry not in ("node_modules", ".installed"):
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    shutil.copytree(source, folder, dirs_exist_ok=True)
    shutil.copytree(shared, os.path.join(build, "frameworks", "shared"), dirs_exist_ok=True)
    if not os.path.exists(installed):
        _npm(build, folder, "ci", "--ignore-scripts", timeout=INSTALL_S)
        _write(installed, _digest([lock]))
    _npm(build, folder, "run", "--silent", "build", timeout=BUILD_S)
    _write(built, _digest(sources))
    return folder


def requests(proof):
    """The pages as {path, …}."""
    return [page if isinstance(page, dict) else {"path": page} for page in proof["pages"]]


def in_node(bundle, pages, script=False, env=None):
    """[(status, {header: value}, body)] of Node.js, the pages rendered in this order by one process."""
    node = shutil.which("node") or shutil.which("nodejs")
    assert node is not None, "make setup installs it"
    done = subprocess.run([node, os.path.join(HERE, "render_in_node.mjs"), bundle, "script" if script else "module"],
                          input=json.dumps({"env": env or {}, "pages": pages}).encode(), capture_output=True, timeout=RENDER_S,
                          check=False, cwd=os.path.dirname(bundle), env={**os.environ, "NODE_ENV": "production"})
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-4000:]
    return [(page["status"], _joined(page["headers"]), base64.b64decode(page["base64"])) for page in json.loads(done.stdout)]


def _joined(headers):
    """Equal names, as Set-Cookie is, in one value."""
    joined = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def normalised(proof, body):
    for pattern, replacement, _why in proof.get("normalise", []):
        body = re.sub(pattern.encode(), replacement.encode(), body)
    return body


# ------------------------------------------------------------ the table

def versions(name, proof):
    """What the lock file installs, "react 19.3.1"."""
    with open(os.path.join(HERE, name, "package-lock.json"), encoding="utf-8") as file:
        packages = json.load(file)["packages"]
    return ", ".join(f"{package} {packages['node_modules/' + package]['version']}" for package in proof["versions"])


def results():
    """{name: {"versions": …, "pages": N}} of the last whole run: what was equal, with which versions."""
    return json.loads(_read(RESULTS) or "{}")


def record(name, proof):
    """Notes that every page of every bundle was equal."""
    known = results()
    known[name] = {"versions": versions(name, proof), "pages": len(proof["pages"]) * len(proof["bundles"])}
    _write(RESULTS, json.dumps(known, indent=2, sort_keys=True) + "\n")


def table():
    """The lines of README.md between BEGIN and END."""
    lines = ["| built with | contract | build settings | pages equal to Node.js 20's |", "|---|---|---|---|"]
    known = results()
    for name, proof in applications().items():
        contracts = dict.fromkeys(bundle["contract"] for bundle in proof["bundles"].values())
        result = known.get(name)
        equal = "not run" if result is None or result["versions"] != versions(name, proof) else f"all {result['pages']}"
        lines.append(f"| {proof['framework']}: {versions(name, proof)} | {'; '.join(contracts)} | {proof['settings']} | {equal} |")
    return "\n".join(lines) + "\n"


def readme_table(text):
    """What README.md has there."""
    return text.split(BEGIN)[1].split(END)[0]


def write_readme():
    text = _read(README)
    head, rest = text.split(BEGIN)
    _write(README, head + BEGIN + table() + END + rest.split(END)[1])
