"""The story is told once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.scaling.run import told
from tests.scaling.story import Story


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Needs the tools of `python -m local tools --scaling`."""
    telling = told(tmp_path_factory.mktemp("scaling"))
    try:
        found = telling.__enter__()
    except PermissionError as error:
        pytest.skip(str(error))
    try:
        yield found
    finally:
        telling.__exit__(None, None, None)
