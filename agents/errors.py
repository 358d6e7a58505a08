"""What is wrong with a document, said so that its author can mend it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One mistake: where it stands and what would be right."""

    source: str
    """The file, or what stands for one."""
    line: int | None
    path: str
    """Place in the document, such as `spec.tools[0].config.topK`; empty: the document itself."""
    problem: str
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        place += f":{self.column}" if self.line and self.column else ""
        return f"{place}: {self.path}: {self.problem}" if self.path else f"{place}: {self.problem}"


class DocumentError(ValueError):
    """All mistakes of a text at once, one line each."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes
