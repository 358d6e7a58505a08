"""What goes into an image, and the tag that is made of it."""

from pathlib import Path

import pytest

from components.build_context import content_tag, context_files
from infra.config import CHECKOUT
from local.standin.recording.images import sent

pytestmark = pytest.mark.unit

DOCKERFILE = "app/Dockerfile"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("app/Dockerfile", "app/main.py", "app/__pycache__/main.pyc", "README.md", "a.b/c"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


IGNORES = {
    "": ["README.md", "a.b/c", "app/Dockerfile", "app/__pycache__/main.pyc", "app/main.py"],
    "*\n!app\n**/__pycache__\n": ["app/Dockerfile", "app/main.py"],
    "**/*.pyc\n*.md\n": ["a.b/c", "app/Dockerfile", "app/main.py"],
    "app\n!app/main.py\n": ["README.md", "a.b/c", "app/Dockerfile", "app/main.py"],
    "a?b\n# a comment\n/README.md\n": [
        "app/Dockerfile",
        "app/__pycache__/main.pyc",
        "app/main.py",
    ],
    "*\n": ["app/Dockerfile"],
}


@pytest.mark.parametrize("text", IGNORES)
def test_ignore_files_are_read_as_the_builder_reads_them(folder: Path, text: str) -> None:
    (folder / "app/Dockerfile.dockerignore").write_text(text)
    wanted = [it for it in context_files(folder, DOCKERFILE) if not it.endswith("ignore")]
    assert wanted == IGNORES[text]


@pytest.mark.parametrize("text", IGNORES)
def test_program_and_stand_in_read_the_same_files_from_it(folder: Path, text: str) -> None:
    (folder / "app/Dockerfile.dockerignore").write_text(text)
    lines = [it for it in text.splitlines() if it and not it.startswith("#")]
    own = context_files(folder, DOCKERFILE)
    assert sorted({*sent(folder, lines), DOCKERFILE}) == own


def test_the_tag_changes_with_what_is_sent_and_with_nothing_else(folder: Path) -> None:
    (folder / "app/Dockerfile.dockerignore").write_text("*\n!app\n**/__pycache__\n")
    tag = content_tag(folder, DOCKERFILE)
    assert tag.startswith("src-")
    (folder / "README.md").write_text("another")
    (folder / "app/__pycache__/main.pyc").write_text("another")
    assert content_tag(folder, DOCKERFILE) == tag
    assert content_tag(folder, DOCKERFILE, "linux/arm64") != tag
    (folder / "app/main.py").chmod(0o755)
    executable = content_tag(folder, DOCKERFILE)
    assert executable != tag
    (folder / "app/main.py").write_text("other code")
    assert content_tag(folder, DOCKERFILE) not in {tag, executable}


def test_the_runtime_image_is_sent_its_own_packages_and_nothing_else() -> None:
    files = context_files(CHECKOUT, "agent_runtime/Dockerfile")
    top = {it.split("/")[0] for it in files}
    assert top == {"agent_runtime", "agents", "inference", "pyproject.toml", "uv.lock"}
    assert not [it for it in files if "__pycache__" in it]
