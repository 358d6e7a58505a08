"""What an agent may put into its answers."""

from typing import Annotated, Literal

from pydantic import Field

from agents.model import DocumentModel

HostPattern = Annotated[
    str,
    Field(
        pattern=r"^(\*|(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)$",
        max_length=253,
    ),
]


class Links(DocumentModel):
    """Addresses in answers. An image of a foreign host is loaded by whatever shows the answer, and
    so carries out what stands in its address; a link does when somebody follows it."""

    hosts: tuple[HostPattern, ...] = ()
    """Hosts that answers may link to: `docs.example.com`, `*.example.com` (any host below it), `*`
    (every host). Others are taken out of the text."""
    check: Literal["afterUntrusted", "always"] = "afterUntrusted"
    """afterUntrusted: only where content from outside is in the conversation, which may have asked
    for the link."""


class Output(DocumentModel):
    """Rules for what the agent says."""

    links: Links = Links()
