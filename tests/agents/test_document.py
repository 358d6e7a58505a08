"""Agent and Tool documents: the architecture's text is read as it stands, mistakes are located."""

from pathlib import Path

import pytest

from agents.document import (
    AgentDocument,
    ToolDocument,
    dump_documents,
    load_documents,
    resolve_tools,
    secret_keys,
)
from agents.errors import DocumentError
from agents.tool import ApiTool, RetrievalTool
from agents.yaml_source import MAX_CHARACTERS

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
AGENT = (HERE / "architecture_agent.yaml").read_text(encoding="utf-8")
TOOL = (HERE / "architecture_tool.yaml").read_text(encoding="utf-8")


def agent(text: str = AGENT) -> AgentDocument:
    (document,) = load_documents(text)
    assert isinstance(document, AgentDocument)
    return document


def tool(text: str = TOOL) -> ToolDocument:
    (document,) = load_documents(text)
    assert isinstance(document, ToolDocument)
    return document


def mistakes(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load_documents(text, source="a.yaml")
    return str(caught.value).splitlines()


def test_the_architectures_agent_is_read_as_it_stands() -> None:
    spec = agent().spec
    assert spec.system_prompt == "고객을 도와주세요. Sé amable."
    assert (spec.model.name, spec.model.max_tokens) == ("gpt-4-turbo", 4096)
    assert spec.scaling.target_cpu_utilization == 70
    assert spec.resources.limits.memory == "1Gi"
    assert spec.memory is not None
    assert spec.memory.config.max_history == 50
    search, ticket = spec.tools
    assert isinstance(search, RetrievalTool)
    assert search.config.top_k == 5
    assert isinstance(ticket, ApiTool)
    assert ticket.effect == "write"


def test_the_architectures_tool_is_read_as_it_stands() -> None:
    spec = tool().spec
    assert [each.default for each in spec.parameters or ()] == [None, 10]


def test_our_own_group_is_read_too_for_tools_but_not_for_agents() -> None:
    ours = "tools.kagent.dev/v1alpha1"
    assert tool(TOOL.replace("kagent.dev/v1alpha1", ours)).api_version == ours
    assert "apiVersion" in mistakes(AGENT.replace("kagent.dev/v1alpha1", ours))[0]


def test_what_is_left_out_gets_the_architectures_values() -> None:
    spec = agent(
        "apiVersion: kagent.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"
        "spec: {model: {name: m}}\n"
    ).spec
    assert (spec.scaling.min_replicas, spec.scaling.max_replicas) == (2, 10)
    assert (spec.resources.requests.memory, spec.resources.requests.cpu) == ("512Mi", "250m")
    assert spec.memory is None
    assert spec.budget.seconds == 120


def test_written_documents_are_read_back_equal() -> None:
    documents = load_documents(f"{AGENT}---\n{TOOL}")
    assert load_documents(dump_documents(documents)) == documents


def test_all_mistakes_of_all_documents_are_told_at_once_in_the_order_of_the_text() -> None:
    text = (
        AGENT.replace("temperature: 0.7", "temperature: 7")
        .replace("topK", "topk")
        .replace("maxHistory", "maxhistry")
        .replace("minReplicas: 2", "minReplicas: 20")
        .replace("cpu: 500m", "cpu: lots")
    )
    broken_tool = TOOL.replace("default: 10", "default: ten").replace("secretRef", "secretref")
    lines = mistakes(f"{text}---\n{broken_tool}")
    assert [line.partition(": ")[0].rpartition(":")[0] for line in lines] == [
        "a.yaml:5",
        "a.yaml:8",
        "a.yaml:12",
        "a.yaml:13",
        "a.yaml:14",
        "a.yaml:25",
        "a.yaml:26",
        "a.yaml:26",
    ]
    assert lines[0] == "a.yaml:5:48: spec.model.temperature: 7 should be less than or equal to 2"


@pytest.mark.parametrize(
    ("right", "wrong", "hint"),
    [
        ("topK", "topk", "spec.tools[0].config.topk: unknown key 'topk'; did you mean 'topK'?"),
        ("maxHistory", "maxhistry", "did you mean 'maxHistory'?"),
        ("systemPrompt", "systemprompt", "spec.systemprompt: unknown key"),
        ("targetCPUUtilization", "targetCpuUtilization", "did you mean 'targetCPUUtilization'?"),
        ("type: retrieval", "type: retreival", "'retreival' is not allowed; allowed: 'api'"),
        ("kind: Agent", "kind: Agnet", "kind 'Agnet'; allowed: Agent, Tool"),
        ("name: gpt-4-turbo, ", "", "spec.model.name: is missing"),
        ("provider: openai", "provider: mystery", "'mystery' is not allowed; allowed: 'openai'"),
        ("name: customer-support-agent", "name: Support", "metadata.name: 'Support' does not"),
        ("name: create-ticket", "name: search-knowledge-base", "is listed twice"),
        (
            "endpoint: http://ticketing",
            "endpoint: ftp://ticketing",
            "spec.tools[1].config.endpoint",
        ),
        ("http://ticketing-service/", '"http://{host}/"', "is not YAML"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_would_be_right(
    right: str, wrong: str, hint: str
) -> None:
    assert right in AGENT
    assert any(hint in line for line in mistakes(AGENT.replace(right, wrong)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1,\nb: 2", "is not YAML"),
        ("a: 1\na: 2", "key 'a' stands twice"),
        ("a: !!python/object/apply:os.system [x]", "tag"),
        ("a: !!python/object/apply:os.system x", "tag"),
        ("a: 2020-13-45", "unreadable value"),
        ("- 1\n- 2", "without a kind"),
        ("just words", "without a kind"),
        ("a: &x [*x]", "is not YAML"),
        ("x" * (MAX_CHARACTERS + 1), "characters"),
        ("[" * 20_000, "is not YAML"),
    ],
)
def test_text_that_is_no_document_is_refused_in_one_line(text: str, said: str) -> None:
    (line,) = mistakes(text)
    assert said in line


def test_aliases_that_multiply_are_refused() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
    text = "\n".join(["l0: &l0 [lol]", *levels])
    assert "values" in mistakes(text)[0]


def test_tools_listed_by_name_are_replaced_by_the_registered_ones() -> None:
    by_name = agent(AGENT.replace("  memory:", "    - web-search\n  memory:"))
    tools = resolve_tools(by_name, [tool()])
    assert [each.name for each in tools] == ["search-knowledge-base", "create-ticket", "web-search"]
    assert [key.name for key in secret_keys(tools)] == ["search-api-token"]


def test_a_name_that_no_tool_of_the_namespace_has_is_told_with_the_nearest_one() -> None:
    by_name = agent(AGENT.replace("  memory:", "    - {name: web-serch}\n  memory:"))
    with pytest.raises(DocumentError, match="did you mean 'web-search'"):
        resolve_tools(by_name, [tool()])
    elsewhere = tool(TOOL.replace("namespace: ai-agents", "namespace: other"))
    with pytest.raises(DocumentError, match="registered: none"):
        resolve_tools(by_name, [elsewhere])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("http://search-service/api/search", '"http://search-service/{id}"'),
            "the endpoint holds {id}",
        ),
        (("http://search-service", "http://user:pw@search-service"), "without user, password"),
        (("name: max_results", "name: query"), "parameter 'query' is declared twice"),
        (("default: 10", "default: true"), "is not of type integer"),
        (("required: true", "required: true, default: x"), "can't have a default"),
        (("timeout: 30s", "timeout: soon"), "'soon' does not match"),
        (("type: bearer", "type: basic"), "'basic' is not allowed; allowed: 'bearer'"),
    ],
)
def test_a_tool_that_contradicts_itself_is_refused(change: tuple[str, str], said: str) -> None:
    assert change[0] in TOOL
    assert any(said in line for line in mistakes(TOOL.replace(*change)))
