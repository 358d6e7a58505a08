"""The real Helm with charts that it packaged itself, served on loopback over HTTP and as OCI."""

import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.paths import Cache
from local.toolchain import CHART_TOOLS, cached
from tools.render_charts.comparison import ChartDiff, compare, not_rendered
from tools.render_charts.helm import Helm
from tools.render_charts.release import Release

pytestmark = [pytest.mark.services, pytest.mark.slow]

TEMPLATES = {
    "config.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  level: {{ .Values.level | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  version: {{ .Chart.Version | quote }}
{{- if .Capabilities.APIVersions.Has "monitoring.coreos.com/v1/ServiceMonitor" }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: {{ .Release.Name }}}
spec: {}
{{- end }}
""",
    "secret.yaml": """
{{- if .Values.password }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ .Values.password | quote }}}
{{- else if .Values.random }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}}
stringData: {password: {{ randAlphaNum 12 | quote }}}
{{- end }}
""",
    "new.yaml": """
{{- if eq .Chart.Version "1.1.0" }}
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: 80}]}
{{- end }}
""",
    "tests/test.yaml": """
apiVersion: v1
kind: Pod
metadata: {name: of-a-test, annotations: {helm.sh/hook: test}}
""",
}
KIND = (
    "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a.b.c}\n"
)
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SETTINGS = "application/vnd.cncf.helm.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def helm_program() -> Path:
    return cached(CHART_TOOLS, Cache.default())["helm"]


@pytest.fixture(scope="module")
def repository(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with index.yaml and two versions of a chart, made by Helm."""
    folder = tmp_path_factory.mktemp("repository")
    for version in ("1.0.0", "1.1.0"):
        chart = tmp_path_factory.mktemp("chart") / "demo"
        for name, content in TEMPLATES.items():
            file = chart / "templates" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        (chart / "crds").mkdir()
        (chart / "crds" / "kind.yaml").write_text(KIND)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: demo\nversion: {version}\n")
        (chart / "values.yaml").write_text("level: info\npassword: ''\nrandom: false\n")
        run(helm_program, "package", str(chart), "--destination", str(folder))
    run(helm_program, "repo", "index", str(folder))
    return folder


def run(program: Path, *arguments: str) -> None:
    subprocess.run([program, *arguments], check=True, capture_output=True)


class Server(ThreadingHTTPServer):
    """A chart repository below /charts/ and an OCI registry with the same charts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[str] = []
        self.blobs = {"sha256:" + hashlib.sha256(b"{}").hexdigest(): b"{}"}
        self.manifests: dict[str, bytes] = {}
        for archive in folder.glob("demo-*.tgz"):
            self._publish(archive)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def _publish(self, archive: Path) -> None:
        content = archive.read_bytes()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        (settings,) = [it for it, blob in self.blobs.items() if blob == b"{}"]
        self.blobs[digest] = content
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": SETTINGS, "digest": settings, "size": 2},
            "layers": [{"mediaType": CHART, "digest": digest, "size": len(content)}],
        }
        text = json.dumps(manifest).encode()
        version = archive.stem.removeprefix("demo-")
        self.manifests |= {version: text, "sha256:" + hashlib.sha256(text).hexdigest(): text}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        kind, body = self._found()
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        if kind == MANIFEST and body:
            self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    do_HEAD = do_GET  # noqa: N815 - the library's name

    def _found(self) -> tuple[str, bytes | None]:
        if self.path.startswith("/charts/"):
            file = self.server.folder / self.path.removeprefix("/charts/")
            return "application/octet-stream", file.read_bytes() if file.is_file() else None
        if self.path == "/v2/":
            return "application/json", b"{}"
        found = re.fullmatch(r"/v2/mirror/demo/(manifests|blobs)/(.+)", self.path)
        if found and found[1] == "manifests":
            return MANIFEST, self.server.manifests.get(found[2])
        return "application/octet-stream", self.server.blobs.get(found[2]) if found else None

    def log_message(self, format: str, *args: object) -> None:
        """Nothing to stderr."""


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[Server]:
    with Server(repository) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def helm(helm_program: Path, tmp_path: Path) -> Helm:
    return Helm(helm_program, tmp_path)


@pytest.fixture
def release(server: Server) -> Release:
    return Release(
        name="demo",
        chart="demo",
        repository=f"http://{server.host}/charts",
        version="1.0.0",
        namespace="n",
        values="{}",
        with_definitions=False,
        kubernetes="1.34.0",
        api_versions=(),
    )


def diff(helm: Helm, before: Release, after: Release) -> ChartDiff:
    (found,) = compare({"demo": before}, {"demo": after}, helm.render)
    assert not found.error, found.error
    return found


def test_a_version_bump_shows_what_the_new_chart_makes(helm: Helm, release: Release) -> None:
    found = diff(helm, release, replace(release, version="1.1.0"))
    assert [*found.added] == ["v1 Service demo"]
    assert "+  version: 1.1.0" in found.changed["v1 ConfigMap n/demo"]
    assert not found.removed
    assert not found.random


def test_a_change_of_values_shows_what_it_does(helm: Helm, release: Release) -> None:
    found = diff(helm, release, replace(release, values='{"level": "debug"}'))
    assert [*found.changed] == ["v1 ConfigMap n/demo"]
    assert "-  level: info" in found.changed["v1 ConfigMap n/demo"]


def test_a_secret_is_compared_and_never_shown(helm: Helm, release: Release) -> None:
    one, two = ('{"password": "first-word"}', '{"password": "second-word"}')
    found = diff(helm, replace(release, values=one), replace(release, values=two))
    shown = "\n".join(found.changed["v1 Secret demo"])
    assert "value 1" in shown
    assert "value 2" in shown
    assert "-word" not in shown


def test_a_chart_that_makes_its_own_passwords_is_found(helm: Helm, release: Release) -> None:
    random = replace(release, values='{"random": true}')
    found = diff(helm, random, replace(random, version="1.1.0"))
    assert found.random == ["v1 Secret demo: stringData.password"]
    assert "v1 Secret demo" not in found.changed


def test_the_chart_is_told_the_cluster_that_it_will_meet(helm: Helm, release: Release) -> None:
    known = ("monitoring.coreos.com/v1", "monitoring.coreos.com/v1/ServiceMonitor")
    later = replace(release, kubernetes="1.35.0", api_versions=known, with_definitions=True)
    found = diff(helm, release, later)
    assert [*found.added] == [
        "apiextensions.k8s.io/v1 CustomResourceDefinition a.b.c",
        "monitoring.coreos.com/v1 ServiceMonitor demo",
    ]
    assert "+  kubernetes: v1.35.0" in found.changed["v1 ConfigMap n/demo"]
    assert "of-a-test" not in helm.render(later)


def test_a_mirror_gives_the_same_objects_as_the_repository(
    helm: Helm, release: Release, server: Server
) -> None:
    mirrored = replace(release, chart=f"oci://{server.host}/mirror/demo", repository="")
    found = diff(helm, release, mirrored)
    assert [*found.added, *found.changed, *found.removed] == []
    assert "/v2/mirror/demo/manifests/1.0.0" in server.asked


@pytest.mark.parametrize("change", ["version", "repository", "registry", "values"])
def test_what_can_not_be_rendered_is_one_line(
    helm: Helm, release: Release, server: Server, change: str
) -> None:
    broken = {
        "version": replace(release, version="9.9.9"),
        # port 9 answers nobody
        "repository": replace(release, repository="http://127.0.0.1:9/charts"),
        "registry": replace(release, repository="", chart=f"oci://{server.host}/mirror/other"),
        "values": replace(release, kubernetes="not-a-version"),
    }[change]
    found = compare({"demo": release}, {"demo": broken}, helm.render)
    (line,) = not_rendered(found)
    assert line.startswith("demo (")
    assert "not rendered: Error: " in line
    assert "\n" not in line


def test_a_chart_is_fetched_once(helm: Helm, release: Release, server: Server) -> None:
    server.asked.clear()
    assert "namespace: n" in helm.render(release)
    helm.render(release)
    assert server.asked.count("/charts/demo-1.0.0.tgz") == 1
