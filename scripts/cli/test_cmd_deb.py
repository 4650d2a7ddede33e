# SPDX-License-Identifier: GPL-2.0-only
"""What make deb says."""

import contextlib
import io
import pathlib
import unittest

from cli import cmd_deb
from common import settings


class Said(unittest.TestCase):
    def test_howto(self):
        chosen = settings.Settings("v7.2", top=pathlib.Path("/top"))
        files = [pathlib.Path(f"/top/build/v7.2/deb/linux-{kind}-7.2.9-x_7.2.9-1_amd64.deb")
                 for kind in ("image", "headers")]
        text = cmd_deb.howto(chosen, "7.2.9-x", files)
        self.assertIn("apt install ./build/v7.2/deb/linux-image-7.2.9-x_7.2.9-1_amd64.deb ./", text)
        self.assertIn("apt remove linux-image-7.2.9-x linux-headers-7.2.9-x", text)
        self.assertIn("`uname -r` then says 7.2.9-x", text)

    def test_report(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cmd_deb.report("/boot/config", [" VFIO n -> m"], ["keys"])
        self.assertEqual(said.getvalue(), "config: /boot/config, with these changes:\n"
                                          "   VFIO n -> m\nleft out: keys\n")
