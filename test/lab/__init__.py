# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test laboratory: what the suites under test/ share. Start with conftest.py, which shows it as fixtures."""
