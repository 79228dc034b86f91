"""`python -m tests.packaging.audit PIP_AUDIT SITE_PACKAGES`: what is known to be vulnerable in what a user installs?

pip-audit asks PyPI. Where nobody knows advisories (no network, a mirror without them) that is said, and nothing fails.
A finding fails, and so does a package of which alone nothing is known.
"""

import subprocess
import sys

import msgspec
from msgspec import Struct

OURS = "langfuse-router"


class Advisory(Struct):
    id: str
    fix_versions: list[str]


class Package(Struct):
    name: str
    version: str = ""
    skip_reason: str = ""
    vulns: list[Advisory] = []


class Report(Struct):
    dependencies: list[Package]


def main(program: str, site_packages: str) -> int:
    """Return the exit status."""
    command = [program, "--path", site_packages, "--format", "json", "--progress-spinner", "off"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    return judge(ran.stdout, ran.stderr)


def judge(report: str, said: str) -> int:
    """Return 1 if the report has a finding, or leaves out some packages but not all."""
    try:
        packages = [one for one in msgspec.json.decode(report, type=Report).dependencies if one.name != OURS]
    except msgspec.DecodeError:
        print(f"left out: no advisories here ({(said.strip().splitlines() or ['nothing was said'])[-1]})")
        return 0
    unknown = [one for one in packages if one.skip_reason]
    if packages and len(unknown) == len(packages):
        print(f"left out: no advisories here ({unknown[0].skip_reason}, and so on)")
        return 0
    for one in unknown:
        print(f"{one.name}: {one.skip_reason}")
    found = [(one, advisory) for one in packages for advisory in one.vulns]
    for one, advisory in found:
        fixed = ", ".join(advisory.fix_versions) or "no version yet"
        print(f"{one.name} {one.version}: {advisory.id}, fixed in {fixed}")
    print(f"{len(packages) - len(unknown)} packages asked about, {len(found)} advisories")
    return int(bool(found or unknown))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
