# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with dnf and rpm that says it is Rocky Linux, and repositories of the shape of the distribution's and the project's.

dnf, its modules, rpm and the signatures are real. The rest of the host is Debian's, which packages them: what an installation
leaves besides packages, streams and keys, SELinux, and the dnf of another release, are not to be seen here.
"""

from __future__ import annotations

from pathlib import Path

from tools.lab.host import Host

PACKAGES = ("dnf", "rpm", "createrepo-c", "gnupg")
# What Ansible reads the packages of Debian with: there is none on such a host.
FOREIGN = "/usr/lib/python3/dist-packages/apt_pkg.pyi /usr/lib/python3/dist-packages/apt_pkg*.so"
STREAMS = {"16": "16.9", "17": "17.5"}
PROJECT, DISTRIBUTION = "/srv/project", "/srv/distribution"
BUILD = r"""
set -e
cd /srv
mkdir -p build distribution project/17/redhat/rhel-{release}-$(uname -m)
project=project/17/redhat/rhel-{release}-$(uname -m)
package() {{ # name version release requires label provides
  {{ printf 'Name: %s\nVersion: %s\nRelease: %s\nSummary: lab\nLicense: MIT\nBuildArch: noarch\n' "$1" "$2" "$3"
     [ -z "$4" ] || echo "Requires: $4"
     [ -z "$5" ] || echo "ModularityLabel: $5"
     [ -z "$6" ] || echo "Provides: $6"
     printf '%%description\nlab\n%%install\nmkdir -p %%{{buildroot}}/usr/share/lab/%s\n%%files\n/usr/share/lab/%s\n' "$1" "$1"
  }} > build/package.spec
  rpmbuild --quiet -bb --define '_topdir /srv/build/top' build/package.spec
  mv build/top/RPMS/noarch/*.rpm "$7"
}}
for version in {versions}; do
  label=postgresql:${{version%.*}}:1:a
  [ {release} = 9 ] || label=
  package postgresql $version 1.el{release} postgresql-private-libs "$label" '' distribution
  package postgresql-private-libs $version 1.el{release} '' "$label" '' distribution
done
package plain-release {release}.1 1 '' '' 'system-release = {release}' build
package needs-libraries 1 1 postgresql17-libs '' '' distribution
package postgresql17 17.5 1PGDG.rhel{release} postgresql17-libs '' '' $project
package postgresql17-libs 17.5 1PGDG.rhel{release} '' '' '' $project
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key lab@localhost rsa2048 sign
gpg --armor --export lab@localhost > project/key
rpmsign --define '_gpg_name lab@localhost' --define '__gpg /usr/bin/gpg' --addsign $project/*.rpm
createrepo_c --quiet $project
createrepo_c --quiet distribution
if [ {release} = 9 ]; then modifyrepo_c --mdtype=modules build/modules.yaml distribution/repodata; fi
rpm --install --nodeps build/plain-release*.rpm
"""
MODULE = """---
document: modulemd
version: 2
data:
  name: postgresql
  stream: "{stream}"
  version: 1
  context: a
  arch: noarch
  summary: lab
  description: lab
  license: {{module: [MIT]}}
  profiles: {{client: {{rpms: [postgresql]}}}}
  artifacts: {{rpms: ["postgresql-0:{version}-1.el9.noarch", "postgresql-private-libs-0:{version}-1.el9.noarch"]}}
"""


def enterprise(directory: Path, cache: Path, release: str) -> Host:
    """Return a host of a major release, 9 or 10, that has not been started yet."""
    host = Host(directory, cache, packages=PACKAGES)
    host.prepare()
    name = f"Rocky Linux release {release}.1 (Lab)"
    words = {
        "NAME": "Rocky Linux",
        "VERSION": f"{release}.1 (Lab)",
        "ID": "rocky",
        "ID_LIKE": "rhel centos fedora",
        "VERSION_ID": f"{release}.1",
        "PRETTY_NAME": name,
    }
    host.write("/etc/os-release", "".join(f'{word}="{text}"\n' for word, text in words.items()))
    host.write("/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky", "")
    host.write("/etc/redhat-release", f"{name}\n")
    versions = " ".join(STREAMS.values()) if release == "9" else STREAMS["17"]
    host.write("/srv/build/make", BUILD.format(release=release, versions=versions))
    modules = [MODULE.format(stream=stream, version=version) for stream, version in STREAMS.items()]
    host.write("/srv/build/modules.yaml", "".join(modules))
    repository = f"[distribution]\nname=distribution\nbaseurl=file://{DISTRIBUTION}\ngpgcheck=0\n"
    host.write("/etc/yum.repos.d/distribution.repo", repository)
    return host


def make_repositories(host: Host) -> None:
    """Make the host's repositories, on itself."""
    host.run(f"rm -f {FOREIGN}; sh /srv/build/make")
