# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which Debian mirror this machine's own apt uses, and whether it answers."""
import re
import subprocess
import urllib.request


def mirror():
    """The base address of the mirror of the main archive, or None."""
    try:
        listing = subprocess.run(["apt-get", "indextargets", "--no-release-info", "Created-By: Packages"],
                                 capture_output=True, text=True, check=False).stdout
    except OSError:
        return None
    for stanza in listing.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", stanza, re.M))
        uri = fields.get("Repo-URI", "")
        if re.search(r"/debian/?$", uri) and "-" not in fields.get("Release", "-"):
            return uri.rstrip("/")
    return None


def mirror_answers():
    base = mirror()
    if base is None:
        return False
    try:
        with urllib.request.urlopen(base + "/dists/bookworm/InRelease", timeout=20) as answer:
            return answer.status == 200
    except OSError:
        return False
