"""
The jobs of L{tests.net.program} in a process that is held by having no capabilities alone.
"""

from mailgate.interfaces import Protection
from tests.net.program import weak

main = weak(Protection.CAPABILITIES)
