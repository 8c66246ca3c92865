# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verbs for machines that run, for whoever's they are: root's, with ids of their own, and an ordinary user's."""
import pytest

from lab import identity
from lab.run import leader_of

pytestmark = pytest.mark.requires("userns")


@pytest.fixture
def web(tree, Running):
    root = tree()
    with Running("-q", "-P", "-D", root, "-M", "web", "--private-network", "/payload", "sleep", "60") as machine:
        machine.expect("sleeping")
        machine.root = root
        yield machine


def properties(run):
    return dict(line.split("=", 1) for line in run("show", "web").text.splitlines())


def test_it_is_seen(run, web):
    assert run("list", "--no-legend").text.split() == ["web", "container", "nspawn", "probe", "-", "-"]
    found = properties(run)
    assert found["Leader"] == str(leader_of(web.pid)) and found["RootDirectory"] == str(web.root)
    assert found["UID"] == str(identity.UID if identity.IS_USER else 0) and found["State"] == "running"
    text = run("status", "web").text
    assert f"Leader: {found['Leader']} (payload)" in text and "OS: probe" in text
    assert run("top", "--once").text.count("web") == 1


def test_network_traffic_is_counted(run, web):
    """There is only a loopback, which does not count; that the machine's network was entered shows by it."""
    assert run("top", "--once", "--json").json[0]["received_bytes"] is None and web


def test_it_is_paused_and_goes_on(run, web):
    if "ControlGroup" not in properties(run):
        pytest.skip("the machine has no cgroup")
    assert run("pause", "web").code == 0 and "State: paused" in run("status", "web").text
    assert run("resume", "web").code == 0 and "State: paused" not in run("status", "web").text
    assert web.process.poll() is None


@pytest.mark.parametrize("words", [["kill", "-s", "KILL"], ["kill", "-s", "KILL", "--kill-whom=leader"], ["terminate"], ["poweroff"]])
def test_it_ends(run, web, words):
    result = run(words[0], "web", *words[1:])
    assert result.code == 0, result
    web.wait(5)
    assert run("list").text == "No machines.\n"
