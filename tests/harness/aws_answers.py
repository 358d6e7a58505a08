"""AWS's answers to operations that moto lacks: the caller's arguments and the answer's form are
checked against the SDK's model of the service, the content is the test's."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from botocore.validate import validate_parameters

from infra.aws_session import AwsSession

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class RefusedError(Exception):
    """What an answer raises to be an error of AWS with that code."""

    def __init__(self, code: str, message: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class AnsweringSession(AwsSession):
    """A session in which some operations, by `service.Operation`, are answered by the test."""

    def __init__(self, answers: dict[str, Answer], *, region: str = "us-west-2") -> None:
        super().__init__(region=region)
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:
        fresh = service not in self._clients
        client = super().client(service)
        for name in [name for name in self.answers if fresh and name.startswith(f"{service}.")]:
            event = f"{client.meta.service_model.service_id.hyphenize()}.{name.partition('.')[2]}"
            client.meta.events.register(f"before-parameter-build.{event}", _keep)
            client.meta.events.register(f"before-call.{event}", self._answer_for(name))
        return client

    def _answer_for(self, name: str) -> Callable[..., Any]:
        def answer(model: Any, context: dict[str, Any], **_: Any) -> Any:
            self.asked.append((name, context["asked"]))
            try:
                parsed = self.answers[name](context["asked"])
            except RefusedError as error:
                refusal = {"Error": {"Code": error.code, "Message": str(error)}}
                return SimpleNamespace(status_code=400), refusal
            validate_parameters(parsed, model.output_shape)
            return SimpleNamespace(status_code=200), parsed

        return answer


def _keep(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["asked"] = params
