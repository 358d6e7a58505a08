"""Text for a client that can't be told to forget: chat completions only ever add words."""


class Spoken:
    """What such a client was told, and what it must be told next.

    A step that begins again says its words again: as far as they are the same they are held back;
    where they differ, the new ones follow as a paragraph of their own.
    """

    def __init__(self) -> None:
        self.all = ""
        self._step: int | None = None
        self._told = ""
        """Of this step, as the model says it."""
        self._again: str | None = None
        """Of this step's new beginning, while it says nothing new."""

    def said(self, step: int, text: str) -> str:
        """The words to send for a delta of a step; may be empty."""
        if step != self._step:
            self._step, self._told, self._again = step, "", None
            return self._paragraph(text)
        if self._again is None:
            return self._tell(text)
        again, told = self._again + text, self._told
        if told.startswith(again):
            self._again = again
            return ""
        self._again = None
        if again.startswith(told):
            return self._tell(again[len(told) :])
        self._told = ""
        return self._paragraph(again)

    def restarted(self, step: int) -> None:
        """The words of a step so far are void."""
        if step == self._step:
            self._again = ""

    def missing(self, answer: str) -> str:
        """What must still be sent, so that all that was said ends with the answer."""
        if self.all.endswith(answer):
            return ""
        if self._told and answer.startswith(self._told):
            return self._tell(answer[len(self._told) :])
        return self._paragraph(answer)

    def _paragraph(self, text: str) -> str:
        lead = "\n\n" if self.all else ""
        self.all += lead
        return lead + self._tell(text)

    def _tell(self, text: str) -> str:
        self.all += text
        self._told += text
        return text
