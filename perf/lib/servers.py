# SPDX-License-Identifier: MIT
"""ssrd and its peers, each started the way its users would and answering when the function returns."""

import glob
import json
import os
import shutil
import subprocess

import http1
from programs import LIB, ROOT, Failed, free_port

SSRD = os.path.join(ROOT, "build", "ssrd")
BUNDLE = os.path.join(ROOT, "build", "examples", "react", "dist", "server.js")


class Server:
    """A program, the port it serves pages on, and how it answered first."""

    def __init__(self, program, port, path="/"):
        self.program = program
        self.name = program.name
        self.port = port
        self.head, self.body, first_ns = http1.first_answer(program, port, path)
        self.start_ms = (first_ns - program.started_ns) / 1e6

    def stop(self):
        self.program.stop()


def add_options(parser, bundle=True):
    """--ssrd and --bundle, which most scripts take."""
    parser.add_argument("--ssrd", default=SSRD, metavar="PATH", help="the program to measure (default: build/ssrd)")
    if bundle:
        parser.add_argument("--bundle", default=BUNDLE, metavar="PATH",
                            help="a bundle with the page /shop (default: the React example under build/)")


def check_files(options):
    """Failed with what to do if what was named is not there. Makes the paths absolute."""
    options.ssrd = os.path.abspath(options.ssrd)
    if hasattr(options, "bundle"):
        options.bundle = os.path.abspath(options.bundle)
    if not os.access(options.ssrd, os.X_OK):
        raise Failed(f"no program {options.ssrd}: make build, or name one with --ssrd")
    if hasattr(options, "bundle") and not os.path.exists(options.bundle):
        raise Failed(f"no bundle {options.bundle}: make build/examples/react/dist/server.js, or name one with --bundle")


def start_ssrd(session, options, bundle, *settings, cpus=None, env=None, path="/"):
    """settings: further "key=value" of the config. The Server has .status() on top."""
    port, admin = free_port(), free_port()
    control = session.path(f"ctl-{port}")
    argv = [options.ssrd]
    for setting in (f"listen=[127.0.0.1:{port}]", f"admin.listen=127.0.0.1:{admin}", f"admin.socket={control}",
                    "log.level=warn", *settings):
        argv += ["-o", setting]
    program = session.start("ssrd", [*argv, bundle], cpus, env)
    server = Server(program, port, path)
    server.admin = admin
    server.status = lambda: json.loads(http1.get(admin, "/status")[1])
    return server


NGINX = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; }}
    charset utf-8;
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=1000 inactive=1h;
    open_file_cache_valid 1h;
    client_body_temp_path {folder}/nginx-tmp;
    proxy_temp_path {folder}/nginx-tmp;
    fastcgi_temp_path {folder}/nginx-tmp;
    uwsgi_temp_path {folder}/nginx-tmp;
    scgi_temp_path {folder}/nginx-tmp;
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""


def start_nginx(session, root, cpus, path):
    """One worker with the files under root; None where nginx is not installed."""
    tool = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if tool is None:
        return None
    port = free_port()
    config = session.write("nginx.conf", NGINX.format(folder=session.folder, root=root, port=port))
    log = session.path("nginx-error.log")
    return Server(session.start("nginx", [tool, "-e", log, "-c", config], cpus), port, path)


H2O = """\
num-threads: 1
listen: {{host: 127.0.0.1, port: {port}}}
hosts:
  default:
    paths:
      /:
        file.dir: {root}
        file.mime.settypes: {{"text/html; charset=utf-8": [".html"]}}
"""


def start_h2o(session, root, cpus, path):
    """One thread with the files under root; None where h2o is not installed."""
    tool = shutil.which("h2o")
    if tool is None:
        return None
    port = free_port()
    config = session.write("h2o.yaml", H2O.format(root=root, port=port))
    return Server(session.start("h2o", [tool, "-c", config], cpus), port, path)


SCRIPT = os.path.join(LIB, "node-server.mjs")
ENGINES = {"node": [], "deno": ["run", "-A"], "bun": []}  # arguments before a script
# perf/engines.d, installed by its lock file: perf/README.md
FROM_NPM = {"deno": "@deno/linux-*/deno", "bun": "@oven/bun-linux-*/bin/bun"}


def engine_argv(name, *arguments):
    """The command that runs a script in Node.js, Deno or Bun; None where the engine is not installed."""
    tool = shutil.which(name)
    if tool is None and name in FROM_NPM:
        tool = next(iter(sorted(glob.glob(os.path.join(ROOT, "build", "engines", "node_modules", FROM_NPM[name])))), None)
    return tool and [tool, *ENGINES[name], *arguments]


def start_engine(session, name, bundle, workers=0, cpus=None, path="/", script=SCRIPT):
    """Node.js, Deno or Bun with that script; None where it is not installed."""
    port = free_port()
    argv = engine_argv(name, script, bundle, str(port), str(workers))
    if argv is None:
        return None
    return Server(session.start(name, argv, cpus, {"NODE_ENV": "production"}), port, path)


def engine_version(name):
    """"node v20.1.0", for the report; the name alone if it is not installed."""
    argv = engine_argv(name)
    if argv is None:
        return name
    done = subprocess.run([argv[0], "--version"], capture_output=True, text=True, check=False)
    return f"{name} {(done.stdout.split() or ['?'])[0 if name != 'deno' else 1]}"


def render_us(name, bundle, url, count, cpu):
    """Microseconds of a render in that engine without a server."""
    done = subprocess.run(engine_argv(name, SCRIPT, bundle, "--time", url, str(count)), capture_output=True,
                          text=True, check=False, timeout=120,
                          preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if done.returncode != 0:
        raise Failed(f"{name}: {done.stderr.strip()[-300:]}")
    return float(done.stdout)
