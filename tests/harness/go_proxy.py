"""A Go module proxy on loopback with one small module: whole, cut in the middle or altered."""

import base64
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

MODULE = "example.test/greeting"
VERSION = "v1.0.0"
GO_MOD = f"module {MODULE}\n\ngo 1.25.0\n"
SOURCE = 'package greeting\n\n// Text is what the program prints.\nconst Text = "good day"\n'
Fault = Literal["none", "cut", "altered"]


@dataclass
class GoProxy:
    """`url` is a value for GOPROXY; change `fault` to misbehave."""

    url: str
    fault: Fault = "none"

    def write_program(self, folder: Path) -> Path:
        """A main package that needs the module, its go.sum naming the true bytes."""
        folder.mkdir(parents=True)
        (folder / "main.go").write_text(
            f'package main\n\nimport (\n\t"os"\n\n\t"{MODULE}"\n)\n\n'
            "func main() {\n\t_, _ = os.Stdout.WriteString(greeting.Text)\n}\n"
        )
        (folder / "go.mod").write_text(
            f"module example.test/program\n\ngo 1.25.0\n\nrequire {MODULE} {VERSION}\n"
        )
        whole = _hash({f"{MODULE}@{VERSION}/{name}": text for name, text in _files().items()})
        (folder / "go.sum").write_text(
            f"{MODULE} {VERSION} {whole}\n{MODULE} {VERSION}/go.mod {_hash({'go.mod': GO_MOD})}\n"
        )
        return folder


@contextmanager
def go_proxy() -> Iterator[GoProxy]:
    """Serve while the block runs."""
    proxy = GoProxy("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = _answers(proxy.fault).get(self.path.rpartition("/@v/")[2])
            if answer is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            cut = proxy.fault == "cut" and self.path.endswith(".zip")
            self.wfile.write(answer[: len(answer) // 2] if cut else answer)

        def log_message(self, *arguments: object) -> None:
            """The test's output stays its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _files(text: str = SOURCE) -> dict[str, str]:
    return {"go.mod": GO_MOD, "greeting.go": text}


def _answers(fault: Fault) -> dict[str, bytes]:
    files = _files(SOURCE.replace("good", "evil") if fault == "altered" else SOURCE)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{MODULE}@{VERSION}/{name}", text)
    information = f'{{"Version": "{VERSION}", "Time": "2026-01-01T00:00:00Z"}}'
    return {
        f"{VERSION}.info": information.encode(),
        f"{VERSION}.mod": GO_MOD.encode(),
        f"{VERSION}.zip": packed.getvalue(),
    }


def _hash(files: dict[str, str]) -> str:
    """Go's `h1:` hash (golang.org/x/mod/sumdb/dirhash): a hash of the sorted list of hashes."""
    lines = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        for name, text in sorted(files.items())
    ]
    digest = hashlib.sha256("".join(lines).encode()).digest()
    return "h1:" + base64.b64encode(digest).decode()
