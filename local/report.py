"""What the local plane says: live progress for people, JSON lines for machines, one-line errors."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Live


class UserError(Exception):
    """A mistake its reader can mend: each line names the value, what is allowed, the way out."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass
class Step:
    """One piece of long work; `detail` is what it is doing now."""

    name: str
    started: float = field(default_factory=time.monotonic)
    detail: str = ""
    seconds: float | None = None
    outcome: str = ""


class Progress:
    """Steps as they happen: spinners on a terminal, plain lines elsewhere, JSON on request.

    JSON needs nothing but Python itself.
    """

    def __init__(self, *, as_json: bool = False, console: "Console | None" = None) -> None:
        self.as_json = as_json
        self.steps: list[Step] = []
        self._tasks: dict[str, Any] = {}
        self._live: Live | None = None
        if as_json:
            return
        # every plugin process imports this module for UserError; rich would cost each 0.2 s
        from rich.console import Console
        from rich.progress import Progress as RichProgress
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        self.console = console or Console(stderr=True, highlight=False)
        if self.console.is_terminal:
            self._live = RichProgress(
                SpinnerColumn(finished_text="[green]✓"),
                TextColumn("{task.description}"),
                TextColumn("[dim]{task.fields[detail]}"),
                TimeElapsedColumn(),
                console=self.console,
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show `name` while the block runs; the step's `outcome` is printed when it ends well."""
        step = Step(name)
        self.steps.append(step)
        if self._live:
            self._tasks[name] = self._live.add_task(name, total=1, detail="")
        self._event("started", step)
        try:
            yield step
        except BaseException:
            step.seconds = time.monotonic() - step.started
            self._event("failed", step)
            raise
        step.seconds = time.monotonic() - step.started
        if self._live:
            self._live.update(self._tasks[name], completed=1, detail=step.outcome)
        self._event("done", step)

    def detail(self, step: Step, text: str) -> None:
        """Say what `step` is doing now."""
        step.detail = text
        if self._live:
            self._live.update(self._tasks[step.name], detail=text)
        elif self.as_json:
            self._event("detail", step)

    def notice(self, text: str) -> None:
        """A line that must be seen whatever the form of the output."""
        if self.as_json:
            self._write({"event": "notice", "text": text})
        else:
            self.console.print(f"! {text}", markup=False)

    def _event(self, event: str, step: Step) -> None:
        if self.as_json:
            record: dict[str, Any] = {"event": event, "step": step.name}
            if event == "detail":
                record["detail"] = step.detail
            if step.seconds is not None:
                record |= {"seconds": round(step.seconds, 2), "outcome": step.outcome}
            self._write(record)
        elif self._live is None and event != "started":
            mark = {"done": "ok", "failed": "FAILED"}[event]
            self.console.print(
                f"{mark:>6}  {step.name}  {step.seconds or 0:.1f} s  {step.outcome}", markup=False
            )

    def _write(self, record: dict[str, Any]) -> None:
        sys.stderr.write(json.dumps(record) + "\n")
        sys.stderr.flush()
