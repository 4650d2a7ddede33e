# SPDX-License-Identifier: GPL-2.0-only
"""The architectures that a guest can have, told apart by the fragment in
configs/ that a config set has for it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Arch:
    fragment: str      # without .config
    name: str          # for the kernel's Makefiles
    image: str         # what boots, below the build folder
    qemu: str
    console: str
    cross: str = ""    # prefix of the compiler's name; empty: the machine's own
    debian: str = ""   # what Debian calls it, for packages of another architecture

    @property
    def target(self):
        """What builds the image."""
        return self.image.rpartition("/")[2]

    @property
    def suffix(self):
        """Of the folders that hold programs for the guest."""
        return f"-{self.debian}" if self.debian else ""

    @property
    def variables(self):
        """Of the environment, for the kernel's Makefiles."""
        return {"ARCH": self.name, "CROSS_COMPILE": self.cross} if self.cross else {}


X86_64 = Arch("x86_64", "x86", "arch/x86/boot/bzImage", "qemu-system-x86_64", "ttyS0,115200")
ARM64 = Arch("arm64", "arm64", "arch/arm64/boot/Image", "qemu-system-aarch64", "ttyAMA0",
             "aarch64-linux-gnu-", "arm64")


def of(fragments):
    """That of a config set. What does not say is for this machine, x86-64."""
    names = {path.stem for path in fragments}
    return ARM64 if ARM64.fragment in names else X86_64
