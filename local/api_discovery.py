"""Which kinds an API server has, and where their objects live."""

from dataclasses import dataclass

from local.api_transport import ApiError, ApiTransport


class UnknownKind(ApiError):  # noqa: N818 - named as discovery names it
    """No resource of that kind: its CRD is not loaded, or the name is wrong."""


@dataclass(frozen=True)
class ResourceType:
    """What discovery says about one kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool


class Discovery:
    """Answers are kept; a kind that is not known yet is asked for anew each time."""

    def __init__(self, transport: ApiTransport) -> None:
        self._transport = transport
        self._types: dict[tuple[str, str], ResourceType] = {}

    def resource_type(self, api_version: str, kind: str) -> ResourceType:
        """Raises UnknownKind."""
        if (api_version, kind) not in self._types:
            self._read(api_version)
        try:
            return self._types[api_version, kind]
        except KeyError:
            raise UnknownKind(
                404, "UnknownKind", f"the API server has no kind {kind} in {api_version}"
            ) from None

    def _read(self, api_version: str) -> None:
        root = "/api" if "/" not in api_version else "/apis"
        try:
            answer = self._transport.request("GET", f"{root}/{api_version}")
        except ApiError as error:
            if error.status == 404:
                return
            raise
        for entry in answer.get("resources") or []:
            if "/" not in entry["name"]:
                self._types[api_version, entry["kind"]] = ResourceType(
                    api_version, entry["kind"], entry["name"], namespaced=bool(entry["namespaced"])
                )
