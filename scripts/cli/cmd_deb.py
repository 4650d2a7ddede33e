# SPDX-License-Identifier: GPL-2.0-only
"""make deb: the patched kernel as Debian packages, with the user's own config."""

from common.ui import say
from packages import debconfig
from packages.deb import Packages

HOWTO = """
install      sudo apt install {files}
boot         sudo reboot; GRUB starts the newest kernel, all are in `Advanced options`;
             `uname -r` then says {release}
mode on      echo options vfio enable_unsafe_noiommu_mode=1 |
                 sudo tee /etc/modprobe.d/vfio-noiommu.conf
             sudo modprobe vfio-pci
             or, until the next boot, in a kernel that has vfio loaded:
             echo 1 | sudo tee /sys/module/vfio/parameters/enable_unsafe_noiommu_mode
a device     $dev is its PCI address, like 0000:01:00.0; nobody may be using it
             echo vfio-pci | sudo tee /sys/bus/pci/devices/$dev/driver_override
             echo $dev | sudo tee /sys/bus/pci/devices/$dev/driver/unbind
             echo $dev | sudo tee /sys/bus/pci/drivers_probe
             ls /dev/vfio/devices/
go back      sudo rm /etc/modprobe.d/vfio-noiommu.conf, reboot and choose the former kernel,
             sudo apt remove {packages}"""


def main(settings):
    config = debconfig.choose(settings.config_from)
    packages = Packages(settings, settings.work / "deb")
    changes, notes = packages.configure(config)
    report(config, changes, notes)
    files = packages.build()
    say(howto(settings, packages.release(), files))


def report(config, changes, notes):
    say(f"config: {config}, with these changes:")
    for line in changes or ["none"]:
        say(f"  {line}")
    for note in notes:
        say(f"left out: {note}")


def howto(settings, release, files):
    """What to do with the packages."""
    names = [file.name.split("_")[0] for file in files]
    return HOWTO.format(files=" ".join(f"./{settings.relative(file)}" for file in files),
                        release=release, packages=" ".join(names))
