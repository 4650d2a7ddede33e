# SPDX-License-Identifier: GPL-2.0-only
"""The tree of the base that the tests are run for, which need not have been made."""

import os

from cli import dotconfig
from cli.variables import from_environment

SETTINGS = from_environment({**os.environ, **dotconfig.not_said(os.environ)})
TREE = SETTINGS.source
