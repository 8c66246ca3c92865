# SPDX-License-Identifier: LGPL-2.1-or-later
"""A package, so that its host is gone when its last test is, and seen by nobody after it."""
