"""Agent documents that a stack names: every mistake at once, before anything is made."""

from pathlib import Path

import pulumi
import pytest

from infra.config import CHECKOUT
from infra.documents import read_documents, require_agents, require_models

pytestmark = pytest.mark.unit

SAMPLE = "agents/samples/customer-support.yaml"


def test_the_sample_agent_is_known_by_its_name() -> None:
    assert list(read_documents((SAMPLE,), root=CHECKOUT).agents) == ["customer-support-agent"]


def test_every_unusable_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "misspelt.yaml").write_text(
        (CHECKOUT / SAMPLE).read_text().replace("tools:", "tols:")
    )
    with pytest.raises(pulumi.RunError) as caught:
        read_documents(("missing.yaml", "misspelt.yaml"), root=tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("agents: can't read 'missing.yaml'")
    assert any("tols" in line for line in lines[1:])


def test_the_same_agent_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text((CHECKOUT / SAMPLE).read_text())
    with pytest.raises(pulumi.RunError, match="exists twice; rename it"):
        read_documents(("a.yaml", "b.yaml"), root=tmp_path)


def test_a_scaler_of_an_unknown_agent_is_refused_with_the_known_ones() -> None:
    documents = read_documents((SAMPLE,), root=CHECKOUT)
    with pytest.raises(pulumi.RunError, match=r"scalers\.s\.agent: got 'x'; allowed: customer-"):
        require_agents(documents, {"s": "x"})


def test_models_without_a_route_are_refused_before_anything_is_made() -> None:
    documents = read_documents((SAMPLE,), root=CHECKOUT)
    with pytest.raises(pulumi.RunError) as caught:
        require_models(documents, ["gpt-4"], embedding="all-minilm-l6-v2")
    first, second = str(caught.value).splitlines()
    assert first.startswith("agent 'customer-support-agent': got model 'gemma-3-270m'")
    assert second.startswith("agentService.embeddingModel: got 'all-minilm-l6-v2'")
