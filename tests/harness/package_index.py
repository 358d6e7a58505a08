"""A Python package index on loopback with wheels made on the spot."""

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """A pure wheel that holds `files`."""
    info = f"{name}-{version}.dist-info"
    contents = dict(files) | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={_urlsafe(content)},{len(content)}\n" for path, content in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return packed.getvalue()


@dataclass
class PackageIndex:
    """`url` is a value for UV_DEFAULT_INDEX; `cut` ends every download in the middle."""

    url: str = ""
    cut: bool = False
    wheels: dict[str, bytes] = field(default_factory=dict)
    """File name → bytes."""

    def add(self, name: str, version: str, files: Mapping[str, bytes]) -> str:
        """Serve a wheel of `files`; its SHA-256."""
        content = wheel(name, version, files)
        self.wheels[f"{name}-{version}-py3-none-any.whl"] = content
        return hashlib.sha256(content).hexdigest()


@contextmanager
def package_index() -> Iterator[PackageIndex]:
    """Serve while the block runs."""
    index = PackageIndex()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            folder, _, name = self.path.rstrip("/").rpartition("/")
            if folder == "/simple":
                links = "".join(f'<a href="/file/{f}">{f}</a>\n' for f in index.wheels)
                self._answer("text/html", links.encode(), whole=True)
            else:
                content = index.wheels[name]
                self._answer("application/octet-stream", content, whole=not index.cut)

        def _answer(self, media: str, content: bytes, *, whole: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content if whole else content[: len(content) // 2])

        def log_message(self, *arguments: object) -> None:
            """The test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple"
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _urlsafe(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
