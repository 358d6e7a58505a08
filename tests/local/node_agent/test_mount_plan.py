"""How a Pod's root is put together."""

from pathlib import Path, PurePosixPath

import pytest

from local.node_agent.host_view import HostView
from local.node_agent.mount_plan import Entry, Mount, MountRefused, arguments

pytestmark = pytest.mark.unit
HOST: dict[str, dict[str, Entry]] = {
    "/usr": {"bin": "folder", "share": "folder", "tmp": PurePosixPath("../var/tmp")},
    "/usr/share": {"doc": "folder", "zoneinfo": "folder", "pipe": "other", "note": "file"},
}
VIEW = HostView(
    binds=("/etc/ssl", "/usr", "/srv/checkout"),
    links=(("/bin", "usr/bin"),),
    hidden=("/srv/checkout/.local",),
)


def planned(*mounts: Mount, read_only_root: bool = False) -> list[str]:
    return arguments(
        VIEW,
        mounts,
        listing=lambda folder: HOST.get(folder, {}),
        read_only_root=read_only_root,
    )


def binds(made: list[str]) -> list[tuple[str, str, str]]:
    found = []
    for index, word in enumerate(made):
        if word in ("--bind", "--ro-bind"):
            found.append((word, made[index + 1], made[index + 2]))
    return found


def test_the_host_is_read_only_and_volumes_are_writable_unless_they_say_no() -> None:
    made = binds(
        planned(
            Mount(Path("/v/config"), "/etc/agent", read_only=True), Mount(Path("/v/data"), "/data")
        )
    )
    assert ("--ro-bind", "/usr", "/usr") in made
    assert ("--ro-bind", "/v/config", "/etc/agent") in made
    assert ("--bind", "/v/data", "/data") in made
    writable = [bind for bind in made if bind[0] == "--bind"]
    assert writable == [("--bind", "/v/data", "/data")]


def test_a_mount_point_that_the_host_lacks_opens_its_parents() -> None:
    made = binds(planned(Mount(Path("/v"), "/usr/share/models/gemma")))
    bound = [target for _, _, target in made]
    assert "/usr" not in bound
    assert "/usr/share" not in bound
    assert {"/usr/bin", "/usr/share/doc", "/usr/share/note"} <= set(bound)
    assert "/usr/share/pipe" not in bound
    assert bound.index("/usr/share/doc") < bound.index("/usr/share/models/gemma")


def test_a_mount_point_that_exists_opens_nothing() -> None:
    bound = [target for _, _, target in binds(planned(Mount(Path("/v"), "/usr/share/doc")))]
    assert "/usr" in bound
    assert bound[-1] == "/usr/share/doc"


def test_symlinks_of_an_opened_folder_are_made_anew() -> None:
    made = planned(Mount(Path("/v"), "/usr/new"))
    place = made.index("/usr/tmp")
    assert made[place - 2 : place + 1] == ["--symlink", "../var/tmp", "/usr/tmp"]


def test_var_run_is_run_as_in_an_image() -> None:
    made = planned(Mount(Path("/v"), "/var/run/secrets/token"))
    assert ("--bind", "/v", "/run/secrets/token") in binds(made)
    assert made[made.index("/var/run") - 2 :][:2] == ["--symlink", "../run"]


def test_outer_mounts_come_before_inner_ones() -> None:
    bound = [
        target
        for _, _, target in binds(
            planned(Mount(Path("/in"), "/data/a/b"), Mount(Path("/out"), "/data"))
        )
    ]
    assert bound.index("/data") < bound.index("/data/a/b")


def test_hidden_folders_are_covered_after_what_holds_them() -> None:
    made = planned()
    assert made.index("/srv/checkout/.local") > made.index("/srv/checkout")
    assert made[made.index("/srv/checkout/.local") - 1] == "--tmpfs"


def test_a_pod_may_bring_its_own_hosts_file() -> None:
    made = planned(Mount(Path("/v/hosts"), "/etc/hosts"))
    assert "../run/pod/hosts" not in made


@pytest.mark.parametrize("target", ["/", "/etc", "/usr/", "/proc", "//usr", "/data/.."])
def test_mounts_that_would_hide_the_system_are_refused(target: str) -> None:
    with pytest.raises(MountRefused, match="hide the system"):
        planned(Mount(Path("/v"), target))


def test_a_mount_through_a_symlink_of_the_host_is_refused() -> None:
    with pytest.raises(MountRefused, match="symlink"):
        planned(Mount(Path("/v"), "/bin/tool"))


def test_a_read_only_root_is_sealed_last() -> None:
    assert planned(read_only_root=True)[-2:] == ["--remount-ro", "/"]
    assert "--remount-ro" not in planned()


def test_a_checkout_below_a_folder_that_the_pod_mounts_stays_visible() -> None:
    made = binds(planned(Mount(Path("/v/srv"), "/srv")))
    outer, inner = ("--bind", "/v/srv", "/srv"), ("--ro-bind", "/srv/checkout", "/srv/checkout")
    assert made.index(outer) < made.index(inner), "the volume would hide the programs"
    assert made.count(outer) == 1
