# SPDX-License-Identifier: LGPL-2.1-or-later
"""What counts as an operating system: the tree as the payload will find it, with what is mounted into it."""
import pathlib

import pytest

pytestmark = pytest.mark.requires("root")


@pytest.fixture
def bare(tree):
    """An empty directory to start on, and one beside it that holds the payload."""
    def make(entries=None):
        root, store = tree(), tree()
        for path in [*root.iterdir()]:
            if path.is_dir():
                for inner in path.iterdir():
                    inner.unlink()
                path.rmdir()
            else:
                path.unlink()
        for name, text in (entries or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root, store
    return make


def complains(result, *words):
    assert result.code == 1 and result.out == b"", result
    assert "no operating system" in result.complaint and "--no-os-check" in result.complaint, result
    for word in words:
        assert word in result.complaint, result


def test_an_empty_directory_is_refused_and_stays_empty(bare, run):
    root, _ = bare()
    complains(run("-q", "-P", "-D", root, "/bin/sh"), "neither /usr nor /etc/os-release", str(root))
    complains(run("-q", "-P", "-D", root, "--boot"), "/etc/os-release", "/usr/lib/os-release", str(root))
    complains(run("-q", "-P", "-D", root, "--bind=/tmp:/data", "/bin/sh"))
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("how", [("--no-os-check", {}), ("-q", {"SYSTEMD_NSPAWN_CHECK_OS_RELEASE": "0"})])
@pytest.mark.parametrize("mode", ["--boot", "-a", "-q"])
def test_it_can_be_switched_off(bare, run, how, mode):
    root, _ = bare()
    result = run("-q", "-P", "-D", root, mode, how[0], "/nothing", env=how[1])
    assert result.code == 1 and "no operating system" not in result.complaint, result


def test_the_option_beats_the_variable(bare, run):
    root, _ = bare()
    result = run("-q", "-P", "-D", root, "--boot", "--no-os-check", env={"SYSTEMD_NSPAWN_CHECK_OS_RELEASE": "1"})
    assert "no operating system" not in result.complaint


def test_a_tree_of_empty_files_starts(bare, run):
    """As NixOS makes them: the program and all it needs come by a mount."""
    root, store = bare({"etc/os-release": "", "etc/machine-id": ""})
    result = run("-q", "-P", "-D", root, f"--bind-ro={store}:/nix/store", "/nix/store/payload", "env")
    assert any(line.startswith("container_uuid=") for line in result.json["env"])
    root, store = bare({"etc/os-release": "", "etc/machine-id": ""})
    assert run("-q", "-P", "-D", root, "/bin/sh").complaint.count("no operating system") == 0


@pytest.mark.parametrize("mode", [[], ["-a"]])
def test_an_empty_directory_with_a_mounted_program_starts(bare, run, mode):
    root, store = bare()
    result = run("-q", "-P", "-D", root, *mode, f"--bind-ro={store}:/nix/store:norbind", "/nix/store/payload", "exit", "4")
    assert result.code == 4


def test_a_mounted_usr_is_one(bare, run):
    root, store = bare()
    result = run("-q", "-P", "-D", root, f"--bind-ro={store}:/usr", "/usr/payload", "exit", "4")
    assert result.code == 4
    root, store = bare()
    assert run("-q", "-P", "-D", root, f"--bind-ro={store}:/usr", "/bin/nothing").complaint.count("no operating system") == 0


def test_a_mounted_root_counts(bare, run):
    root, store = bare()
    result = run("-q", "-P", "-D", root, f"--bind={store}:/", "/payload", "exit", "4")
    assert result.code == 4


def test_a_mounted_root_that_is_none_is_refused_and_stays_empty(bare, run):
    other, _ = bare()
    root, _ = bare({"usr/lib/os-release": "ID=x\n"})
    complains(run("-q", "-P", "-D", root, f"--bind={other}:/", "/bin/sh"), "neither /usr nor /etc/os-release")
    complains(run("-q", "-P", "-D", root, "--tmpfs=/", "/bin/sh"))
    complains(run("-q", "-P", "-D", root, f"--bind={other}:/", "--boot"))
    # Nothing was made in what is no tree, until it is asked for.
    assert [path for path in other.iterdir() if path.name == "bin"] == []


@pytest.mark.parametrize("place", ["etc", "usr/lib"])
def test_an_os_release_that_is_mounted_counts_for_a_boot(tree, run, place):
    root, other = tree(), tree()
    (root / "etc/os-release").unlink()
    folder = other / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "os-release").write_text("ID=x\n")
    where = f"{other / place.split('/')[0]}:/{place.split('/')[0]}"
    complains(run("-q", "-P", "-D", root, "--boot"))
    result = run("-q", "-P", "-D", root, f"--bind-ro={where}", "--boot")
    assert result.code == 1 and "no operating system" not in result.complaint and "init" in result.complaint, result


def test_an_os_release_that_is_hidden_does_not(tree, run):
    root = tree()
    complains(run("-q", "-P", "-D", root, "--tmpfs=/etc", "--boot"), "What is mounted", "/usr/lib/os-release")
    assert "no operating system" not in run("-q", "-P", "-D", root, "--tmpfs=/home", "--boot").complaint


def test_the_identity_is_that_of_the_root_that_is_mounted(tree, run):
    machine_id = "00112233445566778899aabbccddeeff"
    root, other = tree({"etc/machine-id": "f" * 31 + "e\n"}), tree({"etc/machine-id": machine_id + "\n"})
    result = run("-q", "-P", "-D", root, f"--bind={other}:/", "/payload", "env")
    assert "container_uuid=00112233-4455-6677-8899-aabbccddeeff" in result.json["env"]


def test_links_of_the_tree_do_not_lead_the_look_outside(bare, run):
    outside = pathlib.Path("/usr/lib/os-release")
    assert outside.exists()
    root, _ = bare()
    (root / "etc").mkdir()
    (root / "etc/os-release").symlink_to("../../../../../../../../usr/lib/os-release")
    complains(run("-q", "-P", "-D", root, "--boot"))
    complains(run("-q", "-P", "-D", root, "--boot", "--tmpfs=/usr"))
