"""`hf://owner/name`: through huggingface_hub itself, from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from saved_models import init, layered

import blox as bx
from blox.io import hub

REPO = "someone/tiny-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """A hub as far as huggingface_hub asks one, of one repository with one commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> Hub:
        assert isinstance(self.server, Hub)
        return self.server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def do_GET(self, *, body: bool = True) -> None:
        path = unquote(urlsplit(self.path).path)
        files = self.hub.files
        for revision in ("main", "v1", COMMIT):
            if path == f"/api/models/{REPO}/revision/{revision}":
                siblings = [{"rfilename": name} for name in files]
                model = {"id": REPO, "sha": COMMIT, "siblings": siblings}
                return self.reply(json.dumps(model).encode(), body=body)
            if path == f"/api/models/{REPO}/tree/{revision}":
                listed = [
                    {
                        "type": "file",
                        "path": n,
                        "size": len(d),
                        "oid": hashlib.sha1(d).hexdigest(),
                    }
                    for n, d in files.items()
                ]
                return self.reply(json.dumps(listed).encode(), body=body)
            start = f"/{REPO}/resolve/{revision}/"
            name = path.removeprefix(start)
            if path.startswith(start) and name in files:
                if body:
                    self.hub.fetched.append(name)
                return self.reply(files[name], body=body)
        self.reply(b"{}", body=body, status=404, error="RepoNotFound")

    def reply(
        self, data: bytes, *, body: bool, status: int = 200, error: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def served() -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub", reason="needs the extra `hub`")
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def publish(served: Hub, folder: Path) -> None:
    every = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    served.files = {str(p.relative_to(folder)): p.read_bytes() for p in every}
    served.files |= {"README.md": b"text", "pytorch_model.bin": b"never fetched"}


def run(served: Hub, home: Path, code: str) -> list[str]:
    """The lines that `code` prints; the library reads its settings once, at import."""
    env = {
        **os.environ,
        "HF_ENDPOINT": served.url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", f"import blox as bx\n{code}"],
        capture_output=True,
        text=True,
        env=env,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


LOAD = f"""
import numpy as np
for path in ("hf://{REPO}", "hf://{REPO}@v1"):
    graph, params = bx.load(path)
    print(graph.name, float(np.asarray(params["out"]["kernel"]).sum()))
print(bx.validate("hf://{REPO}").ok, bx.verify("hf://{REPO}").ok)
"""


def test_a_model_is_fetched_loaded_and_verified(served: Hub, tmp_path: Path) -> None:
    graph = layered(scan=True)
    params = init(graph)
    example = {"x": params["out"]["kernel"].T}
    bx.save(tmp_path / "m", graph, params, max_shard_size=400, examples=[example])
    publish(served, tmp_path / "m")
    shards = [n for n in served.files if n.startswith("params-")]
    assert len(shards) > 1
    line = f"model {float(np.asarray(params['out']['kernel']).sum())}"
    assert run(served, tmp_path / "home", LOAD) == [line, line, "True True"]
    wanted = [n for n in served.files if n.startswith(("params", "graph", "examples"))]
    assert sorted(served.fetched) == sorted(wanted)  # once each, and nothing else


def test_an_origin_is_fetched_beside_its_graph(served: Hub, tmp_path: Path) -> None:
    tree = {"w": np.arange(3, dtype="float32")}
    table = np.arange(96, dtype="float32").reshape(3, 32)
    graph, params, origin = bx.from_jax(
        lambda p, x: (x * p["w"]) @ table, {"x": bx.Input(["batch", 3])}, tree
    )
    bx.save(tmp_path / "m", graph, params, origin=origin)
    publish(served, tmp_path / "m")
    code = f"""
origin = bx.load_origin("hf://{REPO}")
print(origin.report.greatest < 1e-5)
print(origin.export(bx.load("hf://{REPO}")[1])["w"])
"""
    assert run(served, tmp_path / "home", code) == ["True", "[0. 1. 2.]"]
    files = ["graph.json", "params.safetensors", "source/origin.json"]
    assert sorted(served.fetched) == files  # once each: the table is of the weights


def test_no_weights_are_fetched_for_a_wrong_graph(served: Hub, tmp_path: Path) -> None:
    graph = layered(scan=True)
    bx.save(tmp_path / "m", graph, init(graph))
    publish(served, tmp_path / "m")
    text = served.files["graph.json"].decode()
    served.files["graph.json"] = text.replace('"x": "h"', '"x": "nowhere"').encode()
    code = f"""
try:
    bx.load("hf://{REPO}")
except bx.SpecError as error:
    print(error)
print(bx.validate("hf://{REPO}").ok)
"""
    lines = run(served, tmp_path / "home", code)
    assert "nowhere" in lines[0]
    assert lines[1:] == ["False"]
    assert served.fetched == ["graph.json"]


def test_a_model_that_is_not_there(served: Hub, tmp_path: Path) -> None:
    code = """
for name in ("hf://someone/other", "hf://someone/tiny-model@v9"):
    for report in (bx.validate(name), bx.verify(name)):
        print(report)
"""
    lines = run(served, tmp_path / "home", code)
    assert len(lines) == 4
    for line in lines:
        assert line.startswith("error hub hf://someone/")
        assert "expected to fetch the model, found " in line


def test_a_hub_that_does_not_answer(served: Hub, tmp_path: Path) -> None:
    served.shutdown()
    served.server_close()
    lines = run(served, tmp_path / "home", f"print(bx.validate('hf://{REPO}'))")
    assert len(lines) == 1
    assert lines[0].startswith(f"error hub hf://{REPO}: expected to fetch the model")


@pytest.mark.parametrize(
    "name",
    [
        "hf://",
        "hf://name",
        "hf://a/b/c",
        "hf://../../etc",
        "hf://a/..",
        "hf://a/b@",
        "hf://a/b@../../x",
        "hf://a/b@-x",
        "hf://a b/c",
        "hf://a/b\n",
        "hf://a/b?x=1",
    ],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(bx.SpecError) as caught:
        bx.load(name)
    text = f"expected hf://owner/name[@revision], found {name!r}"
    assert str(caught.value) == text
    assert [d.code for d in bx.validate(name)] == ["hub-name"]


def test_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(bx.SpecError) as caught:
        bx.load(f"hf://{REPO}")
    assert str(caught.value) == (
        f"hf://{REPO}: expected the package huggingface_hub, found that it is not "
        "installed; pip install 'blox-format[hub]'"
    )


def test_a_path_that_only_looks_alike() -> None:
    assert not hub.is_hub(Path("hf:/a/b"))
    assert hub.local("hf/a/b") == Path("hf/a/b")
