"""Fixtures: a server that can misbehave, archives for it, and Keras' own models."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

IDS = ("10", "9", "239")


@pytest.fixture(scope="session")
def tensorflow() -> Any:
    """TensorFlow, quiet and on the CPU; tests are skipped where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = pytest.importorskip("tensorflow")
    tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow


@pytest.fixture(scope="session")
def keras_model(tensorflow: Any) -> Callable[[dict[str, Any]], Any]:
    """A function that makes Keras' own model of a config, as the competition's code does."""

    def cast(value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def make(config: dict[str, Any]) -> Any:
        layers = [
            getattr(tensorflow.keras.layers, layer["layer_name"])(
                **{key: cast(value) for key, value in layer.items() if key != "layer_name"}
            )
            for layer in config["model_config"]
        ]
        model = tensorflow.keras.Sequential(layers)
        model.build((None, *config["input_shape"]))
        return model

    return make


@dataclass
class Server:
    """What the server holds and how it misbehaves; it counts what it was asked.

    Attributes:
        files: content by path.
        fault: name of a misbehaviour, "" for none.
        hit: the fault hits requests for ranges that begin here.
        faults_left: number of requests that the fault will still hit.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    fault: str = ""
    hit: range = range(1 << 40)
    faults_left: int = 1_000_000
    headers: dict[str, str] = field(default_factory=dict)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine that answers ranges, asked without any proxy."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            content = state.files.get(self.path)
            if content is None:
                self._answer(404, b"")
                return
            asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"])
            assert asked
            start, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
            state.ranges.append((start, last))
            fault = state.fault if start in state.hit and state.faults_left > 0 else ""
            state.faults_left -= bool(fault)
            body = content[start : last + 1]
            headers = {"ETag": f'"{hashlib.md5(content).hexdigest()}"', **state.headers}
            headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
            if fault == "status 500":
                self._answer(500, b"")
            elif fault == "status 200":
                self._answer(200, content)
            elif fault == "page":
                self._answer(200, b"<html>Log in.</html>", {"Content-Type": "text/html; charset=a"})
            elif fault == "wrong range":
                headers["Content-Range"] = f"bytes 0-{last - start}/{len(content)}"
                self._answer(206, body, headers)
            elif fault == "flip":
                self._answer(206, bytes([*body[:-1], body[-1] ^ 0xFF]), headers)
            elif fault == "break":
                self._answer(206, body, headers, send=max(1, len(body) // 3))
            elif fault == "break at once":
                self._answer(206, body, headers, send=0)
            elif fault == "stall":
                self._answer(206, body, headers, send=0, wait=True)
            else:
                self._answer(206, body, headers)

        def _answer(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            send: int | None = None,
            wait: bool = False,
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:send])
            self.wfile.flush()
            if wait:
                state.release.wait(10)
            if send is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield state
    state.release.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def task_files() -> dict[str, bytes]:
    """Files of task2_v1 as an archive holds them; weights and shards are noise, for downloads."""
    noise = np.random.default_rng(7)
    models = "input_data/task2_v1"
    files: dict[str, bytes] = {}
    for id_ in IDS:
        files[f"{models}/model_{id_}/config.json"] = b'{"model_config": []}'
        for name in ("weights", "weights_init"):
            files[f"{models}/model_{id_}/{name}.hdf5"] = noise.bytes(3000)
    for part in ("train", "test"):
        for shard in range(11):
            files[f"{models}/dataset_1/{part}/shard_{shard}.tfrecord"] = bytes(2000)
    reference = {
        id_: {
            "hparams": {"width": {"possible_values": [8, 16], "current_value": width}},
            "metrics": {"train_acc": 0.75, "test_acc": 0.5},
        }
        for id_, width in zip(IDS, (8, 16, 16), strict=True)
    }
    files["reference_data/task2_v1/model_configs.json"] = json.dumps(reference).encode()
    return files


@pytest.fixture(scope="session")
def zipped() -> Callable[..., bytes]:
    """A function that makes a zip archive of files."""

    def make(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return make
