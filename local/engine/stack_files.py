"""Stack files as the engine reads them: the checkout's own text plus the salt of this state.

The passphrase provider keeps its salt in the stack file and writes it there when it is missing. The
files of a checkout are shared and hold no secret, so the engine gets a copy that has the salt.
"""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import yaml

from local.engine.call import call
from local.kubeconfig import write_private
from local.report import UserError

KEY = "agentic-platform:platform"
"""Below `config` of a stack file: the section that the program reads."""
SALT = re.compile(r"^encryptionsalt:\s*(\S+)\s*$", re.MULTILINE)
OWN_PROVIDER = re.compile(r"^(secretsprovider|encryptionsalt|encryptedkey):", re.MULTILINE)


class StackFiles:
    """The passphrase, its salt and the copies, all below `<state>/pulumi`."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout = checkout
        self.folder = folder

    @property
    def passphrase(self) -> Path:
        return self.folder / "passphrase"

    @property
    def _salt(self) -> Path:
        return self.folder / "salt"

    def project(self) -> str:
        """The project's name, from the checkout's Pulumi.yaml."""
        file = self.checkout / "Pulumi.yaml"
        try:
            document = yaml.safe_load(file.read_text(encoding="utf-8"))
            return str(document["name"])
        except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
            raise UserError(f"{file}: no Pulumi project there (it needs a `name`)") from error

    def ensure_passphrase(self) -> None:
        """Make the passphrase once; a lost one makes the state's secrets unreadable."""
        if not self.passphrase.is_file():
            write_private(self.passphrase, secrets.token_urlsafe(32) + "\n")

    def original(self, stack: str) -> Path:
        """The file that people edit: the one given to `use`, else the checkout's."""
        given = self._source(stack)
        if given.is_file():
            return Path(given.read_text(encoding="utf-8"))
        return self.checkout / f"Pulumi.{stack}.yaml"

    def use(self, stack: str, file: Path | None) -> None:
        """Read `stack` from `file` from here on; None means the checkout's own."""
        if file is None or file.absolute() == self.checkout / f"Pulumi.{stack}.yaml":
            self._source(stack).unlink(missing_ok=True)
        else:
            write_private(self._source(stack), str(file.absolute()))

    def known(self) -> list[str]:
        """The stacks that the checkout has files for."""
        return sorted(file.name.split(".")[1] for file in self.checkout.glob("Pulumi.*.yaml"))

    def copy(self, stack: str) -> Path:
        """The file for the engine, made from the original as it is at this moment."""
        original = self.original(stack)
        try:
            text = original.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"stack {stack!r}: no file {original.name}; known stacks: {', '.join(self.known())}"
            ) from error
        if OWN_PROVIDER.search(text):
            return original  # it names a secrets provider of its own: nothing to add
        copy = self.folder / "config" / f"Pulumi.{stack}.yaml"
        write_private(copy, f"{text.rstrip()}\nencryptionsalt: {self.salt_text()}\n")
        return copy

    def salt_text(self) -> str:
        return self._salt.read_text(encoding="utf-8").strip()

    def ensure_salt(self, pulumi: Path, environment: Mapping[str, str]) -> None:
        """Let the engine make the salt that belongs to the passphrase, in a folder of its own."""
        if self._salt.is_file():
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            folder = Path(scratch)
            (folder / "state").mkdir()
            project = {"name": "salt", "runtime": "yaml"}
            (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
            backend = {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
            command = [str(pulumi), "stack", "init", "salt", "--no-select", "--non-interactive"]
            made = call(
                [*command, "--secrets-provider", "passphrase"],
                cwd=folder,
                env=os.environ | environment | backend,
            )
            file = folder / "Pulumi.salt.yaml"
            found = SALT.search(file.read_text(encoding="utf-8")) if file.is_file() else None
        if found is None:
            raise UserError(f"pulumi could not set up its secrets: {_last_line(made.stderr)}")
        write_private(self._salt, found.group(1) + "\n")

    def scratch_project(self) -> Path:
        """A folder in which `pulumi stack init` can't touch the checkout's stack files."""
        folder = self.folder / "init"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        project = {"name": self.project(), "runtime": "yaml"}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
        return folder

    def _source(self, stack: str) -> Path:
        return self.folder / "config" / f"{stack}.source"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "it said nothing"
