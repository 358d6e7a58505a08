"""What a Milvus server shall hold, as data: databases, their collections, and users."""

import json
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from agent_runtime.memory.milvus_privileges import Access
from agent_runtime.memory.milvus_schema import AGENT_KNOWLEDGE

DEFAULT_DATABASE = "default"
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")]
UserName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]


class PlanError(ValueError):
    """A plan that can't be carried out; one line for each mistake."""


class _Data(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class MilvusUser(_Data):
    """A user besides root; its password is the file of its name in the folder of secrets."""

    access: Access = "readWrite"
    databases: Annotated[tuple[Name, ...], Field(min_length=1)] = (DEFAULT_DATABASE,)


class MilvusPlan(_Data):
    """Everything that is made where it is missing; nothing is ever dropped or changed."""

    embedding_dimension: Annotated[int, Field(ge=2, le=32768)] = 1536
    databases: dict[Name, tuple[Name, ...]] = Field(default={DEFAULT_DATABASE: (AGENT_KNOWLEDGE,)})
    """Collections by database."""
    users: dict[UserName, MilvusUser] = Field(default_factory=dict)
    authentication: bool = False
    """The server asks for passwords; root's is the file `root`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if "root" in self.users:
            raise ValueError("user 'root' is always there; give the others only")
        if self.users and not self.authentication:
            raise ValueError("users need authentication: true")
        for name, user in self.users.items():
            if unknown := sorted(set(user.databases) - set(self.databases)):
                known = ", ".join(self.databases)
                raise ValueError(f"user {name!r}: database {unknown[0]!r} is none of: {known}")
        return self


def read_plan(path: Path) -> MilvusPlan:
    """The plan in a JSON file. Raises PlanError."""
    try:
        return MilvusPlan.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, each['loc'])) or 'plan'}: {each['msg']}"
            for each in error.errors()
        ]
        raise PlanError("\n".join(lines)) from None
    except ValueError as error:
        raise PlanError(f"{path}: is not JSON: {error}") from None
