# SPDX-License-Identifier: GPL-2.0-only
"""make dkms: Debian packages, of the series as modules that are built for each kernel, and of
the library for drivers."""

from common.ui import say
from packages import dkmsdeb, libdeb

HOWTO = """
install      sudo apt install ./{file} linux-headers-$(uname -r)
mode on      echo options vfio enable_unsafe_noiommu_mode=1 |
                 sudo tee /etc/modprobe.d/vfio-noiommu.conf
             sudo modprobe vfio-pci
a device     $dev is its PCI address, like 0000:01:00.0; nobody may be using it
             echo vfio-pci | sudo tee /sys/bus/pci/devices/$dev/driver_override
             echo $dev | sudo tee /sys/bus/pci/devices/$dev/driver/unbind
             echo $dev | sudo tee /sys/bus/pci/drivers_probe
             ls /dev/vfio/devices/
a library    sudo apt install ./{library}; cc driver.c $(pkg-config --cflags --libs vfiodma)
go back      sudo apt purge vfio-noiommu-dkms; sudo rm /etc/modprobe.d/vfio-noiommu.conf
more         /usr/share/doc/vfio-noiommu-dkms/README.Debian: Secure Boot, refusals"""


def main(settings):
    file = dkmsdeb.build(settings)
    libdeb.build(settings, file.parent)
    say(HOWTO.format(file=settings.relative(file),
                     library=settings.relative(file.parent / "libvfiodma*.deb")))
