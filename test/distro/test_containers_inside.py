# SPDX-License-Identifier: LGPL-2.1-or-later
"""--nesting on a real system: Podman, bubblewrap, unshare and nspawn itself, by root and by an ordinary user inside."""
import os
import pathlib
import shutil
import subprocess
import types

import pytest

from lab import tree as lab_tree
from lab.run import program, run

pytestmark = pytest.mark.requires("root", "mirror", "userns", "netns", "idmap")

NETWORKS = pytest.mark.parametrize("network", [[], ["--private-network"]], ids=["host-network", "private-network"])
AS_EVA = "setpriv --reuid=eva --regid=eva --init-groups env -i PATH=$PATH HOME=/home/eva XDG_RUNTIME_DIR=/tmp/eva"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What the machines are given: an image, a tree, the executable under test."""
    folder = tmp_path_factory.mktemp("given")
    os.chmod(folder, 0o755)
    subprocess.run(["cp", "-a", lab_tree.cached("busybox"), folder / "tree"], check=True)
    subprocess.run(["tar", "-C", folder / "tree", "-cf", folder / "image.tar", "."], check=True)
    words = program()
    shutil.copy(pathlib.Path(shutil.which(words[0]) or words[0]), folder / "nspawn")
    yield folder
    lab_tree.remove(folder)


def inside(given, script, *options, nesting=True):
    """Runs a script in a throw-away machine of the tree with the tools, by its root."""
    ids = ["-U", "--nesting"] if nesting else ["-U"]
    begin = "install -d -o eva -g eva -m 700 /tmp/eva; mkdir /tmp/w; mount -t tmpfs tmpfs /tmp/w; "
    return run("-q", "-P", "-x", "-D", lab_tree.cached("podman"), *ids, *options, f"--bind-ro={given}:/given:idmap",
               "/bin/sh", "-ec", begin + script, timeout=300)


def lines(result):
    assert result.code == 0, result
    return result.text.splitlines()


@NETWORKS
def test_podman_of_root(given, network):
    script = ("podman import -q /given/image.tar image >/dev/null; podman run --rm --network=none image id -u; "
              "podman run --rm --network=none image ip -o link | wc -l; podman run --rm --network=host image sh -c 'echo $$ >/dev/null; hostname'; "
              "podman run --rm --network=none --uidmap=0:65536:65536 image cat /proc/self/uid_map | tr -s ' '")
    got = lines(inside(given, script, *network))
    assert got[0] == "0" and got[1] == "1" and len(got) == 4 and got[3] == " 0 65536 65536", got


def test_podman_of_root_has_a_bridge(given):
    """By itself, on a network of the machine's own: that of the host is not its root's."""
    script = ("podman import -q /given/image.tar image >/dev/null; podman run --rm image ip -o -4 addr show eth0 | tr -s ' ' | cut -d' ' -f4; "
              "podman run -d -q --name server image sh -c 'while :; do echo hello | nc -l -p 80; done' >/dev/null; "
              "address=$(podman inspect -f '{{.NetworkSettings.Networks.podman.IPAddress}}' server); "
              "until podman run --rm image nc -w 5 $address 80; do sleep 0.2; done; podman rm -f -t 0 server >/dev/null")
    got = lines(inside(given, script, "--private-network"))
    assert got[0].startswith("10.88.") and got[1] == "hello", got


@NETWORKS
def test_podman_of_a_user(given, network):
    """With the line that useradd wrote into the tree's /etc/subuid, as the manual has it."""
    script = ("cat /etc/subuid; cp /given/image.tar /tmp/eva/; cat >/tmp/script <<'EOF'\n"
              "set -e; cd $HOME; podman import -q /tmp/eva/image.tar image >/dev/null\n"
              "podman info --format '{{.Host.Security.Rootless}}'\n"
              "podman run --rm --network=none image cat /proc/self/uid_map | tr -s ' '\n"
              "podman run --rm --network=none -u 1000 image sh -c 'touch /tmp/x; ls -ln /tmp/x' | tr -s ' ' | cut -d' ' -f3\n"
              "podman run --rm --network=host image id -u\n"
              "EOF\n"
              f"chown eva /tmp/eva/image.tar; {AS_EVA} sh /tmp/script")
    got = lines(inside(given, script, *network))
    assert got == ["eva:100000:65536", "true", " 0 1000 1", " 1 100000 65536", "1000", "0"], got


def test_what_useradd_writes_would_not_do_without(given):
    """Else the ids that are added for it would be for nothing."""
    result = inside(given, f"{AS_EVA} podman unshare true", nesting=False)
    assert result.code != 0 and "newuidmap" in result.complaint, result


@NETWORKS
def test_sandboxes(given, network):
    sandbox = "bwrap --bind / / --proc /proc --dev /dev --unshare-all sh -c 'id -u; test $$ -lt 5'"
    script = f"{sandbox}; {AS_EVA} {sandbox}; unshare -Urpfm --mount-proc id -u; {AS_EVA} unshare -Urpfm --mount-proc id -u"
    assert lines(inside(given, script, *network)) == ["0", "1000", "0", "0"]


@NETWORKS
@pytest.mark.parametrize("ids", ["", "-U", "-U --nesting", "--private-users=identity", "--private-users=identity --nesting"])
def test_nspawn(given, network, ids):
    """On a tmpfs of the machine's own, whose owners can be mapped there."""
    script = ("cp -a /given/tree /tmp/w/inner; cat /proc/self/uid_map >&2; /given/nspawn -q -P -D /tmp/w/inner "
              f"{ids} sh -c 'echo $$; read a b c </proc/self/uid_map; echo $b $c; touch /x; stat -c %u:%g /x; ls -d /sys/class/net'")
    result = inside(given, script, *network)
    got = lines(result)
    outside = {"": result.complaint.split()[1], "-U": "65536"}.get(ids.replace(" --nesting", ""), "0")
    if ids.startswith("-U"):
        # The line of the user in the tree's /etc/subuid takes two of the three ranges.
        outside = "196608"
    assert got == ["1", f"{outside} 65536", "0:0", "/sys/class/net"], result


@NETWORKS
@pytest.mark.parametrize("ids", ["", "-U"])
def test_nspawn_boots(given, network, ids):
    """Until its own init has run a script of the tree's, and powered off."""
    script = ("cp -a /given/tree /tmp/w/inner; cd /tmp/w/inner/etc; printf '::sysinit:/etc/rc\\n' >inittab; "
              "printf '#!/bin/sh\\necho $$ >/said; cat /proc/1/comm >>/said; poweroff\\n' >rc; chmod +x rc; cd /; "
              f"/given/nspawn -q -D /tmp/w/inner {ids} --boot </dev/null >&2; cat /tmp/w/inner/said")
    got = lines(inside(given, script, *network))
    assert len(got) == 2 and got[1] == "init", got


@pytest.fixture
def as_user(given):
    """Runs a script in a throw-away machine of an ordinary user's, who has one range of ids and does not own the tree."""
    tess = 47111
    lines = {"passwd": f"nspawn-tess:x:{tess}:{tess}::/:/bin/sh", "subuid": "nspawn-tess:1610612736:65536", "subgid": "nspawn-tess:1610612736:65536"}
    covers = "".join(f"cp /etc/{name} {given}/cover; echo {line} >>{given}/cover; mount --bind {given}/cover /etc/{name}; rm {given}/cover; "
                     for name, line in lines.items())

    def start(script, *options):
        become = (f"{covers} mkdir -p {given}/machine; mount --bind {lab_tree.cached('podman')} {given}/machine; "
                  f'exec setpriv --reuid={tess} --regid={tess} --clear-groups "$@"')
        return run("-q", "-P", "-x", "-D", given / "machine", "--nesting", *options, f"--bind-ro={given}:/mnt", "/bin/sh", "-ec", script,
                   command=["unshare", "--mount", "sh", "-ec", become, "sh", str(given / "nspawn")], env={"HOME": "/", "XDG_RUNTIME_DIR": None},
                   timeout=120)

    for folder in list(given.parents)[:2]:
        folder.chmod(0o755)
    return start


@pytest.mark.requires("newuidmap")
@NETWORKS
def test_sandboxes_of_a_user_of_the_host(as_user, network):
    script = ("bwrap --bind / / --proc /proc --dev /dev --unshare-all sh -c 'id -u; test $$ -lt 5'; mkdir /tmp/inner; tar -C /tmp/inner -xf /mnt/image.tar; "
              "/mnt/nspawn -q -P -D /tmp/inner sh -c 'echo $$'; /mnt/nspawn -q -P -D /tmp/inner --private-users=identity --nesting sh -c 'echo $$'")
    assert lines(as_user(script, *network)) == ["0", "1", "1"]


@pytest.mark.requires("newuidmap")
def test_podman_of_a_user_of_the_host(as_user):
    """On a network of its own: on the host's it sees the host's cgroups, which may be of both versions."""
    script = ("mkdir /tmp/inner; tar -C /tmp/inner -xf /mnt/image.tar; HOME=/tmp podman --root /tmp/root --runroot /tmp/run run --rm --network=none --cgroups=disabled "
              "--rootfs /tmp/inner sh -c 'echo $$; id -u'")
    assert lines(as_user(script, "--private-network")) == ["1", "0"]


def test_what_cannot_be_mapped_inside_is_said(given):
    script = "cp -a /given/tree /var/inner; for how in '' --private-users-ownership=chown; do /given/nspawn -q -P -D /var/inner -U $how true || :; done"
    said = inside(given, script).complaint.splitlines()
    assert len(said) == 4 and "cannot be mapped" in said[0] and "tmpfs" in said[1], said
    assert "cannot be changed on disk" in said[2] and "--private-users=identity" in said[3], said


@pytest.mark.requires("newuidmap")
def test_what_cannot_be_mapped_inside_is_said_to_a_user(as_user):
    """Whose machine has its ids in several pieces."""
    script = ("test $(wc -l </proc/self/uid_map) -gt 1; mkdir /tmp/inner; tar -C /tmp/inner -xf /mnt/image.tar; "
              "/mnt/nspawn -q -P -D /tmp/inner --private-users=1000:100 --private-users-ownership=map true || :")
    said = as_user(script).complaint.splitlines()
    assert len(said) == 2 and "cannot be mapped on its file system, tmpfs" in said[0] and "identity" in said[1], said


def test_the_filter_of_devices_fails_nothing_of_a_booted_system(guest):
    """The same units fail and the same is in the journal as with a filter that lets everything through, which makes nodes of disks."""
    tree = types.SimpleNamespace(root=lab_tree.cached("bookworm"), options=["-x"])
    everything = [f"--property=DeviceAllow={kind}-* rwm" for kind in ("char", "block")]
    seen = []
    for options in (everything, [], ["-U"]):
        with guest(tree, *options) as screen:
            screen.login()
            _, state = screen.run("systemctl is-system-running --wait", timeout=180)
            _, failed = screen.run("systemctl --failed --plain --no-legend --no-pager | cut -d' ' -f1")
            _, errors = screen.run("journalctl -b -q -p err --no-pager -o cat")
            made, _ = screen.run("mknod /tmp/disk b 8 0 2>/dev/null")
            assert screen.run("mknod /tmp/null c 1 3 2>/dev/null")[0] == (1 if "-U" in options else 0)
            assert made == (0 if options == everything else 1), options
            seen.append((state, failed, set(errors.splitlines())))
            screen.line("poweroff")
            assert screen.ends() == 0
    assert seen[0] == seen[1] and seen[2] == seen[0], seen
