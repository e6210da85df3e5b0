"""A stand-in for the W&B server on loopback: as much of its API as runs, artifacts, sweeps and agents use.

It answers by the operation's name, keeps what it is sent, and hands a sweep's agent the trials it was given. The
answers have the fields that wandb 0.31 asks for; an operation that is not here is kept in `unknown`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

ENTITY = "somebody"
KEY = "0123456789" * 4  # of the length of a real one
SWEEP = "sweep123"

Json = dict[str, Any]


@dataclass
class RunRecord:
    """What the server has heard of a run."""

    project: str
    config: Json = field(default_factory=dict)
    sweep: str | None = None
    name: str = ""
    history: list[Json] = field(default_factory=list)
    summary: Json = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[str, Json] = field(default_factory=dict)
    exit_code: int | None = None

    @property
    def shown_config(self) -> Json:
        """Config key -> value, without W&B's own."""
        return {key: entry["value"] for key, entry in self.config.items() if key != "_wandb"}


class WandbServer:
    """State of the server, and an answer for each operation.

    Args:
        trials: Parameters of each run that a sweep's agents are told to start, in order.
    """

    def __init__(self, trials: Sequence[Json] = ()) -> None:
        self.trials = list(trials)
        self.runs: dict[str, RunRecord] = {}
        self.sweep: Json = {}
        self.unknown: list[str] = []
        self.told = 0
        self.url = ""

    @property
    def environment(self) -> dict[str, str]:
        """What a client must be told."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}

    def answer(self, query: str, given: Json) -> Json | None:
        """The `data` of an operation, None for one that is not known."""
        match = re.search(r"(?:query|mutation)\s+(\w+)", query)
        name = match[1] if match else query
        method = getattr(self, "_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(), None)
        if method is None:
            self.unknown.append(name)
            return None
        data: Json = method(given)
        return data

    def stream(self, run: str, sent: Json) -> None:
        """Take what a run's file stream sends: its history, its summary and its end."""
        record = self.runs[run]
        files = sent.get("files") or {}
        record.history += [
            json.loads(line) for line in files.get("wandb-history.jsonl", {}).get("content", ())
        ]
        for line in files.get("wandb-summary.json", {}).get("content", ()):
            record.summary.update(json.loads(line))
        if sent.get("complete"):
            record.exit_code = sent["exitcode"]

    def _viewer(self, given: Json) -> Json:
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        viewer = {"id": "1", "entity": ENTITY, "username": ENTITY, "email": "", "flags": "{}", "teams": teams}
        return {"viewer": viewer}

    def _server_features_query(self, given: Json) -> Json:
        return {"serverInfo": {"features": []}}

    def _run_resume_status(self, given: Json) -> Json:
        record = self.runs.get(given["name"])
        bucket = record and {
            "id": given["name"],
            "name": given["name"],
            "displayName": record.name,
            "summaryMetrics": json.dumps(record.summary),
            "config": json.dumps(record.config),
            "historyLineCount": len(record.history),
            "historyTail": json.dumps([json.dumps(row) for row in record.history[-1:]]),
            "eventsTail": "[]",
            "logLineCount": 0,
            "eventsLineCount": 0,
            "tags": [],
            "notes": None,
            "wandbConfig": "{}",
        }
        return {
            "model": {
                "id": "1",
                "name": given["project"],
                "entity": {"id": "1", "name": ENTITY},
                "bucket": bucket,
            }
        }

    def _upsert_bucket(self, given: Json) -> Json:
        inserted = given["name"] not in self.runs
        record = self.runs.setdefault(given["name"], RunRecord(given["project"]))
        record.config.update(json.loads(given.get("config") or "{}"))
        record.name = given.get("displayName") or record.name
        record.sweep = given.get("sweep") or record.sweep
        bucket = {
            "id": given["name"],
            "name": given["name"],
            "displayName": record.name,
            "description": "",
            "config": json.dumps(record.config),
            "sweepName": record.sweep,
            "project": self._project(record.project),
            "historyLineCount": len(record.history),
        }
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _create_run_files(self, given: Json) -> Json:
        files = [
            {"name": name, "uploadUrl": f"{self.url}/upload/{given['run']}/{name}"} for name in given["files"]
        ]
        return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}

    def _fetch_artifact_digest_algorithm(self, given: Json) -> Json:
        return {"project": None}

    def _xxhash_digests_enabled(self, given: Json) -> Json:
        return {"entity": {"xxhashDigestsEnabled": False}}

    def _artifact_type(self, given: Json) -> Json:
        return {"project": {"artifact": None}}

    def _organization_core_weave_organization_id(self, given: Json) -> Json:
        return {"entity": {"organization": None}}

    def _create_artifact(self, given: Json) -> Json:
        made = given["input"]
        name = made["artifactCollectionName"]
        aliases = [alias["alias"] for alias in made["aliases"] or []]
        kept = {"type": made["artifactTypeName"], "aliases": aliases, "files": []}
        self.runs[made["runName"]].artifacts[name] = kept
        sequence = {"id": name, "name": name, "latestArtifact": None}
        artifact = {"id": f"{made['runName']}/{name}", "state": "PENDING", "artifactSequence": sequence}
        return {"createArtifact": {"artifact": artifact}}

    def _create_artifact_manifest(self, given: Json) -> Json:
        manifest = {
            "id": given["artifactID"],
            "file": {
                "id": "1",
                "uploadUrl": f"{self.url}/manifest/{given['artifactID']}",
                "uploadHeaders": [],
            },
        }
        return {"createArtifactManifest": {"artifactManifest": manifest}}

    def _update_artifact_manifest(self, given: Json) -> Json:
        answer = self._create_artifact_manifest({"artifactID": given["artifactManifestID"]})
        return {"updateArtifactManifest": answer["createArtifactManifest"]}

    def _create_artifact_files(self, given: Json) -> Json:
        edges = []
        for file in given["input"]["artifactFiles"]:
            run, name = file["artifactID"].split("/")
            self.runs[run].artifacts[name]["files"].append(file["name"])
            path = f"artifacts/{name}/{file['name']}"
            node = {
                "storagePath": path,
                "uploadUrl": f"{self.url}/upload/{run}/{path}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": file["artifactID"]},
            }
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _commit_artifact(self, given: Json) -> Json:
        run, name = given["artifactID"].split("/")
        self.runs[run].artifacts[name]["committed"] = True
        return {"commitArtifact": {"artifact": {"id": given["artifactID"], "digest": "0"}}}

    def _upsert_sweep(self, given: Json) -> Json:
        self.sweep = given
        sweep = {"name": SWEEP, "project": self._project(given["projectName"])}
        return {"upsertSweep": {"sweep": sweep, "configValidationWarnings": []}}

    def _sweep_with_runs(self, given: Json) -> Json:
        return {
            "project": {
                "sweep": {
                    "id": "1",
                    "name": given["sweep"],
                    "config": self.sweep["config"],
                    "runs": {"edges": []},
                }
            }
        }

    def _create_agent(self, given: Json) -> Json:
        return {"createAgent": {"agent": {"id": "agent"}}}

    def _heartbeat(self, given: Json) -> Json:
        commands: list[Json] = []
        running = json.loads(given["runState"])
        if not running and self.trials:
            args = {name: {"value": value} for name, value in self.trials.pop(0).items()}
            self.told += 1
            run = f"trial{self.told}"
            commands = [{"type": "run", "run_id": run, "program": "", "args": args}]
        elif not running:
            commands = [{"type": "exit"}]
        return {"agentHeartbeat": {"agent": {"id": "agent"}, "commands": json.dumps(commands)}}

    def _project(self, name: str) -> Json:
        return {"id": "1", "name": name, "entity": {"id": "1", "name": ENTITY}}


class _Handler(BaseHTTPRequestHandler):
    server: _Http

    def do_POST(self) -> None:
        sent = json.loads(self._body() or b"{}")
        if self.path.endswith("/file_stream"):
            self.server.wandb.stream(self.path.split("/")[-2], sent)
            self._send({"exitcode": None, "limits": {}})
        elif self.path == "/graphql":
            data = self.server.wandb.answer(sent["query"], sent.get("variables") or {})
            self._send({"errors": [{"message": "unknown operation"}]} if data is None else {"data": data})
        else:
            self._send({})

    def do_PUT(self) -> None:
        _, kind, run, name = self.path.split("/", 3)
        body = self._body()
        if kind == "upload":
            self.server.wandb.runs[run].files[name] = body
        self._send({})

    def do_GET(self) -> None:
        self._send({})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, content: Json) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Http(ThreadingHTTPServer):
    wandb: WandbServer


@contextmanager
def wandb_server(trials: Sequence[Json] = ()) -> Iterator[WandbServer]:
    """A server that runs as long as the context."""
    http = _Http(("127.0.0.1", 0), _Handler)
    http.wandb = WandbServer(trials)
    http.wandb.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield http.wandb
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
