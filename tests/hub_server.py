"""A stand-in for the Hugging Face hub on loopback: as much of its API as pushing and fetching a model use.

It keeps files in memory, asks for `TOKEN`, and lets it write for `USER` only; a private repository is not found without
it. Files `*.onnx` go by LFS, as on the hub. A request that is not here is kept in `unknown`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

USER, TOKEN = "somebody", "hf_token_of_somebody"

Json = Any


@dataclass
class Repository:
    """Branches, and what each commit holds."""

    private: bool
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"": {}})

    def commit(self, branch: str, files: dict[str, bytes]) -> str:
        whole = self.commits[self.branches.get(branch, "")] | files
        oid = sha1(repr(sorted(whole.items())).encode()).hexdigest()
        self.commits[oid], self.branches[branch] = whole, oid
        return oid


class HubServer:
    """State of the hub."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}
        self.unknown: list[str] = []
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def reply(self, content: Json, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, said: str, code: str = "") -> None:
        self.reply({"error": said}, status, X_Error_Code=code, X_Error_Message=said)

    @property
    def may_write(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def found(self, name: str) -> Repository | None:
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self.may_write):
            return self.refuse(404, "Repository not found", "RepoNotFound")
        return repository

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path):
            name, asked, revision = match[1], match[2] or "revision", match[3] or "main"
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/(resolve)/([^/]+)/(.+)", path):
            name, asked, revision = match.groups()[:3]
        else:
            if path != "/api/agent-harnesses":  # telemetry of the hub's package, which does without an answer
                self.hub.unknown.append(self.path)
            return self.refuse(404, "unknown")
        if (repository := self.found(name)) is None:
            return None
        oid = repository.branches.get(revision, revision)
        if oid not in repository.commits:
            return self.refuse(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        files = repository.commits[oid]
        if asked == "revision":
            return self.reply({"id": name, "sha": oid, "private": repository.private, "siblings": []})
        if asked == "tree":
            return self.reply([_entry(path, content) for path, content in files.items()])
        content = files[match[4]]
        return self.reply(content, X_Repo_Commit=oid, ETag=f'"{sha256(content).hexdigest()}"')

    do_HEAD = do_GET  # noqa: N815

    def do_PUT(self) -> None:
        self.hub.blobs[self.path.rpartition("/")[2]] = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path == "/api/validate-yaml":
            return self.reply({"errors": [], "warnings": []})
        if not self.may_write:
            return self.refuse(401, "Invalid username or password.")
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if match := re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return self.reply(
                {"transfer": "basic", "objects": [self.place(of) for of in json.loads(body)["objects"]]}
            )
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|branch)/([^/]+)", path):
            if (repository := self.found(match[1])) is not None:
                getattr(self, match[2])(match[1], repository, match[3], body)
            return None
        self.hub.unknown.append(self.path)
        return self.refuse(404, "unknown")

    def create(self, asked: Json) -> None:
        name = f"{asked['organization'] or USER}/{asked['name']}"
        if asked["organization"] not in (None, USER):
            return self.refuse(403, "You don't have the rights to create a model under this namespace")
        if name in self.hub.repositories:
            return self.reply({"error": "exists", "url": f"{self.hub.url}/{name}"}, 409)
        private = asked.get("private", asked.get("visibility") == "private")
        self.hub.repositories[name] = Repository(bool(private))
        self.hub.repositories[name].commit("main", {})
        return self.reply({"url": f"{self.hub.url}/{name}", "name": name})

    def branch(self, _: str, repository: Repository, branch: str, __: bytes) -> None:
        if branch in repository.branches:
            return self.refuse(409, "exists")
        repository.branches[branch] = repository.branches["main"]
        return self.reply({})

    def preupload(self, _: str, __: Repository, ___: str, body: bytes) -> None:
        paths = [of["path"] for of in json.loads(body)["files"]]
        modes = ["lfs" if path.endswith(".onnx") else "regular" for path in paths]
        files = [
            {"path": path, "uploadMode": mode, "shouldIgnore": False}
            for path, mode in zip(paths, modes, strict=True)
        ]
        self.reply({"files": files})

    def place(self, of: Json) -> Json:
        return {**of, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{of['oid']}"}}}

    def commit(self, name: str, repository: Repository, branch: str, body: bytes) -> None:
        given = [json.loads(line) for line in body.splitlines()]
        files = {
            of["value"]["path"]: base64.b64decode(of["value"]["content"])
            if of["key"] == "file"
            else self.hub.blobs[of["value"]["oid"]]
            for of in given
            if of["key"] != "header"
        }
        oid = repository.commit(branch, files)
        self.reply({"commitUrl": f"{self.hub.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})


def _entry(path: str, content: bytes) -> Json:
    oid = sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return {"type": "file", "path": path, "size": len(content), "oid": oid}


@contextmanager
def serving() -> Iterator[HubServer]:
    """A server in a thread, at its `url`."""
    hub = HubServer()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()
