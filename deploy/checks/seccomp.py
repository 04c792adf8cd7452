#!/usr/bin/env python3
"""Makes a container's seccomp profile of a unit's SystemCallFilter: seccomp.py UNIT

Asks systemd-analyze what is in the sets. So a container shows that the unit's filter leaves all that is needed.
"""

import json
import re
import subprocess
import sys
from pathlib import Path


def members(name):
    """The system calls of a set, those of the sets within it too."""
    if not name.startswith("@"):
        return {name}
    shown = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], check=True, text=True,
                           capture_output=True).stdout
    lines = [line.strip() for line in shown.splitlines()[1:]]
    return set().union(*(members(line) for line in lines if line and not line.startswith("#")))


def main():
    unit = Path(sys.argv[1]).read_text()
    allowed = members("@default")
    for words in re.findall(r"^SystemCallFilter=(.*)$", unit, re.MULTILINE):
        calls = set().union(*map(members, words.removeprefix("~").split()))
        allowed = allowed - calls if words.startswith("~") else allowed | calls
    rule = {"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}
    print(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
                      "syscalls": [rule]}))


main()
