import os
from pathlib import Path

import pytest

from local.engine.call import call
from local.report import UserError

pytestmark = pytest.mark.unit


def test_a_command_that_does_not_end_is_killed_and_said_in_one_line(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(UserError) as problem:
        call([str(program), "stack", "init"], cwd=tmp_path, env=os.environ, seconds=0.2)
    (line,) = problem.value.lines
    assert "`pulumi stack init`" in line
    assert "--delete-state" in line
